"""What a fetch has to ask for: the sessions that the calendar expects and the ledger lacks.

What belongs here: from a wish (symbols, sessions) to the requests that fulfil it.
What does not: asking (market_data/pipeline/ingest.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import polars as pl

from market_data.calendars import exchange_zone, expected_bars, trading_sessions
from market_data.overtaking import CLOCKS_APART
from market_data.pipeline.doubts import resting
from market_data.pipeline.platform import Platform
from market_data.ports import Outcome
from market_data.timeframes import Timeframe
from market_data.universe import Universe

MARGIN = timedelta(days=10)
"""How far a request reaches into days without a session, so that a bar on a closed day is seen
and refused rather than never asked for."""

FEW_QUESTIONS = 8
"""Above this many questions per calendar, a vendor whose holes may always be filled is asked one
that spans them all. It reads files, which every question reads anew, and its holes stay open."""


@dataclass(frozen=True)
class IngestRequest:
    """A wish: these symbols of one vendor and timeframe, first to last session, both included."""

    vendor: str
    timeframe: Timeframe
    symbols: tuple[str, ...]
    first: date
    last: date
    refetch: bool = False
    """Ask again for what the ledger has an answer to."""
    run_id: str = ""
    spans: Mapping[str, tuple[date, date]] = field(default_factory=dict)
    """First and last session of symbols that are asked for less than that."""

    def wanted(self, expected: pl.DataFrame) -> pl.DataFrame:
        """Those of some rows of EXPECTED that are asked for."""
        if not self.spans:
            return expected
        spans = pl.DataFrame(
            [(symbol, first, last) for symbol, (first, last) in self.spans.items()],
            schema={"symbol": pl.String, "_first": pl.Date, "_last": pl.Date},
            orient="row",
        )
        inside = pl.col("session").is_between("_first", "_last").fill_null(value=True)
        return (
            expected.join(spans, on="symbol", how="left", maintain_order="left")
            .filter(inside)
            .drop("_first", "_last")
        )


@dataclass(frozen=True)
class PlannedFetch:
    """One question to a vendor: symbols of one calendar over one range of days.

    Over the range, the vendor has one name for each symbol: `Universe.vendor_symbol` on `first`.
    """

    calendar: str
    symbols: tuple[str, ...]
    first: date
    last: date
    sessions: int
    """Symbol-sessions that the ledger lacks."""

    def window(self, timeframe: Timeframe) -> tuple[datetime, datetime]:
        """Start and end (excluded) in UTC of the bars to ask for."""
        if not timeframe.is_intraday:
            # Daily bars travel under their date at 00:00 UTC.
            return _midnight(self.first, UTC), _midnight(self.last + timedelta(days=1), UTC)
        zone = ZoneInfo(exchange_zone(self.calendar))
        start = _midnight(self.first, zone)
        end = _midnight(self.last + timedelta(days=1), zone)
        # A session may open the evening before its date (FX, futures). Bars of the neighbouring
        # sessions that come along are left out by session after the answer.
        sessions = trading_sessions(self.calendar, self.first, self.last)
        if not sessions.is_empty():
            start = min(start, sessions["open"].item(0))
            end = max(end, sessions["close"].item(-1))
        return start.astimezone(UTC), end.astimezone(UTC)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)


@dataclass(frozen=True)
class IngestPlan:
    """The questions, and how many symbol-sessions need none."""

    fetches: tuple[PlannedFetch, ...]
    answered: int
    """Symbol-sessions that the ledger has a final answer to, or one that is asked for again only
    after a pause."""
    not_begun: int
    """Symbol-sessions that open after now."""


def plan_ingest(platform: Platform, request: IngestRequest) -> IngestPlan:
    """Find what to ask for.

    Sessions that the vendor has given a final answer to are left out unless `request.refetch`. A
    session that was asked while it ran is asked again, and so is one of which bars are missing
    that may still come (market_data/pipeline/verdicts.py). Of what an answer is doubted, nothing is
    asked for again before a pause has passed (market_data/pipeline/doubts.py).
    """
    asked = sessions_asked(platform, request)
    instruments = [platform.universe.instrument(symbol) for symbol in request.symbols]
    calendars = {i.symbol: i.calendar for i in instruments}
    fetches = _group(_runs(asked.lacking, request), calendars)
    if platform.vendors.settling(request.vendor) is None:
        fetches = _few(fetches, platform.universe, request.vendor)
    return IngestPlan(
        fetches=fetches,
        answered=asked.begun.height - asked.lacking.height,
        not_begun=asked.not_begun,
    )


@dataclass(frozen=True)
class SessionsAsked:
    """The symbol-sessions of a wish, by what is known of them.

    Attributes:
        begun: EXPECTED columns, since, until, and of the symbol's own sessions the index (place
            among them), before and after (its neighbours; null where none is in the range), one
            row per symbol and session that has opened, sorted by both.
        lacking: those of them that are asked for.
        not_begun: how many open after now.
    """

    begun: pl.DataFrame
    lacking: pl.DataFrame
    not_begun: int


def sessions_asked(platform: Platform, request: IngestRequest) -> SessionsAsked:
    """Which symbol-sessions of a wish are asked for, see `plan_ingest`."""
    instruments = [platform.universe.instrument(symbol) for symbol in request.symbols]
    every = expected_bars(instruments, request.timeframe, request.first, request.last)
    every = under_a_name(every, platform.universe, request.vendor).with_columns(
        # Before what is not wanted is left out: a question reaches up to its neighbours alone.
        index=pl.int_range(pl.len()).over("symbol"),
        before=pl.col("session").shift(1).over("symbol"),
        after=pl.col("session").shift(-1).over("symbol"),
    )
    expected = request.wanted(every)
    begun = expected.filter(pl.col("open") <= platform.clock.now())
    lacking = (
        begun
        if request.refetch
        else begun.join(
            _answered(platform, request, begun),
            on=["symbol", "session"],
            how="anti",
            maintain_order="left",
        )
    )
    return SessionsAsked(begun, lacking, expected.height - begun.height)


def _answered(platform: Platform, request: IngestRequest, begun: pl.DataFrame) -> pl.DataFrame:
    known = platform.ledger.read(
        timeframe=request.timeframe,
        vendors=[request.vendor],
        symbols=request.symbols,
        sessions=(request.first, request.last),
    )
    now = platform.clock.now()
    answers = [str(o) for o in Outcome if o.is_answer]
    # What a clock that was ahead has recorded of a time still to come keeps nobody from asking.
    final = known.filter(
        pl.col("final") & pl.col("outcome").is_in(answers),
        pl.col("asked_at") <= now + CLOCKS_APART,
    )
    closes = begun.select("symbol", "session", "close")
    rest = resting(
        known.join(closes, on=["symbol", "session"]),
        settling=platform.vendors.settling(request.vendor),
        now=now,
    )
    return pl.concat([f.select("symbol", "session") for f in (final, rest)])


def under_a_name(expected: pl.DataFrame, universe: Universe, vendor: str) -> pl.DataFrame:
    """The rows of EXPECTED on whose session the vendor has a name for the symbol.

    Where names changed, a session outside all of them is left out: under none of them would the
    answer be about this instrument. Neither would it before it was listed or after it was delisted.

    Returns:
        EXPECTED columns and since, until: first and last session under the name.
    """
    symbols = expected["symbol"].unique().to_list()
    spans = pl.DataFrame(
        [
            (i.symbol, max(since, i.listed or since), min(until, i.delisted or until))
            for i in map(universe.instrument, symbols)
            for since, until in i.name_spans(vendor)
        ],
        schema={"symbol": pl.String, "since": pl.Date, "until": pl.Date},
        orient="row",
    )
    return (
        expected.join(spans, on="symbol", how="inner")
        .filter(pl.col("session").is_between("since", "until"))
        .sort("symbol", "session")
    )


def _runs(lacking: pl.DataFrame, request: IngestRequest) -> pl.DataFrame:
    """Unbroken runs of lacking sessions per symbol, widened over the closed days around them.

    A run ends where the vendor's name of the symbol changes, and reaches no further than the name.
    """
    day = pl.duration(days=1)
    return (
        lacking.with_columns(
            run=(
                (pl.col("index").diff().over("symbol") != 1)
                | (pl.col("since") != pl.col("since").shift().over("symbol"))
            )
            .fill_null(value=True)
            .cum_sum()
        )
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("symbol", "since", "until").first(),
            pl.col("before").first(),
            pl.col("after").last(),
            pl.col("session").first().alias("head"),
            pl.col("session").last().alias("tail"),
            pl.len().alias("sessions"),
        )
        .select(
            "symbol",
            pl.max_horizontal(
                (pl.col("before") + day).fill_null(request.first), pl.col("head") - MARGIN, "since"
            ).alias("first"),
            pl.min_horizontal(
                (pl.col("after") - day).fill_null(request.last), pl.col("tail") + MARGIN, "until"
            ).alias("last"),
            "sessions",
        )
    )


def _group(runs: pl.DataFrame, calendars: dict[str, str]) -> tuple[PlannedFetch, ...]:
    """One question for all symbols of a calendar that lack the same range."""
    groups = (
        runs.with_columns(
            calendar=pl.col("symbol").replace_strict(calendars, return_dtype=pl.String)
        )
        .group_by("calendar", "first", "last", maintain_order=True)
        .agg(pl.col("symbol"), pl.col("sessions").sum())
        .sort("first", "calendar")
    )
    return tuple(
        PlannedFetch(
            row["calendar"], tuple(row["symbol"]), row["first"], row["last"], row["sessions"]
        )
        for row in groups.iter_rows(named=True)
    )


def _few(
    fetches: tuple[PlannedFetch, ...], universe: Universe, vendor: str
) -> tuple[PlannedFetch, ...]:
    """The questions; those of a calendar that has more than FEW_QUESTIONS become one.

    A symbol is never asked for under two names at once.
    """
    alike: dict[tuple[str, frozenset[tuple[str, date]]], list[PlannedFetch]] = {}
    for fetch in fetches:
        # By the span and not by the name: a name that comes back was another's in between.
        names = frozenset(
            (symbol, first)
            for symbol in fetch.symbols
            for first, last in universe.instrument(symbol).name_spans(vendor)
            if first <= fetch.first <= last
        )
        alike.setdefault((fetch.calendar, names), []).append(fetch)
    return tuple(
        question
        for questions in alike.values()
        for question in (questions if len(questions) <= FEW_QUESTIONS else [_spanning(questions)])
    )


def _spanning(questions: list[PlannedFetch]) -> PlannedFetch:
    return PlannedFetch(
        questions[0].calendar,
        tuple(dict.fromkeys(symbol for q in questions for symbol in q.symbols)),
        min(q.first for q in questions),
        max(q.last for q in questions),
        sum(q.sessions for q in questions),
    )
