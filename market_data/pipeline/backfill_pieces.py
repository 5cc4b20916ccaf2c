"""Cutting the work of a backfill into pieces.

What belongs here: what a group of feeds has to do, what a pilot takes of it, its pieces. What does
not: finding the work (backfill.py), where a range is cut (market_data/backfill/pieces.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from market_data.backfill.pieces import Day, cut
from market_data.backfill.plans import BackfillRequest, Piece
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.spans import layers, within
from market_data.pipeline.backfill_feeds import Group
from market_data.pipeline.curate import step_days
from market_data.pipeline.planning import IngestRequest, plan_ingest
from market_data.pipeline.platform import Platform
from market_data.pipeline.questions import plan_cost
from market_data.quality.findings import KEY
from market_data.timeframes import Timeframe


@dataclass(frozen=True)
class Work:
    """What a group of feeds has to do.

    Attributes:
        group: the feeds.
        sessions: symbol, session, expected: what needs work, sorted by both.
        lacking: by vendor, symbol and session of what it is asked for.
        begun: symbol-sessions of the range that have opened.
        not_begun: those that open later.
        bars: symbol, session of those whose bars are made.
        features: timeframe, symbol, session of those whose features are made.
    """

    group: Group
    sessions: pl.DataFrame
    lacking: Mapping[str, pl.DataFrame]
    begun: int
    not_begun: int
    bars: pl.DataFrame
    features: pl.DataFrame

    def newest(self, policy: BackfillPolicy, classes: Mapping[str, str]) -> Work:
        """The same for what a pilot takes of it.

        That is, of each vendor and asset class, the newest sessions; where these are of few
        symbols, also the newest session of each of some others.
        """
        chosen = pl.concat(
            _sample(frame, policy, classes) for frame in (self.sessions, *self.lacking.values())
        )

        def inside(frame: pl.DataFrame) -> pl.DataFrame:
            return frame.join(chosen, on=KEY, how="semi", maintain_order="left")

        lacking = {vendor: inside(frame) for vendor, frame in self.lacking.items()}
        return replace(self, sessions=inside(self.sessions), lacking=lacking)


def _sample(
    frame: pl.DataFrame, policy: BackfillPolicy, classes: Mapping[str, str]
) -> pl.DataFrame:
    """Symbol and session of what a pilot tries of some that need work, of each asset class."""
    names = {"symbol": list(classes), "class": list(classes.values())}
    named = pl.DataFrame(names, schema={"symbol": pl.String, "class": pl.String})
    days = frame.select(KEY).join(named, on="symbol")
    place = pl.col("session").rank("dense", descending=True).over("class")
    newest = days.filter(place <= policy.pilot_sessions)
    others = (
        days.join(newest, on="symbol", how="anti")
        .sort("session", "symbol", descending=[True, False])
        .unique("symbol", keep="first", maintain_order=True)
        .join(
            newest.group_by("class").agg(tried=pl.col("symbol").n_unique()),
            on="class",
            maintain_order="left",
        )
        .filter(pl.int_range(pl.len()).over("class") < policy.pilot_symbols - pl.col("tried"))
    )
    return pl.concat([newest.select(KEY), others.select(KEY)])


def pieces_of(
    platform: Platform,
    request: BackfillRequest,
    policy: BackfillPolicy,
    work: Work,
) -> list[Piece]:
    """The pieces of a group; their place among those of other groups is not known here."""
    group = work.group
    days = [
        Day(session, bars)
        for session, bars in work.sessions.group_by("session")
        .agg(pl.col("expected").sum())
        .sort("session")
        .iter_rows()
    ]
    by_month = step_days(platform, group.timeframe) <= 31
    ranges = cut(days, bars_per_run=policy.bars_per_run, by_month=by_month)
    if not request.only:
        return [_piece(platform, request, work, span, {}) for span in ranges]
    return [
        _piece(platform, request, work, _around(spans.values()), spans)
        for span in ranges
        for spans in layers(request.only, span)
    ]


def _around(spans: Iterable[tuple[date, date]]) -> tuple[date, date]:
    firsts, lasts = zip(*spans, strict=True)
    return min(firsts), max(lasts)


def _piece(
    platform: Platform,
    request: BackfillRequest,
    work: Work,
    span: tuple[date, date],
    spans: Mapping[str, tuple[date, date]],
) -> Piece:
    asked_for = [(symbol, *days) for symbol, days in spans.items()]

    def inside(frame: pl.DataFrame) -> pl.DataFrame:
        return within(frame.filter(pl.col("session").is_between(*span)), asked_for)

    sessions = inside(work.sessions)
    asked: dict[str, tuple[str, ...]] = {}
    requests: dict[str, int] = {}
    for vendor, lacking in work.lacking.items():
        symbols = _in_order(inside(lacking), work.group.symbols)
        if symbols:
            asked[vendor] = symbols
            question = IngestRequest(
                vendor, work.group.timeframe, symbols, *span, request.refetch, spans=spans
            )
            requests[vendor] = plan_cost(
                platform,
                question,
                plan_ingest(platform, question),
                platform.vendors.open(vendor),
            ).requests
    bars, features = inside(work.bars), set(inside(work.features)["timeframe"])
    return Piece(
        0,
        work.group.timeframe,
        *span,
        _in_order(sessions, work.group.symbols),
        asked,
        work.group.also,
        sessions.height,
        int(sessions["expected"].sum()),
        requests,
        spans,
        curated=not bars.is_empty() or bool(asked),
        features=bool(features),
        features_of=tuple(t for t in Timeframe if str(t) in features),
    )


def _in_order(frame: pl.DataFrame, symbols: Sequence[str]) -> tuple[str, ...]:
    found = set(frame["symbol"])
    return tuple(symbol for symbol in symbols if symbol in found)
