"""Replay refused rows: try them again under today's rules.

What belongs here: what has to be done for some rows of the quarantine, what it would accept, and
what it did. What does not: reading an archived answer (reread.py), the curation itself; whoever
replays runs it, so that checks and scores follow.

A row that curation refused is tried by curating its symbol-session again; a row that a reader
refused by reading the archived payload of its fetch again, and then curating.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import polars as pl

from market_data.datasets import curated_bars
from market_data.errors import VendorError
from market_data.pipeline.curate import curate_slice
from market_data.pipeline.platform import Platform
from market_data.pipeline.reread import ArchivedFetch, find_archived, land_again, read_again
from market_data.ports import Refused
from market_data.schemas import FETCHED_BARS, REFUSED_ROWS, REJECTED_ROWS
from market_data.timeframes import Timeframe

ROW = ["vendor", "timeframe", "symbol", "ts", "row"]
"""What a refused row is, whatever it was refused for."""

VERDICTS = REFUSED_ROWS.dtypes | {"verdict": pl.String(), "why": pl.String()}
"""Rows that were tried again: accepted, refused again, or not tried."""

DUPLICATE = "duplicate"
"""The reason of a row that came twice in one answer; no reader makes it once."""

_CLOSE = timedelta(days=5)
"""Sessions no further apart are curated as one range: a weekend and a holiday lie between."""


@dataclass(frozen=True)
class Span:
    """Sessions of one symbol to curate again."""

    timeframe: Timeframe
    symbol: str
    first: date
    last: date


@dataclass(frozen=True)
class Replay:
    """What has to be done for some refused rows.

    Attributes:
        rows: rows of REFUSED_ROWS that are tried; only open ones are.
        fetches: archived answers to read again.
        impossible: fetch to the reason why its answer cannot be read again.
        spans: sessions to curate afterwards.
        unread: of the rows that a reader refused, those that today's reader refuses too.
    """

    rows: pl.DataFrame
    fetches: tuple[ArchivedFetch, ...]
    impossible: dict[str, str]
    spans: tuple[Span, ...]
    unread: pl.DataFrame = field(default_factory=REFUSED_ROWS.empty)


def plan_replay(platform: Platform, wanted: Refused, *, spec: str | None = None) -> Replay:
    """Find what trying the open rows of a filter again takes; `spec` as `find_archived` says."""
    rows = platform.quarantine.entries(wanted).filter(pl.col("status") == "open")
    fetch_ids = rows.filter(pl.col("stage") == "fetch")["fetch_id"].unique().sort().to_list()
    runs = {run.fetch_id: run for run in platform.journal.of(fetch_ids)}
    fetches: list[ArchivedFetch] = []
    impossible: dict[str, str] = {}
    for fetch_id in fetch_ids:
        if fetch_id not in runs:
            impossible[fetch_id] = (
                "no fetch of bars brought it; a file of corporate actions is imported again, mended"
            )
            continue
        try:
            fetches.append(find_archived(platform, runs[fetch_id], spec))
        except VendorError as trouble:
            impossible[fetch_id] = str(trouble)
    tried = rows.filter(~pl.col("fetch_id").is_in(list(impossible)) | (pl.col("stage") != "fetch"))
    return Replay(rows, tuple(fetches), impossible, tuple(_spans(platform, tried)))


def reread(platform: Platform, plan: Replay, *, keep: bool) -> Replay:
    """Read the archived answers of a plan again.

    Args:
        platform: configuration and ports.
        plan: from `plan_replay`.
        keep: land what they bring; else nothing is written.

    Returns:
        The plan with what today's reader refuses, and with the answers that it could not read.
    """
    impossible = dict(plan.impossible)
    unread = [REFUSED_ROWS.empty()]
    for found in plan.fetches:
        try:
            unread.append(_still_refused(platform, plan.rows, found))
            if keep:
                land_again(platform, found)
        except VendorError as trouble:
            impossible[found.run.fetch_id] = str(trouble)
    return replace(plan, impossible=impossible, unread=pl.concat(unread))


def verdicts(platform: Platform, plan: Replay) -> pl.DataFrame:
    """What became of the rows of a replay whose sessions were curated again.

    Args:
        platform: configuration and ports.
        plan: from `reread`.

    Returns:
        Rows of VERDICTS; `why` is the reasons of today, or why a row was not tried.
    """
    symbols = plan.rows["symbol"].unique().to_list()
    curated = platform.quarantine.entries(
        Refused(symbols=symbols, stages=["curate"], statuses=["open"])
    )
    return _judged(plan, curated)


def rehearse(platform: Platform, plan: Replay) -> pl.DataFrame:
    """What replaying would make of the rows; nothing is kept.

    A row that a reader would accept counts as accepted, whatever curation makes of it.

    Args:
        platform: configuration and ports.
        plan: from `reread`, without keeping.

    Returns:
        Rows of VERDICTS.
    """
    curated = [REFUSED_ROWS.empty()]
    for span in plan.spans:
        anew = curate_slice(platform, span.timeframe, [span.symbol], span.first, span.last)
        curated.append(REFUSED_ROWS.conform(anew.quarantined.with_columns(status=pl.lit("open"))))
    return _judged(plan, pl.concat(curated))


def _still_refused(platform: Platform, rows: pl.DataFrame, found: ArchivedFetch) -> pl.DataFrame:
    """Rows of a fetch that are still no bar in what today's reader makes of its answer."""
    own = rows.filter(pl.col("stage") == "fetch", pl.col("fetch_id") == found.run.fetch_id)
    results = read_again(platform, found)
    bars = pl.concat(
        [
            FETCHED_BARS.empty().select("symbol", "ts"),
            *(r.frame.select("symbol", "ts") for r in results),
        ]
    )
    rejected = pl.concat([REJECTED_ROWS.empty(), *(r.rejected for r in results)])
    if not found.run.timeframe.is_intraday:
        # A daily bar that was refused was never given its session's opening as start.
        bars = bars.with_columns(pl.col("ts").dt.truncate("1d"))
    start = pl.col("ts") if found.run.timeframe.is_intraday else pl.col("ts").dt.truncate("1d")
    keyed = own.with_columns(start=start)
    without = keyed.join(bars.rename({"ts": "start"}), on=["symbol", "start"], how="anti").filter(
        pl.col("ts").is_not_null()
    )
    repeated = keyed.join(
        rejected, on=["symbol", "ts", "row"], how="semi", nulls_equal=True, maintain_order="left"
    )
    twice = keyed.filter(pl.col("reasons") == DUPLICATE)
    return pl.concat([without, repeated, twice]).drop("start").unique("row_id", maintain_order=True)


