"""Adapters that keep data: curated bars, the raw log, payloads, reference tables.

What belongs here: one engine or one kind of store per file.
What does not: what the columns mean (market_data/schemas), how a dataset is made (emp_assets).
"""
