"""Splits that come to light at any time: a bar is as it was traded, or it says that it may not be.

Histories are drawn: when splits trade, when a vendor divides its prices by them (a vendor that
tells splits tells them from then on, or earlier), when and what it is asked, when a person brings a
list, how prices move.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import prod

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from market_data.calendars import trading_sessions
from market_data.corporate_actions.lateness import with_known_at
from market_data.corporate_actions.told_early import judged, noted, told_lately
from market_data.curation.split_evidence import SplitsTold
from market_data.ports.operations import STATED_ACTIONS
from market_data.restatements import may_restate, settled, without_restated
from market_data.revisions import new_or_changed, newest
from market_data.schemas import CORPORATE_ACTIONS, RAW_BARS
from tests.support.raw_rows import curated, raw_rows

SESSIONS = trading_sessions("XNYS", date(2024, 1, 2), date(2024, 2, 2))
DAYS: list[date] = SESSIONS["session"].to_list()
OPENS = dict(SESSIONS.select("session", "open").iter_rows())
BEGIN = datetime(2024, 1, 10, tzinfo=UTC)
HOURS = 30 * 24
ADJUSTED = "splits|trade||regular|"
UNCLEAR = {"splits_unknown", "splits_disputed"}


@dataclass(frozen=True)
class Split:
    """A split, how many hours after its first opening a vendor divides by it.

    It tells the split so many hours `ahead` of that.
    """

    ex_date: date
    ratio: float
    lag: int
    ahead: int = 0

    @property
    def worked_in(self) -> datetime:
        return OPENS[self.ex_date] + timedelta(hours=self.lag)

    @property
    def told(self) -> datetime:
        return self.worked_in - timedelta(hours=self.ahead)


@dataclass
class House:
    """One symbol, one vendor, and what is kept of them."""

    splits: tuple[Split, ...]
    teller: bool
    moves: tuple[float, ...] = (0.0025,)
    statements: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=STATED_ACTIONS))
    log: pl.DataFrame = field(default_factory=RAW_BARS.empty)
    seen: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(
            schema={"symbol": pl.String, "session": pl.Date, "asked_at": RAW_BARS.dtypes["ts"]}
        )
    )

    def traded(self, session: date) -> float:
        """The price as traded."""
        number = DAYS.index(session)
        gone = prod(1 + self.moves[n % len(self.moves)] for n in range(number))
        return 400.0 * gone / prod(s.ratio for s in self.splits if s.ex_date <= session)

    def told(self) -> SplitsTold:
        return SplitsTold(
            ["alpha"] if self.teller else [], self.seen.clear(), self.statements, ["alpha"]
        )

    def actions(self, known_at: datetime | None = None) -> pl.DataFrame:
        """What stands: of a split the statement known last."""
        known = self.statements
        if known_at is not None:
            known = known.filter(pl.col("known_at") <= known_at)
        latest = known.sort("known_at", maintain_order=True).unique(
            ["symbol", "ex_date", "kind"], keep="last", maintain_order=True
        )
        return latest.select(CORPORATE_ACTIONS.names)

    def state(self, rows: pl.DataFrame, now: datetime) -> None:
        """Keep first statements, and note that their source has spoken."""
        key = ["symbol", "ex_date", "kind", "source"]
        new = rows.join(self.statements, on=key, how="anti")
        every = pl.concat([self.statements, new.with_columns(stated_at=pl.lit(now))])
        spoke = pl.col("source").is_in(rows["source"].unique().to_list())
        self.statements = every.with_columns(
            stated_at=pl.when(spoke).then(pl.lit(now)).otherwise("stated_at")
        )

    def bring(self, now: datetime, *, known_now: bool) -> None:
        """A person brings every split that has traded."""
        self.state(statements(self._traded_by(now), "list", now if known_now else None), now)

    def _traded_by(self, now: datetime) -> list[Split]:
        return [s for s in self.splits if OPENS[s.ex_date] <= now]

    def ask(self, now: datetime, first: date, last: date) -> None:
        """The vendor is asked, and its answer lands as the pipeline lands it."""
        worked_in = [s for s in self.splits if s.worked_in <= now]
        if self.teller:
            by_now = [s for s in self.splits if s.told <= now and s.ex_date >= first]
            told = statements(by_now, "alpha", None)
            known = self.statements.filter(source="alpha")
            new = told.join(known, on=["symbol", "ex_date", "kind"], how="anti")
            if not new.is_empty():
                self.state(with_known_at(new, self.seen, now=now), now)
        raw = self._answer(now, first, last, worked_in)
        if raw.is_empty():
            return
        if self.teller:
            raw = self._noted(raw)
        actions, confirmed = self.actions(), None
        own = self.seen.filter(pl.col("session").is_between(first, last))
        said = raw
        if may_restate(raw, actions, own) and not self.log.is_empty():
            said = without_restated(raw, self.log, actions, calendar="XNYS", told=self.told())
            confirmed = settled(raw, self.log, actions, calendar="XNYS", told=self.told())
        if not said.is_empty():
            kept = new_or_changed(said, self.log, own, confirmed).frame
            self.log = pl.concat([self.log, kept])
        asked = raw.select("symbol", "session", asked_at=pl.lit(now))
        self.seen = pl.concat([self.seen, asked])

    def _noted(self, raw: pl.DataFrame) -> pl.DataFrame:
        splits = told_lately(raw, self.told().said_by("alpha"), calendar="XNYS")
        kept = newest(self.log).filter(pl.col("session") >= raw["session"].min())
        return noted(raw, splits, judged(raw, splits, kept))

    def _answer(
        self, now: datetime, first: date, last: date, worked_in: list[Split]
    ) -> pl.DataFrame:
        rows = raw_rows(first=first, last=last, basis=ADJUSTED, fetched_at=now, fetch_id=str(now))
        rows = rows.filter(pl.col("known_at") <= now)
        close = [
            self.traded(day) / prod(s.ratio for s in worked_in if s.ex_date > day)
            for day in rows["session"]
        ]
        price = pl.Series(close, dtype=pl.Float64)
        return rows.with_columns(
            open=price, high=price * 1.01, low=price * 0.99, close=price, volume=pl.lit(0.0)
        )

    def served(self, now: datetime, as_of: datetime | None = None) -> pl.DataFrame:
        return curated(
            newest(self.log, as_of),
            now=as_of or now,
            actions=self.actions(as_of),
            since=None if as_of is None else self.actions(),
            told=self.told(),
        ).bars

    def check(self, bars: pl.DataFrame) -> int:
        """How many bars say that they are unclear; all others are as traded."""
        unclear = 0
        for day, close, flags in bars.select("session", "close", "flags").iter_rows():
            if UNCLEAR & set(flags.split(",")):
                unclear += 1
            else:
                assert abs(close / self.traded(day) - 1) < 1e-9, (day, close, self.traded(day))
        return unclear


def statements(splits: list[Split], source: str, known_at: datetime | None) -> pl.DataFrame:
    since = {s: known_at or datetime.combine(s.ex_date, time(), UTC) for s in splits}
    rows = [("AAA", s.ex_date, "split", s.ratio, source, known) for s, known in since.items()]
    return pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes, orient="row")


@st.composite
def histories(draw: st.DrawFn) -> tuple[House, list[tuple[int, str, int, int]]]:
    teller = draw(st.booleans())
    ex_dates = draw(st.sets(st.sampled_from(DAYS[5:]), min_size=1, max_size=2))
    # What a vendor tells before it works it in, it works in within two days.
    early = teller and draw(st.booleans())
    lags = st.integers(0, 120 if teller and not early else 47)
    ratios = st.sampled_from([4.0, 2.0, 0.1, 1.5, 1.05])
    splits = []
    for day in sorted(ex_dates):
        lag = draw(lags)
        ahead = draw(st.integers(0, lag)) if early else 0
        splits.append(Split(day, draw(ratios), lag, ahead))
    moves = tuple(draw(st.lists(st.floats(-0.02, 0.02), min_size=1, max_size=len(DAYS))))
    steps = draw(
        st.lists(
            st.tuples(
                st.integers(0, HOURS),
                st.sampled_from(["ask", "ask", "ask", "bring", "bring now"]),
                st.integers(0, len(DAYS) - 1),
                st.integers(0, len(DAYS) - 1),
            ),
            min_size=2,
            max_size=6,
            unique_by=lambda step: step[0],
        )
    )
    return House(tuple(splits), teller, moves), sorted(steps)


EARLY_FOUR = (Split(DAYS[8], 4.0, 72),)
"""Divided three days after the ex-date; asked in between, a vendor gives prices as traded."""
TOLD_AHEAD = (Split(DAYS[8], 4.0, 40, 40),)
"""Named from the opening of the ex-date on, divided forty hours later."""
TOLD_LATE_AND_AHEAD = (Split(DAYS[5], 4.0, 45, 11), Split(DAYS[12], 4.0, 11, 11))
"""Divided by the first, and told, between two answers; the second is told with the later one."""
TWICE_THE_SAME = (Split(DAYS[8], 4.0, 0), Split(DAYS[19], 4.0, 40, 40))
"""Weeks apart; bars known from before the first are asked for again on the day of the second."""
WITHIN_DAYS = (Split(DAYS[8], 4.0, 40),)


@settings(max_examples=30, deadline=None)
@given(histories())
@example((House(EARLY_FOUR, True), [(80, "ask", 0, 9), (90, "bring", 0, 0), (200, "ask", 12, 14)]))
@example((House(EARLY_FOUR, True), [(80, "ask", 0, 9), (200, "ask", 10, 14)]))
@example((House(TOLD_AHEAD, True), [(95, "ask", 0, 9), (200, "ask", 10, 14)]))
@example((House(TOLD_AHEAD, True), [(95, "ask", 0, 7), (110, "ask", 0, 9)]))
@example((House(TOLD_LATE_AND_AHEAD, True), [(0, "ask", 0, 0), (234, "ask", 0, 0)]))
@example((House(TWICE_THE_SAME, True), [(60, "ask", 0, 7), (90, "ask", 8, 9), (500, "ask", 0, 18)]))
@example((House(WITHIN_DAYS, False), [(95, "ask", 0, 9), (200, "bring", 0, 0)]))
def test_a_bar_is_as_traded_or_says_that_it_may_not_be(
    drawn: tuple[House, list[tuple[int, str, int, int]]],
) -> None:
    house, steps = drawn
    now = BEGIN
    for hours, step, one, other in steps:
        now = BEGIN + timedelta(hours=hours)
        if step == "ask":
            house.ask(now, DAYS[min(one, other)], DAYS[max(one, other)])
        else:
            house.bring(now, known_now=step == "bring now")
        if not house.log.is_empty():
            house.check(house.served(now))
    for hours, *_ in steps:
        if not house.log.is_empty():
            house.check(house.served(now, BEGIN + timedelta(hours=hours)))
    # Asking for everything again, once all is worked in and known, leaves nothing unclear.
    end = BEGIN + timedelta(hours=HOURS)
    house.bring(end, known_now=False)
    house.ask(end + timedelta(hours=1), DAYS[0], DAYS[-1])
    house.bring(end + timedelta(hours=2), known_now=False)
    assert house.check(house.served(end + timedelta(hours=3))) == 0
