"""Curated data: one trusted series per timeframe, and what was refused."""
