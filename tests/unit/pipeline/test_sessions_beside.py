"""A session of minutes is judged alike, whether it is checked alone, beside others or with all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from adapters.configuration import load_thresholds
from adapters.settings import Settings
from market_data.datasets import FLAGS_DATASET
from market_data.pipeline.score import score_range
from market_data.pipeline.surroundings import ENOUGH_BARS, beside, closes_around, read_around
from market_data.quality.bar_flags import bar_flags
from market_data.quality.view import SERIES, limits_of
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

FIRST = date(2024, 1, 2)
HALVES = Timeframe.M30
SHARE = Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS")
LIMITS = limits_of([SHARE], HALVES, load_thresholds(Settings()))
WIDE = (date(2023, 1, 1), date(2025, 1, 1))

Faults = Sequence[tuple[str, int, int]]
"""What, at which bar, and for how many. Their places are given from the ends of sessions."""
faults = st.lists(
    st.tuples(
        st.sampled_from(["up", "down", "pence", "stays", "high"]),
        st.integers(1, 9),
        st.integers(-3, 1),
        st.integers(1, 5),
    ),
    min_size=1,
    max_size=4,
)
sessions = st.lists(
    # Bars of a session, and the days until the next one.
    st.tuples(st.sampled_from([1, 1, 2, 5, 13]), st.sampled_from([1, 1, 1, 3])),
    min_size=4,
    max_size=10,
)


def bars_of(shape: Sequence[tuple[int, int]], planted: Faults) -> pl.DataFrame:
    """Bars of half an hour that move a little, with faults."""
    day, rows = FIRST, list[tuple[date, datetime]]()
    for held, away in shape:
        opens = datetime.combine(day, time(14, 30), UTC)
        rows += [(day, opens + part * timedelta(minutes=30)) for part in range(held)]
        day += timedelta(days=away)
    factor, lasting, high = [1.0] * len(rows), [1.0] * len(rows), [1.002] * len(rows)
    for what, at, long in planted:
        for number in range(at, len(rows) if what == "stays" else min(at + long, len(rows))):
            if what == "high":
                high[number] = 1.2
            elif what == "stays":
                lasting[number] *= 1.5
            else:
                factor[number] *= {"up": 1.4, "down": 0.6, "pence": 100.0}[what]
    # A wrong price is not there in the next bar's opening.
    wave = [100 * (1 + 0.001 * ((7 * n) % 5)) * lasting[n] for n in range(len(rows))]
    right = pl.DataFrame(rows, schema=["session", "ts"], orient="row").with_columns(
        open=pl.Series(wave), close=pl.Series(wave) * pl.Series(factor)
    )
    prices = ("open", "close")
    return right.with_columns(
        pl.col("ts").cast(pl.Datetime("us", "UTC")),
        symbol=pl.lit("MINE"),
        high=pl.max_horizontal(prices) * pl.Series(high),
        low=pl.min_horizontal(prices) * 0.998,
        volume=pl.lit(5.0),
        final=pl.lit(value=True),
    ).select(*SERIES, "final")


def flagged(bars: pl.DataFrame, first: date, last: date) -> list[tuple[date, datetime, str]]:
    """The bars of a range that are flagged if it is judged with those beside it."""

    def read(
        symbols: Sequence[str], within: tuple[date, date], columns: Sequence[str]
    ) -> pl.DataFrame:
        return bars.filter(
            pl.col("symbol").is_in(symbols), pl.col("session").is_between(*within)
        ).select(columns)

    closes = closes_around(HALVES, ["MINE"], first, last, read)
    series = read_around(read, HALVES, ["MINE"], (first, last), closes, SERIES)
    actions = CORPORATE_ACTIONS.empty()
    found = bar_flags(series, LIMITS, timeframe=HALVES, actions=actions, closes=closes)
    told = found.filter(pl.col("session").is_between(first, last))
    return told.select("session", "ts", "code").rows()


@settings(max_examples=40, deadline=None)
@given(sessions, faults, st.integers(0, 9), st.integers(1, 15))
def test_a_session_alone_is_judged_as_in_the_whole_wherever_faults_and_holes_are(
    shape: list[tuple[int, int]], planted: list[tuple[str, int, int, int]], beyond: int, hole: int
) -> None:
    # Holidays, or a hole longer than those.
    shape[beyond % len(shape)] = shape[beyond % len(shape)][0], hole
    ends = [sum(held for held, _ in shape[:n]) for n in range(1, len(shape) + 1)]
    placed = [(w, max(ends[at % len(ends)] + by, 0), long) for w, at, by, long in planted]
    bars = bars_of(shape, placed)
    whole = flagged(bars, *WIDE)
    # Those with flags, and the sessions next to them.
    near = {row[0] for row in whole} or {FIRST}
    days = [d for d in bars["session"].unique() if any(abs(d - n).days < 3 for n in near)]
    for number, day in enumerate(days):
        more = beyond if number % 3 == 0 else 0
        some = day - timedelta(days=more // 2), day + timedelta(days=more % 4)
        judged = flagged(bars, *some)
        assert [r for r in judged if r[0] == day] == [r for r in whole if r[0] == day]


def test_faults_at_the_ends_of_sessions_are_found_beside_thin_sessions_and_holes() -> None:
    """So that what is compared above is not nothing."""
    shape = [(13, 1), (13, 11), (2, 1), (13, 1), (13, 1)]
    found = flagged(bars_of(shape, [("up", 25, 1), ("pence", 41, 2), ("high", 28, 1)]), *WIDE)
    assert [code for _, _, code in found] == [
        "false_tick",
        "wick",
        *["false_tick", "unit_error"] * 2,
    ]


def test_checks_of_one_session_name_the_bars_whose_flags_are_kept(tmp_path: Path) -> None:
    """Thin sessions and a hole among them, and whatever part is scored last."""
    shape = [(13, 1), (13, 13), (2, 1), (13, 1), (1, 1), (13, 3), (13, 1)]
    planted = [("up", 25, 1), ("high", 28, 1), ("up", 40, 3), ("pence", 50, 2), ("stays", 61, 1)]
    bars = bars_of(shape, planted)
    days = bars["session"].unique().sort().to_list()
    path = tmp_path / "bars.csv"
    prices = ("open", "high", "low", "close", "volume")
    bars.select(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ"), *prices).write_csv(path)
    world = World.at(tmp_path, datetime(2024, 3, 1, tzinfo=UTC)).register(
        FileVendor("mine", {"30m": ("plain_30m", path)}, ("MINE",)), instruments=(SHARE,)
    )
    world.load_and_curate("mine", "30m", "MINE", days[0], days[-1])
    kept = list[pl.DataFrame]()
    for part in ((days[0], days[-1]), *((day, day) for day in days)):
        score_range(world.platform, ["MINE"], *part)
        kept.append(world.platform.store.scan(FLAGS_DATASET))
        assert_frame_equal(kept[0], kept[-1])
    codes = {"false_tick", "wick", "jump", "unit_error"}
    of_prices = kept[0].filter(pl.col("code").is_in(codes))
    assert set(of_prices["code"]) == codes
    for day in days:
        found = world.inspect("30m", day, day).findings.filter(pl.col("code").is_in(codes))
        flags = of_prices.filter(session=day).group_by("code").agg(pl.len())
        assert dict(found.select("code", "rows").iter_rows()) == dict(flags.iter_rows()), day


counts = st.lists(st.integers(1, 60), min_size=1, max_size=9)


@given(counts, st.integers(0, 8), st.integers(0, 8))
def test_sessions_judge_each_other_or_not(held: list[int], one: int, other: int) -> None:
    """The flags of what a session has a say in are found anew with it, and of nothing else."""
    days = [FIRST + timedelta(days=n) for n in range(len(held))]
    told = pl.DataFrame({"symbol": "MINE", "session": days, "bars": held})
    here, there = days[one % len(days)], days[other % len(days)]

    def reaches(day: date) -> tuple[date, date]:
        return beside(told, day, day).select("before", "after").row(0)

    assert (reaches(here)[0] <= there <= reaches(here)[1]) == (
        reaches(there)[0] <= here <= reaches(there)[1]
    )
    between = [n for day, n in zip(days, held, strict=True) if here < day < there]
    if here < there:
        assert (there <= reaches(here)[1]) == (sum(between) < ENOUGH_BARS)
