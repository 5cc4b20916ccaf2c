"""A ranged run of the macro assets: dates, values, the calendar, and their checks.

What belongs here: which assets such a run selects. What does not: how a run is executed
(ranged_run.py), what the assets do (emp_assets).
"""

from __future__ import annotations

from jobs.ranged_run import Selection, Sessions
from jobs.vendor_jobs import MACRO


def macro_selection(sessions: Sessions) -> Selection:
    """Announced dates, values and the calendar of a range of release dates."""
    return Selection(frozenset(MACRO), sessions=sessions)
