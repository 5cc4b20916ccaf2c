"""Plain clients that implement the ports of market_data: stores, vendors, settings, clock.

What belongs here: everything that touches files, servers, the network, the environment, the clock.
What does not: rules about market data (market_data), Dagster (resources).
"""
