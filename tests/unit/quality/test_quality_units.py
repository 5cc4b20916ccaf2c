"""Bars in another unit: those between two steps by a hundred are marked, the right ones are not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from market_data.quality.bar_flags import bar_flags
from market_data.quality.false_ticks import FALSE_TICKS
from market_data.quality.jumps import check_jumps, find_jumps
from market_data.quality.thresholds import Thresholds
from market_data.quality.unit_stretches import LONGEST_IN_OTHER_UNIT, SEEN_BEFORE, SEEN_LATER
from market_data.schemas import CORPORATE_ACTIONS, PRICES
from market_data.timeframes import Timeframe

FIRST = date(2024, 1, 2)
NO_ACTIONS = CORPORATE_ACTIONS.empty()
NO_TICKS = pl.DataFrame(schema=FALSE_TICKS)
POUNDS = [14.5, 14.6]
PENCE = [1450.0, 1470.0, 1490.0, 1550.0, 1600.0, 1650.0, 1700.0]
"""More bars than a false tick has."""
LONG = 60
"""Days that tell in which unit a series is."""
NONE: frozenset[int] = frozenset()


def daily(closes: Sequence[float], symbol: str = "AAA") -> pl.DataFrame:
    sessions = [FIRST + timedelta(days=i) for i in range(len(closes))]
    return pl.DataFrame(
        {
            "symbol": [symbol] * len(closes),
            "session": sessions,
            "ts": [datetime(s.year, s.month, s.day, 8, tzinfo=UTC) for s in sessions],
            **{price: [float(c) for c in closes] for price in PRICES},
            "volume": pl.Series([None] * len(closes), dtype=pl.Float64),
        },
        schema_overrides={"ts": pl.Datetime("us", "UTC")},
    )


@pytest.fixture
def limits(thresholds: Thresholds) -> pl.DataFrame:
    rules = thresholds.rule("equity", Timeframe.D1).model_dump()
    return pl.DataFrame([{"symbol": s, "asset_class": "equity", **rules} for s in ("AAA", "BBB")])


def mixed(days: int, wrong: frozenset[int]) -> pl.DataFrame:
    """A price that hardly moves, in pounds, and on some days in pence."""
    return daily([(14.5 + 0.01 * (n % 3)) * (100 if n in wrong else 1) for n in range(days)])


def days(*spans: tuple[int, int]) -> frozenset[int]:
    """Those of some spans, last ones included."""
    return NONE.union(*(range(first, last + 1) for first, last in spans))


def marked(bars: pl.DataFrame, limits: pl.DataFrame, symbol: str = "AAA") -> list[int]:
    """Positions of the bars in another unit, by the flags of bars and by the findings alike."""
    position = (pl.col("session") - FIRST).dt.total_days()
    flags = bar_flags(bars, limits, timeframe=Timeframe.D1, actions=NO_ACTIONS)
    own = flags.filter(pl.col("code") == "unit_error", pl.col("symbol") == symbol)
    assert own["severity"].unique().to_list() in ([], ["error"])
    jumps = find_jumps(bars, limits, actions=NO_ACTIONS, false_ticks=NO_TICKS)
    outcome = check_jumps(jumps, check="c", dataset="d", sessions=(date.min, date.max))
    found = outcome.findings.filter(pl.col("code") == "unit_error", pl.col("symbol") == symbol)
    assert found["session"].sort().to_list() == own["session"].to_list()
    return own.select(position).to_series().to_list()


@pytest.mark.parametrize(
    ("closes", "expected"),
    [
        ([*POUNDS, *PENCE, 17.1, 17.2], [*range(2, 9)]),
        ([*PENCE, *[p / 100 for p in PENCE[::-1]], 1440.0, 1430.0], [*range(7, 14)]),
        # Two stretches, each with its own end.
        (
            [*POUNDS, *PENCE, *[17.1] * 6, *[1710.0 + i for i in range(6)], 17.2, 17.3],
            [*range(2, 9), *range(15, 21)],
        ),
        # It stays: nobody can say which side is the wrong one.
        ([*POUNDS, *PENCE], [2]),
        # Twice the same way is no return.
        ([*POUNDS, 1460.0, 1470.0, 147_000.0, 148_000.0], [2, 4]),
    ],
)
def test_bars_between_two_steps_are_in_the_wrong_unit(limits, closes, expected) -> None:
    before = [closes[0]] * LONG
    assert marked(daily([*before, *closes]), limits) == [LONG + n for n in expected]


def test_each_symbol_has_its_own_stretches(limits) -> None:
    back = daily([*PENCE, 17.1, 17.2], "BBB")
    both = pl.concat([daily([*POUNDS, *PENCE]), back])
    assert marked(both, limits, "AAA") == [2]
    assert marked(both, limits, "BBB") == [7]


def test_a_jump_within_such_a_stretch_is_still_told(limits) -> None:
    closes = [*[14.4] * LONG, *PENCE, *[p * 1.7 for p in PENCE], 28.9, 29.0]
    flags = bar_flags(daily(closes), limits, timeframe=Timeframe.D1, actions=NO_ACTIONS)
    assert marked(daily(closes), limits) == list(range(LONG, LONG + 14))
    jumps = flags.filter(code="jump")
    assert jumps["session"].to_list() == [FIRST + timedelta(days=LONG + 7)]


def test_far_apart_steps_are_two_changes(limits) -> None:
    longest = LONGEST_IN_OTHER_UNIT.days
    before = [14.5] * LONG
    near = daily([*before, *[1450.0 + i % 2 for i in range(longest)], 14.5, 14.6])
    assert marked(near, limits) == list(range(LONG, LONG + longest))
    far = daily([*before, *[1450.0 + i % 2 for i in range(longest + 1)], 14.5, 14.6])
    assert marked(far, limits) == [LONG, LONG + longest + 1]


@pytest.mark.parametrize("wrong", [{70}, {70, 71}, days((70, 74)), {70, 72, 75, 76, 79}])
def test_few_bars_in_another_unit_are_more_than_false_ticks(limits, wrong) -> None:
    bars = mixed(140, frozenset(wrong))
    assert marked(bars, limits) == sorted(wrong)
    inverse = bars.with_columns(
        pl.col(PRICES) / pl.when(pl.col("close") > 100).then(1e4).otherwise(1)
    )
    assert marked(inverse, limits) == sorted(wrong)


def test_what_comes_back_within_a_few_bars_by_another_factor_is_no_jump(limits) -> None:
    closes = [14.5 + 0.01 * (n % 3) for n in range(140)]
    closes[70:73] = [1450.0, 1700.0, 1700.0]
    flags = bar_flags(daily(closes), limits, timeframe=Timeframe.D1, actions=NO_ACTIONS)
    position = (pl.col("session") - FIRST).dt.total_days()
    assert flags.filter(code="unit_error").select(position).to_series().to_list() == [70]
    assert flags.filter(code="jump").is_empty()


def test_bars_between_two_long_stretches_are_all_left_out(limits) -> None:
    """Nobody can say what is wrong: neither they nor what follows upon them."""
    bars = mixed(400, days((100, 139), (160, 199)))
    assert marked(bars, limits) == [100, *range(140, 190), 200]
    assert marked(mixed(400, days((100, 159), (170, 229))), limits) == [100, *range(160, 200), 230]


def test_units_that_take_turns_for_months_are_all_left_out(limits) -> None:
    turns = days(*((n, n + 9) for n in range(200, 400, 20)))
    found = marked(mixed(600, turns), limits)
    # The first ones still stand out from what was usual before, and so do the right ones beside.
    assert found[:20] == [*range(200, 210), *range(220, 230)]
    # Then nobody knows, until a month after the last.
    assert found[20:30] == list(range(240, 250))
    assert found[30:] == list(range(260, 420))


def registered_in_pence(limits: pl.DataFrame) -> pl.DataFrame:
    return limits.with_columns(minor_unit=pl.lit(value=True))


@pytest.mark.parametrize(
    ("pence", "count", "unknown", "known"),
    [
        # As a file that begins a few days before: what is right is what is quoted.
        (days((4, 12)), 23, range(23), [*range(4), *range(13, 23)]),
        # The same with pounds in the middle: a month after them counts as unknown, too.
        (days((0, 3), (13, 59)), 60, range(43), range(4, 13)),
        # Not one step back: the bars after a step down, and those before a step up, for a month.
        (days((0, 19)), 60, [20], range(20, 50)),
        (days((20, 59)), 60, [20], range(20)),
        # A history that speaks against the registry: nobody knows.
        (days((70, 79)), 100, range(70, 80), range(70, 80)),
        (days((70, 99)), 100, [70], [70]),
    ],
)
def test_the_registered_currency_says_which_side_is_right_where_no_history_does(
    limits, pence, count, unknown, known
) -> None:
    bars = mixed(count, pence)
    assert marked(bars, limits) == list(unknown)
    assert marked(bars, registered_in_pence(limits)) == list(known)


def test_a_history_that_is_too_short_to_overrule_the_registry_leaves_all_open(limits) -> None:
    """Forty days in pounds before thirty in pence: neither is told from the other."""
    bars = mixed(100, days((40, 69)))
    assert marked(bars, limits) == list(range(40, 100))
    assert marked(bars, registered_in_pence(limits)) == list(range(10, 100))


def test_what_nobody_can_decide_is_said_so(limits) -> None:
    jumps = find_jumps(mixed(23, days((4, 12))), limits, actions=NO_ACTIONS, false_ticks=NO_TICKS)
    outcome = check_jumps(jumps, check="c", dataset="d", sessions=(date.min, date.max))
    assert outcome.findings["severity"].unique().to_list() == ["error"]
    assert outcome.findings["detail"].str.contains("none of them is read").all()


def test_single_wrong_days_are_found_however_often_they_come(limits) -> None:
    wrong = frozenset(np.random.default_rng(3).choice(range(10, 690), 70, replace=False).tolist())
    assert marked(mixed(700, wrong), limits) == sorted(wrong)


def some_units(seed: int, symbols: int) -> pl.DataFrame:
    """Series in units that follow each other, now for days and now for months, and their parts.

    Each lacks some of its days, and says whether a bar is `in_part`.
    """
    chance = np.random.default_rng(seed)
    found = []
    for number in range(symbols):
        longest = chance.choice([8, 15, 30, 40, 60])
        lengths = chance.integers(1, longest + 1, 1 + 800 // longest)
        ups = np.where(chance.random(len(lengths)) < 0.9, np.arange(len(lengths)) % 2, 1) * 2 - 1
        levels = np.repeat(np.cumsum(ups) % 3, lengths)
        days = np.flatnonzero(chance.random(len(levels)) > chance.choice([0, 0.1, 0.4]))
        first, last = chance.integers(0, len(days) // 2), chance.integers(len(days) // 2, len(days))
        place = np.arange(len(days))
        found.append(
            pl.DataFrame(
                {
                    "day": days,
                    "close": 14.5 * 100.0 ** levels[days],
                    "in_part": (place >= first) & (place <= last),
                }
            ).with_columns(symbol=pl.lit(f"S{number:03}"))
        )
    ts = pl.lit(datetime(2020, 1, 2, 8, tzinfo=UTC)).dt.cast_time_unit("us")
    return pl.concat(found).select(
        "symbol",
        "close",
        "in_part",
        ts=ts + pl.duration(days="day"),
        session=(ts + pl.duration(days="day")).dt.date(),
    )


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_a_part_is_judged_as_the_whole_is(thresholds: Thresholds, seed: int) -> None:
    """Where it reaches as far before a bar, and after it, as steps have a say in what it is."""
    rules = thresholds.rule("equity", Timeframe.D1).model_dump()
    bars = some_units(seed, 150)
    limits = bars.select(pl.col("symbol").unique(maintain_order=True)).with_columns(
        pl.lit("equity").alias("asset_class"),
        *(pl.lit(v).alias(k) for k, v in rules.items()),
        minor_unit=pl.col("symbol").str.ends_with("3"),
    )
    part = bars.filter("in_part")
    first, last = pl.col("ts").min().over("symbol"), pl.col("ts").max().over("symbol")
    ends = bars.select("symbol", "ts", begins=first, ends=last)
    seen = part.select("symbol", "ts", first=first, last=last).join(ends, on=["symbol", "ts"])
    reached = seen.filter(
        (pl.col("first") <= pl.col("ts") - SEEN_BEFORE) | (pl.col("first") == pl.col("begins")),
        (pl.col("last") >= pl.col("ts") + SEEN_LATER) | (pl.col("last") == pl.col("ends")),
    )
    of_part, of_whole = (
        find_jumps(some, limits, actions=NO_ACTIONS, false_ticks=NO_TICKS)
        .join(reached, on=["symbol", "ts"], how="semi")
        .sort("symbol", "ts")
        for some in (part, bars)
    )
    assert of_whole.height > 100
    assert_frame_equal(of_part, of_whole)
