"""Health: what makes a symbol-session and a dataset GREEN, YELLOW or RED."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.quality.health import Health, health, judge_sessions
from market_data.quality.view import limits_of
from market_data.schemas import FINDINGS, SCORES
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

DAYS = [date(2024, 2, 26) + timedelta(days=n) for n in range(4)]
SYMBOLS = ["AAA", "BBB", "CCC"]
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def limits(thresholds: Any) -> pl.DataFrame:
    instruments = [
        Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS") for s in SYMBOLS
    ]
    return limits_of(instruments, Timeframe.D1, thresholds)


def expected(symbols: list[str] = SYMBOLS) -> pl.DataFrame:
    rows = [(s, d, datetime(d.year, d.month, d.day, 21, tzinfo=UTC)) for s in symbols for d in DAYS]
    schema = {"symbol": pl.String, "session": pl.Date, "close": pl.Datetime("us", "UTC")}
    return pl.DataFrame(rows, schema=schema, orient="row")


def scores() -> pl.DataFrame:
    base = expected().select(
        "symbol",
        "session",
        dataset=pl.lit("curated/bars_1d"),
        expected=pl.lit(1),
        observed=pl.lit(1),
        coverage=pl.lit(1.0),
        gaps=pl.lit(0),
        null_rate=pl.lit(0.0),
        duplicates=pl.lit(0),
        ohlc_violations=pl.lit(0),
        outliers=pl.lit(0),
        flat_run=pl.lit(1),
        drift_max=pl.lit(None, pl.Float64),
        freshness_seconds=pl.lit(0.0),
        score=pl.lit(1.0),
        status=pl.lit("GREEN"),
        reasons=pl.lit(""),
        bars_digest=pl.lit("x"),
        rule_version=pl.lit("r"),
    )
    return SCORES.conform(base)


def finding(symbol: str, session: date, code: str, severity: str) -> pl.DataFrame:
    row = {
        "check": "coverage",
        "code": code,
        "severity": severity,
        "dataset": "curated/bars_1d",
        "symbol": symbol,
        "session": session,
        "value": 0.0,
        "threshold": 1.0,
        "rows": 1,
        "detail": "told",
    }
    return FINDINGS.conform(pl.DataFrame([row]))


def verdict(
    limits: pl.DataFrame,
    *found: pl.DataFrame,
    scored: pl.DataFrame | None = None,
    as_of: datetime = NOON,
) -> Health:
    findings = pl.concat([FINDINGS.empty(), *found])
    spoken = scores() if scored is None else scored
    judged = judge_sessions(expected(), spoken, findings, limits, as_of=as_of)
    return health("curated/bars_1d", judged, limits, as_of=as_of, sessions=(DAYS[0], DAYS[-1]))


def test_sound_sessions_are_green_and_need_no_reason(limits: pl.DataFrame) -> None:
    found = verdict(limits)
    assert (found.status, found.reasons, found.score) == ("GREEN", (), 1.0)
    assert found.counts == {"GREEN": 12, "YELLOW": 0, "RED": 0}


def test_a_warning_or_a_lone_error_is_yellow_and_named(limits: pl.DataFrame) -> None:
    warned = verdict(limits, finding("AAA", DAYS[1], "flat_run", "warn"))
    assert (warned.status, [r.code for r in warned.reasons]) == ("YELLOW", ["flat_run"])
    failed = verdict(limits, finding("AAA", DAYS[1], "drift", "error"))
    assert (failed.status, failed.counts["RED"]) == ("YELLOW", 1)


def test_it_is_red_where_most_symbols_are_in_their_newest_session(limits: pl.DataFrame) -> None:
    bad = [finding(s, DAYS[-1], "drift", "error") for s in SYMBOLS[:2]]
    assert verdict(limits, bad[0]).status == "YELLOW"
    found = verdict(limits, *bad)
    assert (found.status, found.reasons[0].code) == ("RED", "red_share")
    assert "2 are RED in their newest session" in found.reasons[0].text


def test_it_is_red_above_the_share_at_which_runs_block(limits: pl.DataFrame) -> None:
    bad = [finding(s, d, "drift", "error") for d in DAYS[:2] for s in SYMBOLS]
    assert verdict(limits, *bad).status == "YELLOW"
    more = verdict(limits, *bad, finding("AAA", DAYS[2], "drift", "error"))
    assert (more.status, more.reasons[0].symbol_sessions) == ("RED", 7)


def test_it_is_red_below_the_score_of_errors(limits: pl.DataFrame) -> None:
    def mean(value: float) -> Health:
        return verdict(limits, scored=scores().with_columns(score=pl.lit(value)))

    assert mean(0.59).status == "RED"
    assert mean(0.61).status != "RED"


def test_it_is_red_where_nothing_was_due(limits: pl.DataFrame) -> None:
    found = verdict(limits, as_of=datetime(2024, 2, 26, tzinfo=UTC))
    assert (found.status, [r.code for r in found.reasons]) == ("RED", ["nothing"])


def test_a_session_that_is_not_over_is_not_judged(limits: pl.DataFrame) -> None:
    found = verdict(
        limits,
        finding("AAA", DAYS[-1], "drift", "error"),
        as_of=datetime(2024, 2, 29, 20, 59, tzinfo=UTC),
    )
    assert (found.status, sum(found.counts.values())) == ("GREEN", 9)


@pytest.mark.parametrize(("hours", "status"), [(23, None), (25, "YELLOW"), (49, "RED")])
def test_bars_that_may_be_on_their_way_are_waited_for(
    limits: pl.DataFrame, hours: int, status: str | None
) -> None:
    absent = finding("AAA", DAYS[-1], "no_data", "error")
    close = datetime(2024, 2, 29, 21, tzinfo=UTC)
    as_of = close + timedelta(hours=hours)
    judged = judge_sessions(expected(), scores(), absent, limits, as_of=as_of)
    seen = judged.filter(pl.col("symbol") == "AAA", pl.col("session") == DAYS[-1])
    assert seen["status"].to_list() == ([] if status is None else [status])


def test_who_asks_later_hears_of_a_young_session_what_is_known_by_then(
    limits: pl.DataFrame,
) -> None:
    absent = finding("AAA", DAYS[-1], "no_data", "error")
    young = datetime(2024, 3, 1, 22, tzinfo=UTC)
    for now, status in ((young, "YELLOW"), (young + timedelta(days=9), "RED")):
        judged = judge_sessions(expected(), scores(), absent, limits, as_of=young, now=now)
        seen = judged.filter(pl.col("symbol") == "AAA", pl.col("session") == DAYS[-1])
        assert seen["status"].to_list() == [status]


def test_a_session_without_a_score_is_yellow_where_there_should_be_one(
    limits: pl.DataFrame,
) -> None:
    partly = scores().filter(pl.col("symbol") != "BBB")
    found = verdict(limits, scored=partly)
    assert (found.status, [r.code for r in found.reasons]) == ("YELLOW", ["no_score"])
    raw = judge_sessions(expected(), None, FINDINGS.empty(), limits, as_of=NOON)
    assert set(raw["status"]) == {"GREEN"}


def test_one_symbol_among_many_without_bars_is_red(limits: pl.DataFrame) -> None:
    """By its own coverage over the window: a share of the class never sees it."""
    absent = [finding("AAA", d, "no_data", "error") for d in DAYS[:-1]]
    found = verdict(limits, *absent[:1])
    assert (found.status, found.counts["RED"]) == ("YELLOW", 1)
    found = verdict(limits, *absent)
    assert (found.status, [r.code for r in found.reasons]) == ("RED", ["coverage", "no_data"])
    assert "lacking of AAA" in found.reasons[0].text
    # One of the three may be on its way and does not count.
    assert "33%, below 75%" in found.reasons[0].text


def test_bars_on_their_way_lower_no_coverage(limits: pl.DataFrame) -> None:
    """Two of four sessions are absent, one of them young: two of three are covered, and not RED."""
    absent = [finding("AAA", d, "no_data", "error") for d in (DAYS[0], DAYS[-1])]
    young = datetime(2024, 2, 29, 21, tzinfo=UTC) + timedelta(hours=30)
    limits = limits.with_columns(coverage_error=pl.lit(0.6))
    assert verdict(limits, *absent, as_of=young).status == "YELLOW"
    assert verdict(limits, *absent, as_of=young + timedelta(days=2)).status == "RED"


def test_coverage_within_sessions_counts_too(limits: pl.DataFrame) -> None:
    thin = pl.when(pl.col("symbol") == "BBB").then(pl.lit(0.7)).otherwise("coverage")
    found = verdict(limits, scored=scores().with_columns(coverage=thin))
    assert (found.status, found.reasons[0].code) == ("RED", "coverage")


def test_a_named_symbol_of_which_nothing_is_known_is_told(limits: pl.DataFrame) -> None:
    judged = judge_sessions(expected(), scores(), FINDINGS.empty(), limits, as_of=NOON)

    def ask(named: dict[str, bool]) -> tuple[str, list[tuple[str, str]]]:
        found = health(
            "curated/bars_1d",
            judged,
            limits,
            as_of=NOON,
            sessions=(DAYS[0], DAYS[-1]),
            named=named,
        )
        return found.status, [(r.status, r.code) for r in found.reasons]

    assert ask({"AAA": True, "BBB": True}) == ("GREEN", [])
    assert ask({"AAA": True, "DDD": False}) == ("RED", [("RED", "never")])
    assert ask({"AAA": True, "DDD": True}) == ("YELLOW", [("YELLOW", "nothing")])


def test_its_json_names_all_of_it(limits: pl.DataFrame) -> None:
    assert verdict(limits, finding("AAA", DAYS[1], "flat_run", "warn")).told() == {
        "dataset": "curated/bars_1d",
        "as_of": "2024-03-01T12:00:00+00:00",
        "sessions": {"first": "2024-02-26", "last": "2024-02-29"},
        "status": "YELLOW",
        "reasons": [
            {
                "status": "YELLOW",
                "code": "flat_run",
                "symbols": 1,
                "symbol_sessions": 1,
                "text": "flat_run: 1 symbol-session(s) of 1 symbol(s), 0 of them RED; the newest "
                "is AAA 2024-02-27",
            }
        ],
        "symbols": 3,
        "symbol_sessions": {"GREEN": 11, "YELLOW": 1, "RED": 0},
        "score": 1.0,
        "accepted_findings": 0,
    }


RANK = {"GREEN": 0, "YELLOW": 1, "RED": 2}
EVENTS = st.tuples(
    st.sampled_from(SYMBOLS),
    st.sampled_from(DAYS),
    st.sampled_from(["drift", "flat_run", "coverage_error"]),
    st.sampled_from(["warn", "error"]),
)


@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENTS, max_size=8), more=EVENTS)
def test_another_finding_never_mends_anything(
    limits: pl.DataFrame, events: list[tuple[str, date, str, str]], more: Any
) -> None:
    few = [finding(*event) for event in events]
    before, after = verdict(limits, *few), verdict(limits, *few, finding(*more))
    assert RANK[after.status] >= max(RANK[before.status], RANK["YELLOW"])
    assert verdict(limits, *reversed(few)) == before
    assert (before.status == "GREEN") == (not before.reasons)
    assert sum(before.counts.values()) == 12
