"""The Python client's part about quality: the health of a dataset, its quality day by day.

What belongs here: from what a person writes in a notebook to one call of a use-case.
What does not: the use-cases (market_data/pipeline/health.py), Dagster.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from emp.arguments import Symbols, days_of, listed
from emp.moments import Moment, day, instant
from emp.platforms import lake_instead, platform_of
from market_data.errors import ConfigurationError, StoreUnavailableError
from market_data.quality.health import Health

if TYPE_CHECKING:
    from adapters.settings import Settings

_MEASURED = (
    "expected",
    "observed",
    "gaps",
    "null_rate",
    "duplicates",
    "ohlc_violations",
    "outliers",
    "flat_run",
    "drift_max",
    "freshness_seconds",
)


def get_dataset_health(
    dataset: str = "curated/bars_1d",
    as_of: Moment | None = None,
    *,
    symbols: Symbols | None = None,
    days: int = 7,
    settings: Settings | None = None,
) -> Health:
    """GREEN, YELLOW or RED, with reasons; docs/quality.md says what makes which.

    Args:
        dataset: curated/bars_1d, raw/<vendor>_bars_1d, quality/scores ...
        as_of: the sessions that were over by then are judged, by what is known of them now; a day
            means its first moment, UTC. None: now.
        symbols: only these; None for all that should be there.
        days: how many days before that moment are looked at.
        settings: another installation than that of the environment.

    Raises:
        ConfigurationError: there is no such dataset or symbol, or the moment is none or lies in
            the future.
        StoreUnavailableError: the warehouse does not answer, and does not count as away; or the
            dataset is one that it alone holds.

    Warns:
        StoreAwayWarning: it is away: what the lake gives was judged.
    """
    from market_data.pipeline.from_lake import judged_in_lake
    from market_data.pipeline.health import health_of

    if days < 1:
        raise ConfigurationError(f"days={days}; at least one has to be looked at")
    ask = partial(
        health_of,
        dataset=dataset,
        as_of=None if as_of is None else instant(as_of, "as_of"),
        days=days,
        symbols=None if symbols is None else listed(symbols),
    )
    platform = platform_of(settings)
    try:
        return ask(platform)
    except StoreUnavailableError as error:
        judged = judged_in_lake(dataset, error)
        return ask(lake_instead(platform, settings, error, judged))


def get_data_quality_summary(
    dataset: str = "curated/bars_1d",
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    symbols: Symbols | None = None,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """What was measured per symbol and session, sorted by (symbol, session).

    Args:
        dataset: as of `get_dataset_health`.
        start: first session; None: 30 days before the end.
        end: last session, included; None: today.
        symbols: only these; None for all that should be there.
        settings: another installation than that of the environment.

    Returns:
        symbol, session, status (GREEN, YELLOW or RED), score, coverage (0 to 1), errors, warnings
        (how many findings), codes (theirs, comma-separated), accepted (how many more findings
        somebody accepted), unusable_by (who marked the session unusable; empty where nobody did),
        and of the score's row expected,
        observed, gaps, null_rate, duplicates, ohlc_violations, outliers, flat_run, drift_max
        (relative), freshness_seconds; null where a session has no score.

    Raises:
        ConfigurationError: there is no such dataset or symbol, or the period is none.
        StoreUnavailableError: as of `get_dataset_health`.

    Warns:
        StoreAwayWarning: as of `get_dataset_health`.
    """
    from market_data.pipeline.from_lake import judged_in_lake
    from market_data.pipeline.health import judged_range

    platform = platform_of(settings)
    last = platform.clock.now().date() if end is None else day(end, "end")
    first, last = days_of(last - timedelta(days=30) if start is None else start, last)
    names = None if symbols is None else listed(symbols)
    try:
        seen = judged_range(platform, dataset, first, last, symbols=names)
    except StoreUnavailableError as error:
        lake = lake_instead(platform, settings, error, judged_in_lake(dataset, error))
        seen = judged_range(lake, dataset, first, last, symbols=names)
    on = ["symbol", "session"]
    measured = seen.scores.select(*on, *_MEASURED)
    accepted = seen.accepted.group_by(on).agg(accepted=pl.len())
    return (
        seen.sessions.join(accepted, on=on, how="left", maintain_order="left")
        .join(seen.unusable.rename({"by": "unusable_by"}), on=on, how="left", maintain_order="left")
        .with_columns(pl.col("accepted").fill_null(0), pl.col("unusable_by").fill_null(""))
        .join(measured, on=on, how="left", maintain_order="left")
    )
