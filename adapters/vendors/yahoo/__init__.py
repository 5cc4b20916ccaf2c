"""Yahoo Finance, through the package yfinance.

What belongs here: the access (client.py), what an answer's status and body mean (answers.py),
from a chart answer to frames (chart.py), and the vendor port (vendor.py).
What does not: de-adjusting Yahoo's prices (market_data/corporate_actions/undoing.py).

yfinance opens the door: browser fingerprint, cookies, crumb, consent page. The chart's JSON is
read here and not by `Ticker.history`, which turns an empty volume into 0, leaves out an answer's
last minute of FX days, caches past ranges for the life of the process, asks once more per symbol
for its time zone, and reports errors as empty frames. A payload of the archive can be read again
by the same code.
"""
