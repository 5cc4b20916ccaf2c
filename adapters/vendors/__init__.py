"""Clients of the vendors of bars and macro events, each behind a port of market_data."""
