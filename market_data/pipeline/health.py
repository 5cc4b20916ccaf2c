"""Health: what the checks and the scores say of a dataset at a moment.

What belongs here: from a dataset's name to the sessions, scores and findings that it is judged by.
What does not: the verdict (market_data/quality/health.py), printing it (emp).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import polars as pl

from market_data.calendars import last_closed_session, trading_sessions
from market_data.datasets import SCORES_DATASET, STORED, curated_bars, raw_bars
from market_data.errors import ConfigurationError
from market_data.pipeline.decisions import unusable_sessions
from market_data.pipeline.inspected import inspected
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.macro_health import MACRO, macro_limits
from market_data.pipeline.macro_health import WINDOW_DAYS as MACRO_DAYS
from market_data.pipeline.platform import Platform
from market_data.pipeline.views import kept_symbols
from market_data.quality.findings import KEY
from market_data.quality.health import JUDGED, Health, health, judge_sessions
from market_data.quality.quarantine_checks import DATASET as QUARANTINE
from market_data.quality.score import RED
from market_data.quality.unusable import with_unusable
from market_data.quality.view import limits_of
from market_data.schemas import SCORES
from market_data.timeframes import Timeframe

_NOBODY = pl.DataFrame(schema={"symbol": pl.String(), "session": pl.Date(), "by": pl.String()})
WINDOW_DAYS = 7
"""So many days before the moment are looked at: a trading week, whatever holidays it has."""


@dataclass(frozen=True)
class JudgedRange:
    """A dataset over a range of sessions.

    Attributes:
        dataset: its name.
        timeframe: whose limits hold.
        sessions: rows of `market_data.quality.health.JUDGED`.
        scores: rows of SCORES; none where the dataset is not scored.
        inspection: what the checks found.
        limits: symbol, asset_class and every limit.
        accepted: rows of `market_data.quality.annotations.ACCEPTED`.
        unusable: symbol, session, by: judged sessions that somebody marked unusable, and who.
        named: symbols that the question names, and whether there ever was a bar of each; none where
            it is about all.
    """

    dataset: str
    timeframe: Timeframe
    sessions: pl.DataFrame
    scores: pl.DataFrame
    inspection: Inspection
    limits: pl.DataFrame
    accepted: pl.DataFrame
    unusable: pl.DataFrame
    named: Mapping[str, bool] = field(default_factory=dict)


def health_of(
    platform: Platform,
    dataset: str,
    as_of: datetime | None = None,
    *,
    days: int = WINDOW_DAYS,
    symbols: Sequence[str] | None = None,
) -> Health:
    """The verdict over the days before a moment.

    Args:
        platform: configuration and ports.
        dataset: curated/bars_1d, raw/<vendor>_bars_1d, quality/scores ...
        as_of: sessions that were over by then are judged, by what is known of them now, and those
            that ran then and still do where their newest bar is late; None: now.
        days: length of the window; of macro datasets at least `macro_health.WINDOW_DAYS`.
        symbols: only these; None for all that should be there.

    Raises:
        ConfigurationError: there is no such dataset, a symbol is not in the universe, or the
            moment lies in the future.
    """
    now = platform.clock.now()
    moment = now if as_of is None else as_of
    if moment > now:
        raise ConfigurationError(f"as_of={moment.isoformat()} lies in the future")
    last = moment.date()
    first = last - timedelta(days=max(days, MACRO_DAYS) if dataset in MACRO else days)
    seen = judged_range(platform, dataset, first, last, as_of=moment, symbols=symbols)
    return health(
        dataset,
        seen.sessions,
        seen.limits,
        as_of=moment,
        sessions=(first, last),
        accepted=seen.accepted.height,
        unusable_by=seen.unusable["by"].to_list(),
        named=seen.named,
    )


def _left_behind(
    platform: Platform,
    dataset: str,
    timeframe: Timeframe,
    days: tuple[date, date],
    as_of: datetime,
    never: Sequence[str],
) -> pl.DataFrame:
    """Sessions of a range that were due and that nobody has asked for, as RED rows of JUDGED.

    A check looks for bars up to the last session that was asked for. When the asking itself stops,
    or never began for a symbol that the question names, there is nothing that it could miss.

    Args:
        platform: configuration, ledger and clock.
        dataset: its name.
        timeframe: of its bars.
        days: first and last session.
        as_of: the moment.
        never: named symbols of which there never was a bar.
    """
    layer, _, rest = dataset.partition("/")
    if layer not in ("raw", "curated") or dataset in MACRO or dataset == QUARANTINE:
        return pl.DataFrame(schema=JUDGED)
    vendors = None if layer == "curated" else [rest.removesuffix(f"_bars_{timeframe}")]
    sources = (timeframe, Timeframe.M1) if layer == "curated" else (timeframe,)
    kept = kept_symbols(platform, timeframe) if layer == "curated" else None
    asked = (
        pl.concat(platform.ledger.spans(timeframe=t, vendors=vendors) for t in sources)
        .group_by("symbol")
        .agg(pl.col("last").max())
        .filter(pl.lit(value=True) if kept is None else pl.col("symbol").is_in(kept))
    )
    unasked = [symbol for symbol in never if symbol not in set(asked["symbol"])]
    nobody = pl.DataFrame({"symbol": unasked}, schema={"symbol": pl.String})
    asked = pl.concat([asked, nobody], how="diagonal").sort("symbol")
    now = platform.clock.now()
    due = asked.join(_due(platform, timeframe, days, as_of, now), on="symbol").filter(
        (pl.col("session") > pl.col("last")).fill_null(value=True)
    )
    return due.select(
        "symbol",
        "session",
        status=pl.lit(RED),
        score=pl.lit(None, pl.Float64),
        coverage=pl.lit(0.0),
        errors=pl.lit(1, pl.UInt32),
        warnings=pl.lit(0, pl.UInt32),
        codes=pl.when(pl.col("last").is_null()).then(pl.lit("no_data")).otherwise(pl.lit("stale")),
    )


def _due(
    platform: Platform,
    timeframe: Timeframe,
    days: tuple[date, date],
    as_of: datetime,
    now: datetime,
) -> pl.DataFrame:
    """Columns symbol, session: of a range, what was over at `as_of` and is late now."""
    rules = platform.thresholds.rule
    traded = pl.DataFrame(
        [
            (i.symbol, i.calendar, rules(i.asset_class, timeframe).stale_error, i.listed,
             i.delisted)
            for i in platform.universe.instruments
        ],
        schema={"symbol": pl.String, "calendar": pl.String, "lag": pl.Duration("us"),
                "listed": pl.Date, "delisted": pl.Date},
        orient="row",
    )  # fmt: skip
    first, last = days
    found = [
        trading_sessions(calendar, first, min(last, newest)).select(
            "session", calendar=pl.lit(calendar), lag=pl.lit(lag, pl.Duration("us"))
        )
        for calendar, lag in traded.select("calendar", "lag").unique().sort("calendar").iter_rows()
        if (newest := last_closed_session(calendar, min(as_of, now - lag))) >= first
    ]
    if not found:
        return pl.DataFrame(schema={"symbol": pl.String(), "session": pl.Date()})
    return (
        traded.join(pl.concat(found), on=["calendar", "lag"])
        .filter(
            (pl.col("session") >= pl.col("listed")).fill_null(value=True),
            (pl.col("session") <= pl.col("delisted")).fill_null(value=True),
        )
        .select("symbol", "session")
    )


def judged_range(
    platform: Platform,
    dataset: str,
    first: date,
    last: date,
    *,
    as_of: datetime | None = None,
    symbols: Sequence[str] | None = None,
) -> JudgedRange:
    """Every symbol-session of a range that was over at a moment or runs late, with its status.

    All that is said of a session is said here, whoever asks: health, summary and report agree.

    Raises:
        ConfigurationError: there is no such dataset, or a symbol is not in the universe.
    """
    now = platform.clock.now()
    moment = as_of or now
    timeframe, inspection = inspected(platform, dataset, first, last)
    scores = SCORES.empty()
    scored = dataset in {curated_bars(t).name for t in Timeframe}
    if scored:
        scores = platform.store.scan(SCORES_DATASET, sessions=(first, last)).filter(
            pl.col("dataset") == dataset
        )
    limits = (
        macro_limits(platform, inspection)
        if dataset in MACRO
        else limits_of(platform.universe.instruments, timeframe, platform.thresholds)
    )
    held, findings, accepted = inspection.held, inspection.findings, inspection.accepted
    if symbols is not None:
        wanted = list(symbols)
        if dataset not in MACRO:
            wanted = [platform.universe.instrument(s).symbol for s in symbols]
        chosen = pl.col("symbol").is_in(wanted)
        held, findings, scores = held.filter(chosen), findings.filter(chosen), scores.filter(chosen)
        accepted = accepted.filter(chosen)
    sessions = judge_sessions(
        held, scores if scored else None, findings, limits, as_of=moment, now=now
    )
    unseen = sorted(set(symbols or ()) - set(held["symbol"]))
    never = _never(platform, dataset, timeframe, unseen)
    behind = _left_behind(platform, dataset, timeframe, (first, last), moment, never)
    if symbols is not None:
        behind = behind.filter(pl.col("symbol").is_in(list(symbols)))
    sessions = pl.concat([sessions, behind]).unique(KEY, keep="first").sort(KEY)
    # Raw bars stay as they came, whatever is decided about curated ones.
    marked = unusable_sessions(platform, timeframe, (first, last)) if scored else _NOBODY
    marked = marked.join(sessions, on=KEY, how="semi")
    return JudgedRange(
        dataset,
        timeframe,
        with_unusable(sessions, marked),
        scores,
        inspection,
        limits,
        accepted,
        marked,
        {symbol: symbol not in never for symbol in symbols or ()},
    )


def _never(
    platform: Platform, dataset: str, timeframe: Timeframe, symbols: Sequence[str]
) -> tuple[str, ...]:
    """Those of some symbols of which a dataset never held anything."""
    if not symbols or dataset in MACRO:
        return tuple(symbols)
    layer, _, rest = dataset.partition("/")
    if layer == "raw":
        vendor = rest.removesuffix(f"_bars_{timeframe}")
        held = platform.raw_log.read(raw_bars(vendor, timeframe), symbols=symbols)
    elif layer == "curated":
        held = platform.store.latest(curated_bars(timeframe), symbols=symbols)
    else:
        (stored,) = (d for d in STORED if d.name == dataset)
        held = platform.store.scan(stored, symbols=symbols, columns=["symbol"])
    return tuple(symbol for symbol in symbols if symbol not in set(held["symbol"]))
