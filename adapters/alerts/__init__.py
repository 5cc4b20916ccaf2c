"""Alerts on their way out: the configuration, the routes, the sender.

What belongs here: config/alerts.yaml and its variables, one file per sort of route, delivery from
the outbox. What does not: what is told and when (market_data/alerts), the tables
(adapters/operations).
"""
