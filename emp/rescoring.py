"""Scores that other rules made, as a person asks for them.

What belongs here: from the arguments of `emp quality outdated` to one call of a use-case.
What does not: the use-case (market_data/pipeline/rescore.py), Dagster.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from emp.arguments import Symbols, days_of, listed
from emp.moments import Moment
from emp.platforms import platform_of

if TYPE_CHECKING:
    from adapters.settings import Settings


def get_outdated_scores(
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    symbols: Symbols | None = None,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """Scores that were made by other limits, vendor order or expectations than those in force.

    Also those that say otherwise than the flags that are kept of their bars, and sessions that
    nobody has scored: their `score` is null, `rule_version` and `status` are empty.

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
    from market_data.pipeline.scores_and_flags import to_score_anew

    names = None if symbols is None else listed(symbols)
    platform, sessions = platform_of(settings), _sessions(start, end)
    found = scores_by_other_rules(platform, sessions, names)
    return to_score_anew(platform, found, sessions, names)


def _sessions(start: Moment | None, end: Moment | None) -> tuple[date, date] | None:
    if start is None and end is None:
        return None
    return days_of(date.min if start is None else start, date.max if end is None else end)
