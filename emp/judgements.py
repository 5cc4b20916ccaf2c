"""The Python client: what the platform thinks of its bars, as Polars frames.

What belongs here: scores and findings, from what a person writes in a notebook to one call of a
use-case. What does not: bars and the ledger (client.py), the use-cases (market_data/pipeline).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from emp.arguments import Symbols, bounds_of, days_of, names_of, timeframe_of
from emp.moments import Moment, day, period
from emp.platforms import lake_instead, platform_of
from market_data.errors import StoreUnavailableError
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    from datetime import date

    from adapters.settings import Settings


def get_quality_scores(
    symbols: Symbols,
    start: Moment | None = None,
    end: Moment | None = None,
    timeframe: str | None = None,
    *,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """Scores of symbol-sessions, sorted by (symbol, session, dataset).

    Args:
        symbols: platform symbols.
        start: first session.
        end: last session, included.
        timeframe: of one timeframe's bars; None for all.
        settings: another installation than that of the environment.

    Returns:
        The columns of market_data.schemas.SCORES: dataset, symbol, session, what was measured,
        score (0 to 1), status (GREEN, YELLOW or RED), reasons.

    Raises:
        ConfigurationError: a symbol is not in the universe, or a day is none.
        StoreUnavailableError: the warehouse does not answer, and does not count as away.

    Warns:
        StoreAwayWarning: it is away: the lake's bars were scored now.
    """
    from market_data.datasets import SCORES_DATASET, curated_bars

    platform = platform_of(settings)
    names = names_of(symbols)
    for symbol in names:
        platform.universe.instrument(symbol)
    wanted = period(
        None if start is None else day(start, "start"),
        None if end is None else day(end, "end"),
        **bounds_of(platform),
    )
    chosen = list(Timeframe) if timeframe is None else [timeframe_of(timeframe)]
    try:
        scores = platform.store.scan(SCORES_DATASET, symbols=names, sessions=wanted.sessions)
    except StoreUnavailableError as error:
        lake = lake_instead(platform, settings, error, chosen)
        scores = lake.store.scan(SCORES_DATASET, symbols=names, sessions=wanted.sessions)
    return scores.filter(pl.col("dataset").is_in([curated_bars(t).name for t in chosen]))


def decided_quality_scores(
    symbols: Symbols,
    sessions: tuple[date, date],
    timeframe: Timeframe,
    *,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """As `get_quality_scores`, sessions that somebody marked unusable as RED for that reason.

    Args:
        symbols: platform symbols.
        sessions: first and last one.
        timeframe: of the bars.
        settings: another installation than that of the environment.
    """
    from market_data.pipeline.decisions import unusable_sessions
    from market_data.quality.unusable import decided_scores

    scores = get_quality_scores(symbols, *sessions, timeframe, settings=settings)
    platform = platform_of(settings)
    try:
        marked = unusable_sessions(platform, timeframe, sessions)
    except StoreUnavailableError as error:
        lake = lake_instead(platform, settings, error, [timeframe])
        marked = unusable_sessions(lake, timeframe, sessions)
    return decided_scores(scores, marked)


def get_findings(
    symbols: Symbols,
    start: Moment,
    end: Moment,
    timeframe: str = "1d",
    *,
    settings: Settings | None = None,
) -> pl.DataFrame:
    """What the checks find now in raw and curated bars, errors first.

    Args:
        symbols: platform symbols.
        start: first session.
        end: last session, included.
        timeframe: whose bars.
        settings: another installation than that of the environment.

    Returns:
        check, code, severity (error or warn), dataset, symbol (String), session (Date), value,
        threshold (Float64), rows (Int64), detail (one sentence), state (open, or accepted where
        somebody accepts it; open ones come first), decision (who accepts it and why; empty where
        it is open).

    Raises:
        ConfigurationError: a symbol is not in the universe, or a day is none.
        StoreUnavailableError: the warehouse does not answer, and does not count as away.

    Warns:
        StoreAwayWarning: it is away: curated bars are those that the lake gives.
    """
    from market_data.pipeline.inspection import inspect_curated, inspect_raw

    platform = platform_of(settings)
    names = names_of(symbols)
    served = [platform.universe.instrument(symbol) for symbol in names]
    first, last = days_of(start, end)
    wanted = timeframe_of(timeframe)
    vendors = [
        vendor.name
        for vendor in platform.universe.vendors_of(wanted)
        if any(platform.universe.serves(vendor, instrument) for instrument in served)
    ]
    try:
        seen = [inspect_curated(platform, wanted, first, last)]
    except StoreUnavailableError as error:
        platform = lake_instead(platform, settings, error, [wanted])
        seen = [inspect_curated(platform, wanted, first, last)]
    seen += [inspect_raw(platform, v, wanted, first, last) for v in vendors]
    decision = pl.format("{}: {}", "author", "reason")
    parts = [s.findings.with_columns(state=pl.lit("open"), decision=pl.lit("")) for s in seen]
    parts += [
        s.accepted.with_columns(state=pl.lit("accepted"), decision=decision).select(
            parts[0].columns
        )
        for s in seen
    ]
    order = ["state", "severity", "session", "symbol", "dataset", "check", "code"]
    return (
        pl.concat(parts)
        .filter(pl.col("symbol").is_in(names))
        .sort(order, descending=[name == "state" for name in order])
    )
