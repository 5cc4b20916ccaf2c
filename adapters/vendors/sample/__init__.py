"""Two invented vendors of invented instruments, for demonstrations and tests without a network.

What belongs here: the instruments (instruments.py), repeatable noise (noise.py), the bars that
both vendors agree on (truth.py), the errors planted in them (faults.py), and the client
(vendor.py). Every bar is a function of seed, vendor, symbol, timeframe and session alone.
What does not: anything real.
"""
