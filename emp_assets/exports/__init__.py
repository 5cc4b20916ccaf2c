"""Exports: what other programs read as files, one asset per dataset and timeframe."""
