"""Dagster's view of the adapters: one ConfigurableResource around each.

What belongs here: which adapter an installation uses, as configuration that the UI can show.
What does not: behaviour (adapters), rules (market_data). These classes stay thin.
"""
