"""The mark of a storage of events that takes evaluations of checks in batches.

What belongs here: the mark, which whoever makes the definitions may look for without a database's
library. What does not: storing them (check_evaluations.py).
"""

from __future__ import annotations


class TakesEvaluations:
    """A storage of events whose batches may hold evaluations of checks; Dagster's own may not."""
