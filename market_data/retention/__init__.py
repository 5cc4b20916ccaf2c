"""How much history of market data there has to be, and what of it may go.

What belongs here: the policy, what would go by it. What does not: Dagster's own records
(market_data/automation/retention.py), the report (market_data/operations/data_retention.py),
reading and removing (market_data/pipeline/retaining.py).
"""
