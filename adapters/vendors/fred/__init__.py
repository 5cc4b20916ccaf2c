"""FRED, the economic data of the Federal Reserve Bank of St. Louis, and its archive ALFRED.

What belongs here: asking its interface, reading its answers, two uses of them: releases with
vintages (source.py) and series as close-only daily bars (vendor.py).
What does not: which releases matter (config/reference/macro_releases.yaml).
"""
