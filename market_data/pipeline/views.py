"""Views: a few sessions of a stored dataset with everything that its checks need beside it.

What belongs here: gathering the bars, what should be there, what other vendors say of them, and
what is in quarantine.
What does not: judging (market_data/quality), long ranges (market_data/pipeline/inspection.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime

import polars as pl

from market_data.curation.peers import comparable
from market_data.datasets import curated_bars, raw_bars
from market_data.pipeline.holdings import should_hold
from market_data.pipeline.platform import Platform
from market_data.pipeline.split_answers import splits_told
from market_data.pipeline.surroundings import (
    around_curated,
    around_raw,
    closes_around,
    reading,
    volumes_before,
    within_days,
)
from market_data.pipeline.waiting import delays_of
from market_data.quality.view import BarsView
from market_data.schemas import RAW_BARS
from market_data.timeframes import Timeframe


def raw_view(
    platform: Platform, vendor: str, timeframe: Timeframe, start: date, end: date
) -> BarsView:
    """One vendor's raw bars. What curation refused of them is still among them."""
    logs = _raw_of_all(platform, timeframe, start, end)
    refused = _refused(platform, [vendor], timeframe, start, end, stages=("fetch",))
    bars = logs.get(vendor, RAW_BARS.empty())
    series = raw_series(platform, vendor, timeframe, start, end, bars)
    return replace(
        series,
        peers=_peers(platform, logs.values(), timeframe, series.actions, series.now),
        duplicates=_repeats(refused),
        quarantine=refused,
    )


def raw_series(
    platform: Platform,
    vendor: str,
    timeframe: Timeframe,
    start: date,
    end: date,
    bars: pl.DataFrame | None = None,
) -> BarsView:
    """The same without what others say of the bars: enough to judge them beside each other.

    Args:
        platform: configuration and ports.
        vendor: whose bars.
        timeframe: of the bars.
        start: first session.
        end: last session.
        bars: newest revisions of the slice; None: they are read.
    """
    dataset, instruments = raw_bars(vendor, timeframe), platform.universe.instruments
    if bars is None:
        known = [i.symbol for i in instruments]
        bars = platform.raw_log.read(dataset, symbols=known, sessions=(start, end))
    return BarsView(
        dataset=dataset.name,
        kind="raw",
        timeframe=timeframe,
        instruments=instruments,
        bars=bars,
        expected=should_hold(platform, [vendor], [timeframe], start, end),
        sessions=(start, end),
        now=platform.clock.now(),
        delay=platform.vendors.delay(vendor),
        around=around_raw(platform, vendor, timeframe, _symbols(bars), start, end),
        actions=platform.actions.read(),
    )


def kept_symbols(platform: Platform, timeframe: Timeframe) -> list[str]:
    """Symbols that the curated bars of a timeframe are kept for.

    Those whose native bars somebody was asked for, and those that bars were ever made of from
    minutes. Minutes can become every timeframe; that nobody has made one of them is no defect.
    """
    native = platform.ledger.spans(timeframe=timeframe)["symbol"]
    minutes = platform.ledger.spans(timeframe=Timeframe.M1)["symbol"]
    undecided = sorted(set(minutes) - set(native))
    if not undecided:
        return sorted(native)
    made = platform.store.latest(curated_bars(timeframe), symbols=undecided)["symbol"]
    return sorted({*native, *made})


def curated_view(
    platform: Platform, timeframe: Timeframe, start: date, end: date, kept: Sequence[str]
) -> BarsView:
    """The curated bars of a timeframe, and the vendors' bars behind them.

    Args:
        platform: configuration and ports.
        timeframe: of the bars.
        start: first session.
        end: last session.
        kept: see `kept_symbols`.
    """
    vendors = [v.name for v in platform.universe.vendors]
    refused = _refused(platform, vendors, timeframe, start, end, stages=("fetch", "curate"))
    logs = _raw_of_all(platform, timeframe, start, end)
    series = curated_series(platform, timeframe, start, end, kept)
    held = _symbols(series.bars)
    return replace(
        series,
        peers=_peers(
            platform,
            logs.values(),
            timeframe,
            series.actions,
            series.now,
            minutes=_minutes_of_all(platform, timeframe, start, end).values(),
        ),
        duplicates=_repeats(refused),
        quarantine=refused,
        within=None if timeframe.is_intraday else within_days(platform, held, start, end),
        logs=logs,
    )


