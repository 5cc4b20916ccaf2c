"""How the installation itself does: pure functions from what was measured to a grade with reasons.

What belongs here: one file per part (cache, Kafka, ...), its limits and its verdict.
What does not: measuring (adapters), market data and its quality (market_data/quality).
"""
