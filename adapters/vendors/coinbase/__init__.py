"""Coinbase Exchange: coins, from its public candles.

What belongs here: what an answer means (candles.py) and the vendor port (vendor.py).
What does not: sending (adapters/vendors/http.py).
"""
