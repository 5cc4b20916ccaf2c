"""OANDA: currencies, from the candles of its interface v20.

What belongs here: what an answer means (candles.py) and the vendor port (vendor.py).
What does not: sending (adapters/vendors/http.py).
"""
