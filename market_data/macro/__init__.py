"""Macro releases: what is expected when, what came, what it was worth when it was known.

What belongs here: pure rules over announced dates and vintages, as Polars frames.
What does not: asking FRED (adapters/vendors/fred), storing
(market_data/pipeline/macro_ingest.py, market_data/pipeline/macro_calendar.py).
"""
