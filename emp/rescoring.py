"""The Python client's part about scores that other rules made.

What belongs here: from what a person writes in a notebook to one call of a use-case.
What does not: the use-case (market_data/pipeline/rescore.py), Dagster.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from emp.arguments import Symbols, listed
from emp.moments import Moment, day
from emp.platforms import platform_of
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.settings import Settings
    from market_data.pipeline.rescore import Rescored


def get_outdated_scores(
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    symbols: Symbols | None = None,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """Scores that were made by other limits, vendor order or expectations than those in force.

    Args:
        start: first session; None: the first one stored.
        end: last session, included; None: the last one stored.
        symbols: only these; None for all.
        settings: another installation than that of the environment.

    Returns:
        dataset, symbol, session, rule_version (that made the score), in_force, score, status,
        sorted by (symbol, session, dataset).

    Raises:
        ConfigurationError: the period is none.
    """
    from market_data.pipeline.rescore import scores_by_other_rules

    names = None if symbols is None else listed(symbols)
    return scores_by_other_rules(platform_of(settings), _sessions(start, end), names)


def rescore_outdated(
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    symbols: Symbols | None = None,
    settings: Settings | None = None,
) -> Rescored:
    """Score anew exactly what `get_outdated_scores` gives; no other score is touched.

    Args:
        start: as of `get_outdated_scores`.
        end: the same.
        symbols: the same.
        settings: the same.

    Raises:
        ConfigurationError: the period is none.
    """
    from market_data.pipeline.rescore import rescore

    found = get_outdated_scores(start, end, symbols=symbols, settings=settings)
    return rescore(platform_of(settings), found)


def _sessions(start: Moment | None, end: Moment | None) -> tuple[date, date] | None:
    if start is None and end is None:
        return None
    first = date.min if start is None else day(start, "start")
    last = date.max if end is None else day(end, "end")
    if last < first:
        raise ConfigurationError(f"the period ends ({last}) before it starts ({first})")
    return first, last