def curated_series(
    platform: Platform, timeframe: Timeframe, start: date, end: date, kept: Sequence[str]
) -> BarsView:
    """The same without the vendors' bars: enough to judge curated bars beside each other."""
    vendors = [v.name for v in platform.universe.vendors]
    sources = list(dict.fromkeys((timeframe, Timeframe.M1)))
    bars = platform.store.scan(curated_bars(timeframe), sessions=(start, end))
    now = platform.clock.now()
    held = _symbols(bars)
    closes = closes_around(timeframe, held, start, end, reading(platform, timeframe))
    expected = should_hold(platform, vendors, sources, start, end).filter(_kept(platform, kept))
    return BarsView(
        dataset=curated_bars(timeframe).name,
        kind="curated",
        timeframe=timeframe,
        instruments=platform.universe.instruments,
        bars=bars,
        expected=expected,
        sessions=(start, end),
        now=now,
        delays=delays_of(platform, sources, expected, now),
        around=around_curated(platform, timeframe, held, start, end, closes),
        volumes=volumes_before(platform, timeframe, held, start),
        closes=closes,
        actions=platform.actions.read(),
    )


def _symbols(bars: pl.DataFrame) -> list[str]:
    return bars.get_column("symbol").unique().sort().to_list()


def _kept(platform: Platform, kept: Sequence[str]) -> pl.Expr:
    """Kept symbols, and those that the configuration says should be."""
    configured = [i.symbol for i in platform.universe.instruments if i.history is not None]
    return pl.col("symbol").is_in([*kept, *configured])


def _raw_of_all(
    platform: Platform, timeframe: Timeframe, start: date, end: date
) -> dict[str, pl.DataFrame]:
    """The newest revisions of every vendor that has bars of known instruments in the range."""
    known = [i.symbol for i in platform.universe.instruments]
    logs = {
        v.name: platform.raw_log.read(
            raw_bars(v.name, timeframe), symbols=known, sessions=(start, end)
        )
        for v in platform.universe.vendors_of(timeframe)
    }
    return {name: frame for name, frame in logs.items() if not frame.is_empty()}


def _minutes_of_all(
    platform: Platform, timeframe: Timeframe, start: date, end: date
) -> dict[str, pl.DataFrame]:
    """The minutes that curated bars of a longer timeframe may be made of."""
    if timeframe is Timeframe.M1:
        return {}
    return _raw_of_all(platform, Timeframe.M1, start, end)


def _peers(
    platform: Platform,
    logs: Iterable[pl.DataFrame],
    timeframe: Timeframe,
    actions: pl.DataFrame,
    now: datetime,
    minutes: Iterable[pl.DataFrame] = (),
) -> pl.DataFrame | None:
    frames, made = list(logs), list(minutes)
    both = [*frames, *made]
    if len({f.get_column("vendor").item(0) for f in both}) < 2:
        return None
    last = pl.concat([f.select(pl.col("session").max()) for f in both]).max().item()
    return comparable(
        frames,
        minutes=made,
        instruments=platform.universe.instruments,
        timeframe=timeframe,
        actions=actions,
        told=splits_told(platform, both, last),
        thresholds=platform.thresholds,
        now=now,
    )


def _refused(
    platform: Platform,
    vendors: Sequence[str],
    timeframe: Timeframe,
    start: date,
    end: date,
    *,
    stages: Sequence[str],
) -> pl.DataFrame:
    """Open rows of the quarantine, counted per symbol, session, stage and reasons."""
    return (
        platform.quarantine.counts(timeframe=timeframe, sessions=(start, end), vendors=vendors)
        .drop_nulls("session")
        .filter(pl.col("stage").is_in(list(stages)))
    )


def _repeats(refused: pl.DataFrame) -> pl.DataFrame:
    """Rows that repeat or contradict another of their fetch."""

    def rows(reason: str) -> pl.Expr:
        given = pl.col("reasons").str.split(",").list.contains(reason)
        return pl.col("rows").filter(given).sum()

    return (
        refused.group_by("symbol", "session")
        .agg(rows=rows("duplicate"), contradictions=rows("contradiction"))
        .filter((pl.col("rows") > 0) | (pl.col("contradictions") > 0))
    )
