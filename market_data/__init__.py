"""The domain of market data: bars, sessions, revisions, stitching, adjustment, quality.

What belongs here: rules that hold whatever stores and schedules the data, as pure functions from
Polars frames to Polars frames; the ports (market_data/ports) that the outside implements; the
use-cases (market_data/pipeline) that are written against those ports alone.
What does not: Dagster, files, databases, the network, the clock, environment variables.
"""
