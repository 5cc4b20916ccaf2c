"""Measured bars: each module has a `run` that returns ratios and the bar that each must hold.

What belongs here: measurements of whole steps against a plain way of doing the same, interleaved
in one process, so that a busy machine slows both. What does not: correctness, which the tests hold.
"""
