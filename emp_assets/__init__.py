"""The asset graph: one file per dataset, its checks beside it.

What belongs here: asset functions that call one use-case of market_data/pipeline and describe what
it did to the UI.
What does not: the use-cases and rules themselves (market_data), which adapter serves (resources).
"""
