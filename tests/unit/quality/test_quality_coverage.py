"""Coverage and staleness: sessions are counted, never calendar days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market_data.quality.checks import CHECKS, evaluate_bars
from market_data.quality.coverage import check_coverage, measure_coverage
from market_data.quality.staleness import check_staleness
from market_data.quality.thresholds import Thresholds
from market_data.timeframes import Timeframe

DAY = date(2024, 1, 10)
OPEN = datetime(2024, 1, 10, 14, 30, tzinfo=UTC)


def codes(findings: pl.DataFrame) -> list[tuple[str, str]]:
    return findings.select("code", "severity").rows()


@pytest.mark.parametrize("kind", ["raw", "curated"])
def test_a_flawless_month_of_new_york_scores_one(make_view, thresholds, kind) -> None:
    view = make_view(kind=kind, symbols=("AAA", "BBB"))
    outcomes = evaluate_bars(view, thresholds)
    measured = outcomes["coverage"].measured
    assert measured.height == 2 * 21
    assert measured["coverage"].to_list() == [1.0] * 42
    assert {n: o.findings.height for n, o in outcomes.items()} == dict.fromkeys(outcomes, 0)
    assert list(outcomes) == list(CHECKS)


@pytest.mark.parametrize(
    ("calendar", "timeframe", "start", "end", "sessions"),
    [
        ("XNYS", Timeframe.M1, date(2024, 11, 25), date(2024, 11, 30), 4),
        ("XNYS", Timeframe.H1, date(2024, 7, 1), date(2024, 7, 5), 4),
        ("XNYS", Timeframe.H4, date(2024, 7, 1), date(2024, 7, 5), 4),
        ("XTKS", Timeframe.M5, date(2024, 1, 4), date(2024, 1, 12), 6),
        ("fx", Timeframe.M15, date(2024, 3, 4), date(2024, 3, 15), 10),
        ("24/7", Timeframe.H1, date(2024, 1, 1), date(2024, 1, 7), 7),
    ],
)
def test_flawless_sessions_of_other_calendars(
    make_view, thresholds, calendar, timeframe, start, end, sessions
) -> None:
    outcomes = evaluate_bars(make_view(calendar, timeframe, start, end), thresholds)
    measured = outcomes["coverage"].measured
    assert measured.height == sessions
    assert measured["coverage"].unique().to_list() == [1.0]
    assert measured["gaps"].sum() == 0
    assert all(o.findings.is_empty() for o in outcomes.values())


def minutes(make_view, thresholds, keep: pl.Expr, **options):
    view = make_view("XNYS", Timeframe.M1, DAY, DAY, **options)
    view = replace(view, bars=view.bars.filter(keep))
    return view, view.limits(thresholds)


MINUTE = (pl.col("ts") - pl.lit(OPEN)).dt.total_minutes()


@pytest.mark.parametrize(
    ("keep", "expected", "gaps"),
    [
        pytest.param(~MINUTE.is_between(100, 138), [], 1, id="exactly 0.9 is enough"),
        pytest.param(
            ~MINUTE.is_between(100, 139), [("coverage_low", "warn")], 1, id="just below 0.9"
        ),
        pytest.param(MINUTE < 292, [("coverage_error", "error")], 1, id="below 0.75"),
        pytest.param(
            (MINUTE > 9) & (MINUTE < 380) & ~MINUTE.is_between(100, 159) & (MINUTE % 50 > 0),
            [("coverage_low", "warn")],
            6 + 2,
            id="holes within, and both ends",
        ),
        pytest.param(MINUTE < 0, [("no_data", "error")], 1, id="nothing at all"),
    ],
)
def test_codes_and_gaps(make_view, thresholds, keep, expected, gaps) -> None:
    view, limits = minutes(make_view, thresholds, keep)
    outcome = check_coverage(view, limits)
    assert codes(outcome.findings) == expected
    assert outcome.measured["gaps"].to_list() == [gaps]
    assert outcome.rows.height == len(expected)


def test_a_missing_session_is_no_data_and_stale(make_view, thresholds) -> None:
    view = make_view()
    view = replace(view, bars=view.bars.filter(pl.col("session") != DAY))
    outcomes = evaluate_bars(view, thresholds)
    for check, code in (("coverage", "no_data"), ("staleness", "stale")):
        found = outcomes[check].findings
        assert found.select("symbol", "session", "code", "severity").rows() == [
            ("AAA", DAY, code, "error")
        ]
    assert outcomes["coverage"].findings["value"].item() == 0.0


def test_bars_outside_the_session_and_repeats_add_nothing(make_view, thresholds) -> None:
    view, _ = minutes(make_view, thresholds, MINUTE < 300)
    early = view.bars.with_columns(ts=pl.col("ts") - pl.duration(hours=8))
    padded = replace(view, bars=pl.concat([view.bars, view.bars, early]))
    assert measure_coverage(padded)["observed"].to_list() == [300]


def test_a_lunch_break_is_no_gap_but_a_hole_beside_it_is(make_view) -> None:
    view = make_view("XTKS", Timeframe.M1, date(2024, 1, 10), date(2024, 1, 10))
    assert measure_coverage(view)["gaps"].to_list() == [0]
    late = pl.col("ts") >= datetime(2024, 1, 10, 2, 25, tzinfo=UTC)
    after = pl.col("ts") < datetime(2024, 1, 10, 3, 30, tzinfo=UTC)
    cut = replace(view, bars=view.bars.filter(~(late & after)))
    assert measure_coverage(cut)["gaps"].to_list() == [1]
    away = pl.col("ts") == datetime(2024, 1, 10, 4, 30, tzinfo=UTC)
    assert measure_coverage(replace(view, bars=view.bars.filter(~away)))["gaps"].to_list() == [1]


def test_a_running_session_is_measured_not_judged(make_view, thresholds) -> None:
    now = OPEN + timedelta(minutes=100, seconds=30)
    view, limits = minutes(make_view, thresholds, MINUTE < 60, now=now, kind="curated")
    outcome = check_coverage(view, limits)
    assert outcome.findings.is_empty()
    measured = outcome.measured.row(0, named=True)
    assert (measured["expected"], measured["observed"], measured["closed"]) == (100, 60, False)
    whole, limits = minutes(make_view, thresholds, MINUTE <= 100, now=now)
    # the minute that began at 100 is not over
    assert check_coverage(whole, limits).measured["observed"].to_list() == [100]


def test_bars_fetched_before_their_end_are_not_whole(make_view, thresholds) -> None:
    view = make_view(kind="raw", start=DAY, end=DAY)
    early = view.bars.with_columns(
        fetched_at=pl.lit(OPEN + timedelta(hours=2)).dt.cast_time_unit("us")
    )
    outcomes = evaluate_bars(replace(view, bars=early), thresholds)
    assert codes(outcomes["coverage"].findings) == [("no_data", "error")]
    provisional = make_view(start=DAY, end=DAY)
    bars = provisional.bars.with_columns(final=pl.lit(value=False))
    outcomes = evaluate_bars(replace(provisional, bars=bars), thresholds)
    assert codes(outcomes["coverage"].findings) == [("no_data", "error")]


def test_a_session_counts_as_over_after_the_delay(make_view, thresholds) -> None:
    close = datetime(2024, 1, 10, 21, tzinfo=UTC)
    for now, found in ((close, 0), (close + timedelta(minutes=20), 1)):
        view = make_view(start=DAY, end=DAY, now=now, delay=timedelta(minutes=15))
        outcomes = evaluate_bars(replace(view, bars=view.bars.clear()), thresholds)
        assert outcomes["coverage"].findings.height == found
        assert outcomes["staleness"].findings.height == found


@pytest.mark.parametrize(
    ("last_minute", "expected"),
    [
        (389, []),
        (374, []),
        (373, [("stale", "warn")]),
        (359, [("stale", "warn")]),
        (358, [("stale", "error")]),
    ],
)
def test_staleness_at_the_close(make_view, thresholds, last_minute, expected) -> None:
    view, limits = minutes(make_view, thresholds, last_minute >= MINUTE)
    outcome = check_staleness(view, limits)
    assert codes(outcome.findings) == expected
    assert outcome.measured["lag"].to_list() == [60.0 * (389 - last_minute)]


@pytest.mark.parametrize(
    ("after", "delay", "expected"),
    [(10, 0, []), (20, 0, [("stale", "warn")]), (40, 0, [("stale", "error")]), (40, 30, [])],
)
def test_staleness_while_the_session_runs(make_view, thresholds, after, delay, expected) -> None:
    now = OPEN + timedelta(minutes=60 + after)
    view, limits = minutes(
        make_view, thresholds, MINUTE < 60, now=now, delay=timedelta(minutes=delay)
    )
    outcome = check_staleness(view, limits)
    assert codes(outcome.findings) == expected
    assert outcome.measured["lag"].to_list() == [60.0 * (after - delay)]


def test_a_session_that_has_not_begun_is_not_stale(make_view, thresholds) -> None:
    now = OPEN - timedelta(hours=3)
    view, limits = minutes(make_view, thresholds, MINUTE < 0, now=now)
    assert check_staleness(view, limits).measured.is_empty()
    assert check_coverage(view, limits).findings.is_empty()


def test_thin_minutes_of_currencies_have_their_own_limits(make_view, thresholds) -> None:
    view = make_view("fx", Timeframe.M1, DAY, DAY)
    kept = view.bars.filter(pl.int_range(pl.len()) % 4 != 1)
    outcome = check_coverage(replace(view, bars=kept), view.limits(thresholds))
    assert outcome.measured["coverage"].item() == 0.75
    assert outcome.findings.is_empty()
    with_equity = view.limits(thresholds).with_columns(coverage_warn=pl.lit(0.9))
    assert codes(check_coverage(replace(view, bars=kept), with_equity).findings) == [
        ("coverage_low", "warn")
    ]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(kept=st.sets(st.integers(0, 77)), seed=st.integers(0, 9))
def test_coverage_is_a_share_and_does_not_depend_on_order(
    make_view, thresholds: Thresholds, kept: set[int], seed: int
) -> None:
    view = make_view("XNYS", Timeframe.M5, DAY, DAY)
    bars = view.bars[sorted(kept)]
    shuffled = bars.sample(fraction=1.0, shuffle=True, seed=seed)
    one, two = (measure_coverage(replace(view, bars=b)) for b in (bars, shuffled))
    assert one.equals(two)
    assert one["coverage"].item() == pytest.approx(len(kept) / 78)
    missing = sorted(set(range(78)) - kept)
    runs = sum(1 for m in missing if m - 1 not in missing)
    assert one["gaps"].item() == runs


def test_without_any_bar_the_lag_counts_from_the_open(make_view, thresholds) -> None:
    view, limits = minutes(make_view, thresholds, MINUTE < 0)
    outcome = check_staleness(view, limits)
    assert outcome.findings.select("value", "threshold").rows() == [(390 * 60.0, 1800.0)]
    now = OPEN + timedelta(minutes=20)
    running, limits = minutes(make_view, thresholds, MINUTE < 0, now=now)
    assert codes(check_staleness(running, limits).findings) == [("stale", "warn")]


@pytest.mark.parametrize(
    ("now", "flags", "found"),
    [
        ("2024-01-10 22:30", "foreign_day", []),
        ("2024-01-10 22:30", "", [("no_data", "error"), ("stale", "error")]),
        ("2024-01-12 12:00", "foreign_day", [("no_data", "error"), ("stale", "error")]),
    ],
    ids=["while the vendor's day runs", "the session's own day", "once every day is over"],
)
def test_a_bar_over_the_vendors_own_day_is_not_missed_before_it_can_be_had(
    make_view, thresholds, now: str, flags: str, found: list[tuple[str, str]]
) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    view = make_view("fx", start=DAY, end=DAY, now=at)
    running = view.bars.with_columns(final=pl.lit(value=False), flags=pl.lit(flags))
    outcomes = evaluate_bars(replace(view, bars=running), thresholds)
    told = [c for name in ("coverage", "staleness") for c in codes(outcomes[name].findings)]
    assert told == found
