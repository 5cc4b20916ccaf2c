"""Writing and verifying exports: their folders, the engines, the sources of their rows.

What belongs here: Parquet, Polars, Spark, TimescaleDB and the lake as exports need them. What does
not: what an export is (market_data/exports), Dagster (resources, emp_assets).
"""
