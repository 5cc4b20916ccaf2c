"""A ranged run of the macro assets: dates, values, the calendar, and their checks.

What belongs here: which assets such a run selects. What does not: how a run is executed
(ranged_run.py), what the assets do (emp_assets).
"""

from __future__ import annotations

from emp_assets.naming import FRED_OBSERVATIONS_KEY, FRED_RELEASES_KEY, MACRO_CALENDAR_KEY
from jobs.ranged_run import Selection, Sessions


def macro_selection(sessions: Sessions) -> Selection:
    """Announced dates, values and the calendar of a range of release dates."""
    keys = (FRED_RELEASES_KEY, FRED_OBSERVATIONS_KEY, MACRO_CALENDAR_KEY)
    return Selection(frozenset(keys), sessions=sessions)
