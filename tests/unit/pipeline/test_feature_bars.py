"""Bars before a stretch: as many as its averages need, however far back, and never all at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from market_data.datasets import Dataset
from market_data.features.registry import WARM_UP
from market_data.features.windows import LOOK_BACK, look_ahead, warm_up
from market_data.pipeline.feature_bars import FeatureBars
from market_data.timeframes import Timeframe

M1 = Timeframe.M1
BEGIN = date(2024, 6, 3)
DAY = timedelta(days=1)


def bars(symbol: str, days: Sequence[date], each: int) -> pl.DataFrame:
    rows = [
        (symbol, datetime(d.year, d.month, d.day, 12, n, tzinfo=UTC), d)
        for d in days
        for n in range(each)
    ]
    made = pl.DataFrame(rows, schema=["symbol", "ts", "session"], orient="row")
    others = {name: pl.lit(1.0) for name in ("high", "low", "close", "volume")}
    return made.with_columns(pl.col("ts").dt.cast_time_unit("us"), **others, flags=pl.lit(""))


HELD = pl.concat(
    [
        # A hole of years before the last days; a few bars a month; young; nothing at all.
        bars("HOLE", [date(2019, 3, d) for d in range(1, 29)], 30),
        bars("HOLE", [BEGIN - n * DAY for n in (3, 2, 1)], 10),
        bars("THIN", [date(2011, 1, 3) + 28 * n * DAY for n in range(174)], 4),
        bars("YNG", [BEGIN - 5 * DAY], 20),
    ]
).sort("symbol", "ts")


class Stored(FeatureBars):
    """Bars of these symbols alone, and what was asked for."""

    def __init__(self) -> None:
        universe: Any = SimpleNamespace(first_session=date(1990, 1, 2))
        store: Any = SimpleNamespace(scan=self.keys)
        self._platform: Any = SimpleNamespace(universe=universe, store=store)
        self._timeframe, self._as_of = M1, None
        self.asked: list[tuple[Sequence[str], date, date]] = []

    def keys(
        self, dataset: Dataset, *, symbols: Sequence[str], sessions: tuple[date, date], **_: object
    ) -> pl.DataFrame:
        assert dataset.name == "curated/bars_1m"
        inside = pl.col("session").is_between(*sessions)
        return HELD.filter(inside, pl.col("symbol").is_in(symbols)).select("session")

    def read(self, symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
        self.asked.append((symbols, first, last))
        inside = pl.col("session").is_between(first, last)
        return HELD.filter(inside, pl.col("symbol").is_in(symbols))


def test_it_goes_back_to_the_bars_that_are_needed_and_no_further_at_once() -> None:
    stored = Stored()
    found = pl.concat(stored._back(["HOLE", "THIN", "YNG"], BEGIN)).sort("symbol", "ts")
    before = HELD.filter(pl.col("session") < BEGIN)
    wanted = warm_up(before, BEGIN)
    assert wanted.group_by("symbol").len().sort("symbol").rows() == [
        ("HOLE", WARM_UP), ("THIN", WARM_UP), ("YNG", 20)
    ]  # fmt: skip
    assert_frame_equal(warm_up(found, BEGIN), wanted)
    assert max(last - first for _, first, last in stored.asked) <= 8 * LOOK_BACK[M1]
    # No day twice, of those that have enough no more, and nothing where nothing is.
    days = [(first, last) for _, first, last in stored.asked]
    assert all(later[0] > earlier[1] for later, earlier in pairwise(days))
    assert all(set(s) <= {"THIN", "YNG"} for s, _, last in stored.asked if last < date(2019, 3, 1))
    assert all(HELD["session"].is_in([last]).any() for _, _, last in stored.asked)
    assert min(first for first, _ in days) > date(2010, 1, 1)


def test_years_without_a_bar_are_not_read() -> None:
    stored = Stored()
    (found,) = stored._back(["YNG"], BEGIN)
    assert found.height == 20
    assert len(stored.asked) == 1


def test_so_many_bars_after_a_day_are_those_of_each_symbol() -> None:
    last = date(2019, 3, 5)
    found = look_ahead(HELD, last, 7)
    for symbol, own in found.group_by("symbol"):
        every = HELD.filter(pl.col("symbol") == symbol[0])
        after = every.filter(pl.col("session") > last).head(7)
        assert_frame_equal(own, pl.concat([every.filter(pl.col("session") <= last), after]))