def _judged(plan: Replay, curated: pl.DataFrame) -> pl.DataFrame:
    refused = pl.concat([plan.unread, curated]).select(*ROW, "stage", "reasons")
    reasons = refused.group_by(*ROW, "stage").agg(
        today=pl.col("reasons").unique().sort().str.join("; ")
    )
    stuck = pl.DataFrame(
        {"fetch_id": list(plan.impossible), "_stuck": list(plan.impossible.values())},
        schema={"fetch_id": pl.String, "_stuck": pl.String},
    )
    not_tried = pl.when(pl.col("stage") == "fetch").then("_stuck")
    return (
        plan.rows.join(
            reasons, on=[*ROW, "stage"], how="left", nulls_equal=True, maintain_order="left"
        )
        .join(stuck, on="fetch_id", how="left", maintain_order="left")
        .with_columns(
            verdict=pl.when(not_tried.is_not_null())
            .then(pl.lit("not tried"))
            .when(pl.col("today").is_not_null())
            .then(pl.lit("refused again"))
            .otherwise(pl.lit("accepted")),
            why=pl.coalesce(not_tried, "today", pl.lit("")),
        )
        .select(list(VERDICTS))
    )


def _spans(platform: Platform, rows: pl.DataFrame) -> list[Span]:
    """Ranges of sessions to curate again; minutes are curated first, then what is made of them."""
    placed = rows.filter(pl.col("session").is_not_null(), pl.col("symbol") != "")
    known = [i.symbol for i in platform.universe.instruments]
    placed = placed.filter(pl.col("symbol").is_in(known))
    spans: list[Span] = []
    for (symbol, text), group in placed.group_by("symbol", "timeframe", maintain_order=True):
        days: list[date] = group["session"].unique().sort().to_list()
        timeframe = Timeframe(str(text))
        for first, last in _ranges(days):
            made = _made_of(platform, timeframe, str(symbol), first, last)
            spans += [Span(t, str(symbol), first, last) for t in made]
    order = list(Timeframe)
    return sorted(dict.fromkeys(spans), key=lambda s: (order.index(s.timeframe), s.symbol, s.first))


def _made_of(
    platform: Platform, timeframe: Timeframe, symbol: str, first: date, last: date
) -> Sequence[Timeframe]:
    """The timeframe itself, and of minutes those that curated bars were made of."""
    if timeframe is not Timeframe.M1:
        return [timeframe]
    coarser = [t for t in Timeframe if t is not Timeframe.M1]
    held = [t for t in coarser if _is_held(platform, t, symbol, first, last)]
    return [timeframe, *held]


def _is_held(
    platform: Platform, timeframe: Timeframe, symbol: str, first: date, last: date
) -> bool:
    held = platform.store.scan(
        curated_bars(timeframe), symbols=[symbol], sessions=(first, last), columns=["session"]
    )
    return not held.is_empty()


def _ranges(days: Sequence[date]) -> list[tuple[date, date]]:
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and day - ranges[-1][1] <= _CLOSE:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges
