"""Splits and dividends: where they are read from, when they count as known, what they do to prices.

What belongs here: rules about corporate actions themselves, and the arithmetic of adjusted prices.
What does not: which statement of which vendor stands (market_data/statements.py), what vendors'
rows are on (market_data/curation), findings about prices that look wrong (market_data/quality).
"""
