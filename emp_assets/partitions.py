"""The one partition dimension: the trading session, a date.

Every calendar day is a partition, because the calendars of different markets differ. The end lies
two days ahead: an FX bar of Sunday evening belongs to Monday, whose key must exist by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache

import dagster as dg

from market_data.macro.calendar import ANNOUNCED_DAYS

ONE_RUN = dg.BackfillPolicy.single_run()


@lru_cache
def session_partitions(first_session: date) -> dg.DailyPartitionsDefinition:
    """One partition per calendar day from the universe's first session on."""
    return dg.DailyPartitionsDefinition(start_date=first_session.isoformat(), end_offset=2)


@lru_cache
def announced_partitions(first_session: date) -> dg.DailyPartitionsDefinition:
    """The same, and the days ahead of which something is announced: releases of macro data."""
    return dg.DailyPartitionsDefinition(
        start_date=first_session.isoformat(), end_offset=ANNOUNCED_DAYS
    )


def session_range(keys: Sequence[str]) -> tuple[date, date]:
    """First and last session of a run.

    Raises:
        Failure: the run has no partition at all, or its keys are not one unbroken range. Either
            would otherwise end in success without the data that was asked for.
    """
    if not keys:
        raise dg.Failure(
            "The run processed no partition. A range was probably given with its end before its "
            "start; launch it again with the earlier session first."
        )
    days = sorted(date.fromisoformat(key) for key in keys)
    first, last = days[0], days[-1]
    if last - first != timedelta(days=len(days) - 1):
        raise dg.Failure(f"The sessions {first} to {last} of this run have holes; launch ranges.")
    return first, last
