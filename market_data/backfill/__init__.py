"""Backfills: what one is, how it is cut into pieces, what it costs, what its driver does next.

What belongs here: records and rules, without a clock or a database. What does not: planning from
what an installation holds (market_data/pipeline/backfill.py), keeping (adapters/operations),
running (jobs/backfill_piece.py).
"""
