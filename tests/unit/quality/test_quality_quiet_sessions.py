"""Sessions of which only a part, or nothing, is expected."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from adapters.configuration import load_thresholds
from adapters.settings import Settings
from market_data.calendar_rules import CalendarRules
from market_data.calendars import expected_bars, versioned
from market_data.quality.checks import evaluate_bars
from market_data.quality.coverage import check_coverage, measure_coverage
from market_data.quality.score import score_sessions
from market_data.quality.staleness import check_staleness
from market_data.quality.view import BarsView
from market_data.schemas import CURATED_BARS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

DAY = date(2018, 12, 24)
OPEN = datetime(2018, 12, 23, 22, tzinfo=UTC)
LIMITS = load_thresholds(Settings())


def view(
    said: dict[str, object], hours: int, timeframe: Timeframe, now: datetime | None = None
) -> BarsView:
    """A session of EURUSD with its first bars, by a rule for its day."""
    rules = CalendarRules.model_validate({"days": [{"date": DAY, **said}]})
    instrument = Instrument(
        symbol="EURUSD", asset_class=AssetClass.FX, calendar=versioned("fx", {"fx": rules})
    )
    starts = [OPEN + timedelta(hours=h) for h in range(hours)]
    bars = pl.DataFrame(
        {"symbol": ["EURUSD"] * hours, "ts": starts, "session": [DAY] * hours},
        schema={"symbol": pl.String, "ts": pl.Datetime("us", "UTC"), "session": pl.Date},
    ).with_columns(
        *(pl.lit(1.1 + n / 1000).alias(p) for n, p in enumerate(("low", "open", "close", "high"))),
        source=pl.lit("x"),
        filled=pl.lit(""),
        final=pl.lit(value=True),
        dq_status=pl.lit("ok"),
        flags=pl.lit(""),
        rule_version=pl.lit(""),
    )
    return BarsView(
        dataset=f"curated/bars_{timeframe}",
        kind="curated",
        timeframe=timeframe,
        instruments=(instrument,),
        bars=CURATED_BARS.conform(bars),
        expected=expected_bars([instrument], timeframe, DAY, DAY),
        sessions=(DAY, DAY),
        now=now or datetime(2018, 12, 25, tzinfo=UTC),
    )


def found(given: BarsView) -> list[str]:
    limits = given.limits(LIMITS)
    outcomes = (check_coverage(given, limits), check_staleness(given, limits))
    return [code for o in outcomes for code in o.findings["code"]]


@pytest.mark.parametrize(
    ("said", "hours", "coverage", "codes"),
    [
        ({"expected_until": "13:00"}, 24, 1.0, []),
        ({"expected_until": "13:00"}, 20, 1.0, []),
        ({"expected_until": "13:00"}, 17, 0.85, ["coverage_low", "stale"]),
        ({"expected_until": "13:00"}, 0, 0.0, ["no_data", "stale"]),
        ({"close": "13:00"}, 20, 1.0, []),
        ({"expected": False}, 0, 1.0, []),
        ({"expected": False}, 3, 1.0, []),
        ({"note": "", "close": "16:59"}, 0, 0.0, ["no_data", "stale"]),
    ],
)
def test_what_is_not_expected_is_not_missed(
    said: dict[str, object], hours: int, coverage: float, codes: list[str]
) -> None:
    given = view(said, hours, Timeframe.H1)
    measured = measure_coverage(given).row(0, named=True)
    assert measured["coverage"] == coverage
    assert measured["gaps"] == (0 if coverage == 1.0 else 1)
    assert found(given) == codes


def test_a_daily_bar_that_nobody_has_to_bring() -> None:
    assert found(view({"expected": False}, 0, Timeframe.D1)) == []
    assert found(view({"expected_until": "13:00"}, 0, Timeframe.D1)) == ["no_data", "stale"]


def test_while_it_runs_the_part_alone_counts() -> None:
    half = OPEN + timedelta(hours=10)
    assert found(view({"expected_until": "13:00"}, 10, Timeframe.H1, half)) == []
    late = OPEN + timedelta(hours=23)
    running = measure_coverage(view({"expected_until": "13:00"}, 20, Timeframe.H1, late))
    assert running.select("expected", "observed", "closed").row(0) == (20, 20, False)


@pytest.mark.parametrize("hours", [0, 3])
def test_a_session_without_expected_bars_is_sound(hours: int) -> None:
    given = view({"expected": False}, hours, Timeframe.H1)
    scored = score_sessions(given, evaluate_bars(given, LIMITS), LIMITS, rule_version="r1")
    assert scored.select("status", "score", "freshness_seconds").rows() == [("GREEN", 1.0, 0.0)]
