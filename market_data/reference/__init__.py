"""Reference data as frames: instruments, trading sessions, closed days, ticker histories.

What belongs here: what is known of instruments and calendars before any bar is asked for.
What does not: the configuration itself (market_data/universe.py, market_data/calendar_rules.py),
what a change of it puts out of date (market_data/pipeline/reference_impact.py).
"""
