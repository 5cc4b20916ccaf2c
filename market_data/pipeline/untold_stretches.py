"""Stretches of sessions about which nobody was asked who would have told a split.

What belongs here: finding them among the bars of an adjusted read, and saying so. What does not:
whether prices came divided by a split (market_data/curation/split_evidence.py), the adjustment.

An answer about a session tells every split from that session until the answer. Where no answer
covers the opening of a session, a split of that day would be on nobody's record, and prices before
it would stand beside those after it unadjusted.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date
from weakref import WeakKeyDictionary

import polars as pl

from market_data.calendars import trading_sessions
from market_data.errors import UnknownActionsWarning
from market_data.overtaking import CLOCKS_APART
from market_data.pipeline.platform import Platform
from market_data.pipeline.split_answers import own_words, telling_answers, telling_timeframes
from market_data.ports import Ledger
from market_data.timeframes import Timeframe
from market_data.wording import few

_Span = tuple[date, date]
_COVERED: WeakKeyDictionary[Ledger, dict[str, _Span]] = WeakKeyDictionary()
"""Spans that were found to be covered. They stay so: somebody told their splits once, whatever is
asked later. What is remembered goes with the ledger that it was read from."""


def warn_of_untold(
    platform: Platform, bars: pl.DataFrame, symbols: Sequence[str], *, stacklevel: int
) -> None:
    """Warn where nobody was asked about the splits of some of the sessions of bars.

    Args:
        platform: the ledger, the statements, and which vendors tell splits.
        bars: symbol, session; sorted by (symbol, session).
        symbols: of instruments that have splits; of others nothing is said.
        stacklevel: of `warnings.warn`, counted from the caller.

    Warns:
        UnknownActionsWarning: naming the symbols, the stretches and the cure.
    """
    covered = _COVERED.setdefault(platform.ledger, {})
    spans = _spans(bars, symbols)
    asked = {s: span for s, span in spans.items() if not _within(span, covered.get(s))}
    if not asked:
        return
    found = untold_stretches(platform, asked)
    named = set(found["symbol"])
    covered.update({s: _joined(n, covered.get(s)) for s, n in asked.items() if s not in named})
    if found.is_empty():
        return
    texts = [f"{s} from {a} to {b}" for s, a, b in found.iter_rows()]
    warnings.warn(
        f"nobody who tells splits was asked about {few(texts)}: a split of these "
        f"sessions would be missing from these adjusted prices. {_cure(platform, found)}",
        UnknownActionsWarning,
        stacklevel=stacklevel + 1,
    )


def untold_stretches(platform: Platform, spans: dict[str, _Span]) -> pl.DataFrame:
    """Sessions of which nobody would have told a split.

    A vendor that tells splits covers the sessions from the one that it gave bars of until it was
    asked, a person who brings a symbol's actions all until then.

    Args:
        platform: the ledger, the statements, and which vendors tell splits.
        spans: symbol to first and last session, both included.

    Returns:
        Columns symbol, first, last (sessions), one row for each unbroken stretch, in order.
    """
    # Whoever has bars of another length has daily ones nearly always: the rest is read rarely.
    found = _between(platform, spans, Timeframe.D1)
    left = {s: span for s, span in spans.items() if s in set(found["symbol"])}
    return _between(platform, left, None) if left else found


def _between(
    platform: Platform, spans: dict[str, _Span], timeframe: Timeframe | None
) -> pl.DataFrame:
    """The stretches that no answer about bars of this length covers; None for any length."""
    evidence = _evidence(platform, spans, timeframe)
    parts = [_sessions(platform, symbol, span) for symbol, span in spans.items()]
    return (
        pl.concat(parts)
        .sort("session")
        .join_asof(evidence, on="session", by="symbol", check_sortedness=False)
        .sort("symbol", "session")
        .with_columns(_untold=(pl.col("_heard") < pl.col("open")).fill_null(value=True))
        .with_columns(_stretch=pl.col("_untold").rle_id().over("symbol"))
        .filter("_untold")
        .group_by("symbol", "_stretch")
        .agg(first=pl.col("session").min(), last=pl.col("session").max())
        .sort("symbol", "first")
        .drop("_stretch")
    )


def _evidence(
    platform: Platform, spans: dict[str, _Span], timeframe: Timeframe | None
) -> pl.DataFrame:
    """Columns symbol, session, _heard (UTC): until when somebody told splits since a session.

    A word of a time to come, from a clock that was ahead, is not believed: it covers sessions that
    nobody can have spoken of.
    """
    latest = platform.clock.now() + CLOCKS_APART
    told = own_words(platform, list(spans))
    last = max(last for _, last in spans.values())
    answers = telling_answers(
        platform, told.tellers, list(spans), last, with_gaps=True, timeframe=timeframe
    )
    vendors = told.statements.filter(pl.col("source").is_in(list(told.tellers)))
    return (
        pl.concat(
            [
                answers.select("symbol", "session", _heard="asked_at"),
                vendors.select(
                    "symbol", session="ex_date", _heard=pl.coalesce("stated_at", "known_at")
                ),
                told.people().select("symbol", session=pl.lit(date.min), _heard="_stated"),
            ]
        )
        .filter(pl.col("_heard") <= latest)
        .sort("symbol", "session")
        .with_columns(pl.col("_heard").cum_max().over("symbol"))
        .sort("session")
    )


def _sessions(platform: Platform, symbol: str, span: _Span) -> pl.DataFrame:
    calendar = platform.universe.instrument(symbol).calendar
    return trading_sessions(calendar, *span).select(
        pl.lit(symbol).alias("symbol"), "session", "open"
    )


def _spans(bars: pl.DataFrame, symbols: Sequence[str]) -> dict[str, _Span]:
    """First and last session of each symbol that has bars, found without looking at each bar."""
    names, sessions = bars["symbol"], bars["session"]
    ends = {s: (names.search_sorted(s, "left"), names.search_sorted(s, "right")) for s in symbols}
    return {s: (sessions[a], sessions[b - 1]) for s, (a, b) in ends.items() if a < b}


def _within(span: _Span, covered: _Span | None) -> bool:
    return covered is not None and covered[0] <= span[0] and span[1] <= covered[1]


def _joined(new: _Span, old: _Span | None) -> _Span:
    """Both as one where they meet, else the newer."""
    if old is None or new[0] > old[1] or old[0] > new[1]:
        return new
    return min(new[0], old[0]), max(new[1], old[1])


def _cure(platform: Platform, found: pl.DataFrame) -> str:
    symbol, first, last = found.row(0)
    instrument = platform.universe.instrument(symbol)
    tellers: Sequence[str] = [
        v.name
        for v in platform.universe.vendors_of(Timeframe.D1)
        if platform.universe.serves(v, instrument)
        and Timeframe.D1 in telling_timeframes(platform, v.name)
    ]
    lists = "'emp actions import' brings a list of all actions"
    if not tellers:
        return lists
    return (
        f"'emp ingest --vendor {tellers[0]} --symbols {symbol} --start {first} --end {last} "
        f"--refetch' asks; {lists}"
    )
