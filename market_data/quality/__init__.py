"""Judging bars: thresholds, validators, scores, and what follows from a finding.

What belongs here: pure functions over frames. What does not: Dagster's checks (emp_assets), the
reading of configuration files (adapters/configuration.py), repair of data (market_data/pipeline).
"""
