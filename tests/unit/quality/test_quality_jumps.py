"""Jumps, flat runs and volumes: what is flagged, and what explains it away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from market_data.quality.false_ticks import FALSE_TICKS
from market_data.quality.flat_runs import check_flat_runs, find_flat_runs
from market_data.quality.jumps import check_jumps, find_jumps
from market_data.quality.thresholds import Thresholds
from market_data.quality.volume import LOOK_BACK, check_volume
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe

FIRST = date(2024, 1, 2)
ALWAYS = (date.min, date.max)
NO_TICKS = pl.DataFrame(schema=FALSE_TICKS)
DATASET = "curated/bars_1d"


def daily(closes: Sequence[float], volumes: Sequence[float | None] | None = None) -> pl.DataFrame:
    sessions = [FIRST + timedelta(days=i) for i in range(len(closes))]
    return pl.DataFrame(
        {
            "symbol": ["AAA"] * len(closes),
            "session": sessions,
            "ts": [datetime(s.year, s.month, s.day, 14, 30, tzinfo=UTC) for s in sessions],
            "close": [float(c) for c in closes],
            "volume": pl.Series([1000.0] * len(closes) if volumes is None else volumes),
        },
        schema_overrides={"ts": pl.Datetime("us", "UTC"), "volume": pl.Float64},
    )


def action(kind: str, position: int, value: float) -> pl.DataFrame:
    row = {"symbol": "AAA", "ex_date": FIRST + timedelta(days=position), "kind": kind} | {
        "value": value
    }
    return pl.DataFrame([row])


NONE = CORPORATE_ACTIONS.empty().select("symbol", "ex_date", "kind", "value")


@pytest.fixture
def limits(thresholds: Thresholds):
    def of(asset_class: str = "equity", timeframe: Timeframe = Timeframe.D1) -> pl.DataFrame:
        rules = thresholds.rule(asset_class, timeframe).model_dump()
        return pl.DataFrame([{"symbol": "AAA", "asset_class": asset_class, **rules}])

    return of


def told(outcome) -> list[tuple[str, str, int]]:
    days = (pl.col("session") - FIRST).dt.total_days()
    return outcome.findings.select("code", "severity", days).rows()


def jumps_of(bars, limits, actions=NONE, ticks=NO_TICKS):
    found = find_jumps(bars, limits, actions=actions, false_ticks=ticks)
    return check_jumps(found, check="price_sanity", dataset=DATASET, sessions=ALWAYS)


@pytest.mark.parametrize(
    ("closes", "actions", "expected"),
    [
        ([100, 101, 132, 133], NONE, [("jump", "warn", 2)]),
        ([100, 101, 131, 133], NONE, []),
        ([100, 101, 70, 71], NONE, [("jump", "warn", 2)]),
        ([100, 101, 51, 52], action("split", 2, 2.0), []),
        ([100, 101, 51, 52], action("split", 3, 2.0), [("jump", "warn", 2), ("jump", "warn", 3)]),
        ([100, 101, 65, 66], action("dividend", 2, 35.0), []),
        ([100, 101, 65, 66], action("dividend", 2, 2.0), [("jump", "warn", 2)]),
        ([14.5, 1450, 1460], NONE, [("unit_error", "error", 1)]),
        ([1450, 15.1, 15.2], NONE, [("unit_error", "error", 1)]),
        ([100, 10, 10], NONE, [("jump", "warn", 1)]),
    ],
)
def test_what_steps_too_far(limits, closes, actions, expected) -> None:
    assert told(jumps_of(daily(closes), limits(), actions)) == expected


def test_a_false_tick_is_no_jump_either_way(limits) -> None:
    bars = daily([100, 101, 180, 101, 102])
    ticks = bars[2].select("symbol", "ts")
    assert len(told(jumps_of(bars, limits()))) == 2
    assert told(jumps_of(bars, limits(), ticks=ticks)) == []


def test_another_symbols_price_is_no_step(limits) -> None:
    both = pl.concat([daily([100, 101]), daily([5, 5]).with_columns(symbol=pl.lit("BBB"))])
    rules = pl.concat([limits(), limits().with_columns(symbol=pl.lit("BBB"))])
    assert told(jumps_of(both, rules)) == []


def test_a_jump_names_prices_and_limit(limits) -> None:
    outcome = jumps_of(daily([100, 140]), limits())
    found = outcome.findings.row(0, named=True)
    assert (found["value"], found["threshold"], found["rows"]) == (1.4, 0.3, 1)
    assert "from 100.0 to 140.0" in found["detail"]
    assert outcome.rows.select("before", "close").rows() == [(100.0, 140.0)]


def flat_of(bars, limits, timeframe=Timeframe.D1, sessions=ALWAYS):
    runs = find_flat_runs(bars, timeframe)
    return check_flat_runs(runs, limits, check="price_sanity", dataset=DATASET, sessions=sessions)


def test_a_price_that_does_not_move_for_days(limits) -> None:
    bars = daily([1, 2, 2, 2, 2, 2, 2, 3])
    outcome = flat_of(bars, limits())
    assert told(outcome) == [("flat_run", "warn", 5), ("flat_run", "warn", 6)]
    assert outcome.findings.get_column("value").to_list() == [5.0, 6.0]
    assert flat_of(bars, limits(), sessions=(FIRST, FIRST)).findings.is_empty()


def test_a_run_within_a_day_ends_with_it(limits) -> None:
    minutes = pl.concat([daily([5.0]), daily([5.0])] * 20).with_columns(
        session=pl.when(pl.int_range(pl.len()) < 20).then(FIRST).otherwise(date(2024, 1, 3)),
        ts=pl.lit(datetime(2024, 1, 2, tzinfo=UTC)) + pl.int_range(pl.len()) * timedelta(minutes=1),
    )
    rules = limits(timeframe=Timeframe.M1)
    assert flat_of(minutes, rules, Timeframe.M1).findings.is_empty()
    whole = minutes.with_columns(session=FIRST)
    assert told(flat_of(whole, rules, Timeframe.M1)) == [("flat_run", "warn", 0)]


def volume_of(bars, limits, actions=NONE, sessions=ALWAYS):
    return check_volume(bars, limits, actions=actions, dataset=DATASET, sessions=sessions)


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        (0.0, [("zero_volume", "warn", 10)]),
        (29_000.0, []),
        (31_000.0, [("volume", "warn", 10)]),
        (34.0, []),
        (33.0, [("volume", "warn", 10)]),
        (None, [("volume_missing", "warn", 10)]),
    ],
)
def test_volumes_far_from_the_usual(limits, newest, expected) -> None:
    assert told(volume_of(daily([1] * 11, [1000.0] * 10 + [newest]), limits())) == expected


def test_splits_change_what_is_usual(limits) -> None:
    bars = daily([1] * 12, [1000.0] * 10 + [40_000.0, 41_000.0])
    split = action("split", 10, 40.0)
    assert [row[2] for row in told(volume_of(bars, limits()))] == [10, 11]
    assert told(volume_of(bars, limits(), split)) == []


@pytest.mark.parametrize("apart", [1, 2, 4, 11])
def test_a_volume_is_judged_alike_however_much_lies_before(limits, apart) -> None:
    """Where sessions are missing, fewer than twenty are near enough to tell what is usual."""
    volumes = [1000.0 * 2**i for i in range(30)] + [3e7, 4e10, 1e4]
    bars = daily([1] * 33, volumes).with_columns(
        session=pl.lit(FIRST) + pl.int_range(33) * timedelta(days=apart)
    )
    whole = volume_of(bars, limits())
    for row in whole.measured.to_dicts():
        day = row["session"]
        near = bars.filter(pl.col("session").is_between(day - LOOK_BACK, day))
        part = volume_of(near, limits(), sessions=(day, day))
        assert part.measured.to_dicts() == [row]
        of_day = whole.findings.filter(pl.col("session") == day)
        assert part.findings.to_dicts() == of_day.to_dicts()
    assert whole.findings.is_empty() == (apart == 11)


def test_quotes_are_no_volume(limits) -> None:
    assert told(volume_of(daily([1] * 3, [0.0] * 3), limits("fx"))) == []
    assert len(told(volume_of(daily([1] * 3, [0.0] * 3), limits("crypto")))) == 3


@pytest.mark.parametrize(("known", "missed"), [(4, 0), (5, 16), (20, 16)])
def test_a_volume_is_missed_while_enough_sessions_before_have_one(limits, known, missed) -> None:
    """Nobody misses what never was, nor after four weeks what has not come since."""
    bars = daily([1] * (known + 30), [1000.0] * known + [None] * 30)
    outcome = volume_of(bars, limits())
    assert told(outcome) == [("volume_missing", "warn", known + n) for n in range(missed)]
    found = outcome.findings.select("value", "threshold", "rows").unique().rows()
    assert found == [(None, None, 1)] * (missed > 0)
    assert told(volume_of(bars, limits("fx"))) == []


def test_a_session_some_of_whose_bars_have_a_volume_has_one(limits) -> None:
    bars = daily([1] * 7, [1000.0] * 7)
    none, some = (pl.col("session") == pl.lit(FIRST + timedelta(days=n)) for n in (5, 6))
    twice = pl.concat([bars, bars.with_columns(volume=pl.when(~some).then("volume"))]).sort("ts")
    spoilt = twice.with_columns(volume=pl.when(~none).then("volume"))
    assert told(volume_of(spoilt, limits(timeframe=Timeframe.M1))) == [
        ("volume_missing", "warn", 5)
    ]


def test_the_minutes_of_a_session_add_up(limits) -> None:
    minutes = pl.concat([daily([1, 1], [0.0, 0.0]), daily([1, 1], [0.0, 5.0])]).sort("session")
    assert told(volume_of(minutes, limits(timeframe=Timeframe.M1))) == [("zero_volume", "warn", 0)]


def test_nothing_comes_of_nothing(limits) -> None:
    empty = daily([1.0]).clear()
    assert jumps_of(empty, limits()).findings.is_empty()
    assert flat_of(empty, limits()).findings.is_empty()
    assert volume_of(empty, limits()).findings.is_empty()
