"""Scores, their digest, and the checks of the scores."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.ports import Annotation, Decision
from market_data.quality.checks import evaluate_bars
from market_data.quality.digest import bars_digest
from market_data.quality.score import score, score_sessions
from market_data.quality.score_checks import evaluate_scores
from market_data.schemas import FINDINGS, SCORES
from market_data.timeframes import Timeframe

DAY = date(2024, 1, 10)
RANGE = (date(2024, 1, 1), date(2024, 1, 31))


def scored(view, thresholds, **options) -> pl.DataFrame:
    outcomes = evaluate_bars(view, thresholds)
    return score_sessions(view, outcomes, thresholds, rule_version="r1", **options)


def row(frame: pl.DataFrame, session: date = DAY) -> dict:
    return frame.filter(pl.col("session") == session).row(0, named=True)


def test_a_flawless_january_is_green(make_view, thresholds) -> None:
    frame = scored(make_view(symbols=("AAA", "BBB")), thresholds)
    SCORES.check(frame)
    assert frame.height == 42
    assert frame["score"].to_list() == [1.0] * 42
    assert frame["status"].unique().to_list() == ["GREEN"]
    assert frame["reasons"].unique().to_list() == [""]
    assert frame["freshness_seconds"].unique().to_list() == [0.0]


def test_a_missing_session_is_red_with_a_score_of_zero(make_view, thresholds) -> None:
    view = make_view()
    frame = scored(replace(view, bars=view.bars.filter(pl.col("session") != DAY)), thresholds)
    assert frame.height == 21
    found = row(frame)
    assert (found["score"], found["status"], found["reasons"]) == (0.0, "RED", "no_data,stale")
    assert found["bars_digest"] == ""
    assert frame.filter(pl.col("status") == "GREEN").height == 20


def test_what_is_accepted_colours_no_session_and_changes_no_number(make_view, thresholds) -> None:
    view = make_view()
    lacking = replace(view, bars=view.bars.filter(pl.col("session") != DAY))
    plain = scored(lacking, thresholds)
    accept = Annotation(
        datetime(2024, 1, 11, tzinfo=UTC), "ana", view.dataset, "AAA", DAY, DAY, Decision.ACCEPT,
        "a holiday of the vendor", codes=("no_data", "stale"), id=1,
    )  # fmt: skip
    half = replace(accept, codes=("no_data",))
    assert row(scored(lacking, thresholds, decided=[half]))["status"] == "RED"
    found = scored(lacking, thresholds, decided=[accept])
    assert row(found)["status"] == "GREEN"
    assert row(found)["reasons"] == ""
    measured = [name for name in SCORES.names if name not in ("status", "reasons")]
    assert found.select(measured).equals(plain.select(measured))
    other = replace(accept, first_session=RANGE[0], last_session=RANGE[0])
    assert scored(lacking, thresholds, decided=[other]).equals(plain)


def test_one_accepted_reason_excuses_no_other(make_view, thresholds) -> None:
    """The end is late, and somebody accepts that bars are missing."""
    view = make_view("XNYS", Timeframe.M1, DAY, DAY)
    late = replace(view, bars=view.bars.head(365))
    few = pl.DataFrame(
        [("coverage", "coverage_low", "warn", view.dataset, "AAA", DAY, 0.8, 0.9, 1, "few")],
        schema=FINDINGS.dtypes,
        orient="row",
    )
    accept = Annotation(
        datetime(2024, 1, 11, tzinfo=UTC), "ana", view.dataset, "AAA", DAY, DAY, Decision.ACCEPT,
        "known", codes=("coverage_low",), id=1,
    )  # fmt: skip
    found = row(scored(late, thresholds, also=few, decided=[accept]))
    assert (found["reasons"], found["status"]) == ("stale", "RED")
    assert found["score"] == pytest.approx(1 - 10 / 15)
    both = replace(accept, codes=("coverage_low", "stale"))
    assert row(scored(late, thresholds, also=few, decided=[both]))["status"] == "GREEN"


def test_who_is_preferred_settles_the_drift_of_sessions_that_it_speaks_of(
    make_view, thresholds
) -> None:
    view = make_view(start=date(2024, 1, 9), end=DAY)
    own = view.bars.select("symbol", "session", "ts", "close", basis_group=pl.lit("g"))
    other = own.with_columns(pl.col("close") * 1.5, vendor=pl.lit("b"))
    third = own.filter(pl.col("session") == DAY).with_columns(vendor=pl.lit("c"))
    peers = pl.concat([own.with_columns(vendor=pl.lit("acme")), other, third])
    prefer = Annotation(
        datetime(2024, 1, 11, tzinfo=UTC), "ana", view.dataset, "AAA", date(2024, 1, 9), DAY,
        Decision.PREFER_VENDOR, "asked", vendor="c", id=1,
    )  # fmt: skip
    frame = scored(replace(view, peers=peers), thresholds, decided=[prefer])
    assert frame["status"].to_list() == ["RED", "GREEN"]


@pytest.mark.parametrize(
    ("minutes", "value", "status"),
    [
        # 390 bars; the lag counts from its limit of 15 minutes on
        (390, 1.0, "GREEN"),
        (380, 380 / 390, "GREEN"),
        (372, 1 - 3 / 15, "YELLOW"),
        (368, 1 - 7 / 15, "RED"),
        (350, 0.0, "RED"),
    ],
)
def test_a_late_end_lowers_the_score(make_view, thresholds, minutes, value, status) -> None:
    view = make_view("XNYS", Timeframe.M1, DAY, DAY)
    found = row(scored(replace(view, bars=view.bars.head(minutes)), thresholds))
    assert found["score"] == pytest.approx(value)
    assert found["status"] == status


def test_a_warning_makes_yellow_and_an_error_red(make_view, thresholds) -> None:
    view = make_view(start=DAY, end=DAY)
    for severity, status in (("warn", "YELLOW"), ("error", "RED")):
        also = pl.DataFrame(
            [("volume", "zero_volume", severity, view.dataset, "AAA", DAY, 1.0, 0.0, 1, "none")],
            schema=FINDINGS.dtypes,
            orient="row",
        )
        found = row(scored(view, thresholds, also=also))
        assert (found["status"], found["reasons"], found["score"]) == (status, "zero_volume", 1.0)


def test_what_is_measured_is_kept(make_view, thresholds) -> None:
    view = make_view("XNYS", Timeframe.M1, DAY, DAY)
    at = pl.int_range(pl.len())
    bars = view.bars.with_columns(
        close=pl.when(at.is_between(100, 109))
        .then(100.2)
        .when(at.is_in([50, 60]))
        .then(pl.col("close") * 1.05)
        .otherwise("close"),
        volume=pl.when(at < 39).then(None).otherwise("volume"),
        high=pl.when(at.is_in([50, 60])).then(pl.col("high") * 1.05).otherwise("high"),
    ).filter(~at.is_between(200, 203))
    given = pl.DataFrame({"symbol": ["AAA"], "session": [DAY], "rows": [2]})
    refused = given.with_columns(reasons=pl.lit("ohlc"), rows=pl.lit(1))
    own = bars.select("symbol", "session", "ts", "close", basis_group=pl.lit("g"))
    peers = pl.concat(
        [
            own.with_columns(vendor=pl.lit("acme")),
            own.with_columns(pl.col("close") * 1.002, vendor=pl.lit("b")),
        ]
    )
    view = replace(view, bars=bars, duplicates=given, quarantine=refused, peers=peers)
    found = row(scored(view, thresholds))
    expected = {
        "dataset": "curated/bars_1m",
        "expected": 390,
        "observed": 386,
        "gaps": 1,
        "null_rate": pytest.approx(39 / 386),
        "duplicates": 2,
        "ohlc_violations": 1,
        "outliers": 2,
        "flat_run": 10,
        "drift_max": pytest.approx(1 - 1 / 1.002),
        "coverage": pytest.approx(386 / 390),
        "rule_version": "r1",
    }
    assert {name: found[name] for name in expected} == expected


def test_flat_runs_of_daily_bars_go_across_sessions(make_view, thresholds) -> None:
    view = make_view()
    flat = view.bars.with_columns(close=pl.lit(100.0))
    frame = scored(replace(view, bars=flat), thresholds)
    assert frame["flat_run"].to_list() == list(range(1, 22))


def test_a_running_session_is_scored_by_what_is_due(make_view, thresholds) -> None:
    now = datetime(2024, 1, 10, 15, 30, 20, tzinfo=UTC)
    view = make_view("XNYS", Timeframe.M1, DAY, DAY, now=now)
    found = row(scored(view, thresholds))
    assert (found["expected"], found["observed"], found["score"]) == (60, 60, 1.0)


def test_bars_that_nobody_expects_get_a_row_too(make_view, thresholds) -> None:
    view = make_view()
    less = view.expected.filter(pl.col("session") != DAY)
    found = row(scored(replace(view, expected=less), thresholds))
    assert (found["expected"], found["observed"]) == (0, 1)
    # whose freshness is unknown
    assert (found["score"], found["status"]) == (0.75, "YELLOW")


@settings(max_examples=60, deadline=None)
@given(
    coverage=st.floats(0, 1),
    lag=st.one_of(st.none(), st.floats(0, 1e6)),
    worse=st.floats(0, 1),
    later=st.floats(0, 1e5),
)
def test_the_score_falls_with_coverage_and_with_lag(coverage, lag, worse, later) -> None:
    second = None if lag is None else lag + later
    frame = pl.DataFrame(
        {"c": [coverage, coverage * worse, coverage], "f": [lag, lag, second]},
        schema={"c": pl.Float64, "f": pl.Float64},
    )
    first, less, late = frame.select(score("c", "f", pl.lit(900.0))).to_series()
    assert 0 <= less <= first <= 1
    assert 0 <= late <= first


def test_the_digest_follows_every_value_and_nothing_else(make_view) -> None:
    bars = make_view("XNYS", Timeframe.M15, DAY, date(2024, 1, 11)).bars
    before = bars_digest(bars)
    assert before.columns == ["symbol", "session", "bars_digest"]
    assert before["bars_digest"].str.len_chars().to_list() == [32, 32]
    assert bars_digest(bars.sample(fraction=1.0, shuffle=True, seed=1)).equals(before)
    assert bars_digest(bars.with_columns(rule_version=pl.lit("r2"))).equals(before)
    first = pl.int_range(pl.len()) == 0
    changes = {
        "close": pl.col("close") + 1e-13,
        "volume": pl.lit(None, pl.Float64),
        "vwap": pl.lit(0.0),
        "trades": pl.lit(0),
        "final": pl.lit(value=False),
        "flags": pl.lit("jump"),
        "ts": pl.col("ts") + timedelta(microseconds=1),
    }
    seen = {before["bars_digest"][0]}
    for column, value in changes.items():
        changed = bars.with_columns(pl.when(first).then(value).otherwise(column).alias(column))
        after = bars_digest(changed)
        assert after["bars_digest"][1] == before["bars_digest"][1], column
        seen.add(after["bars_digest"][0])
    assert len(seen) == 1 + len(changes)
    assert bars_digest(bars.head(25))["bars_digest"][0] != before["bars_digest"][0]


def test_the_digest_is_the_same_in_every_process(make_view) -> None:
    bars = make_view(start=DAY, end=DAY).bars
    assert bars_digest(bars)["bars_digest"].item() == "05a349bd15ee9020985944df6e68a6c9"


def scores_and_keys(make_view, thresholds):
    view = make_view(symbols=("AAA", "BBB"))
    keys = bars_digest(view.bars).with_columns(dataset=pl.lit(view.dataset))
    return scored(view, thresholds), keys


def judged(scores, keys, **options):
    settings_ = {"sessions": RANGE, "rule_version": "r1", "score_shift": 0.1} | options
    return evaluate_scores(scores, keys, **settings_)


def test_complete_and_current_scores_have_no_findings(make_view, thresholds) -> None:
    outcomes = judged(*scores_and_keys(make_view, thresholds))
    assert list(outcomes) == ["schema", "coverage", "staleness", "drift", "duplicates", "ohlc"]
    assert all(o.findings.is_empty() for o in outcomes.values())


def codes(outcomes) -> list[tuple]:
    frames = [o.findings.select("check", "code", "severity", "symbol") for o in outcomes.values()]
    return pl.concat(frames).rows()


def test_a_curated_session_without_a_score(make_view, thresholds) -> None:
    scores, keys = scores_and_keys(make_view, thresholds)
    gone = (pl.col("session") == DAY) & (pl.col("symbol") == "BBB")
    assert codes(judged(scores.filter(~gone), keys)) == [("coverage", "no_score", "error", "BBB")]


def test_scores_older_than_their_bars_or_rules(make_view, thresholds) -> None:
    scores, keys = scores_and_keys(make_view, thresholds)
    changed = keys.with_columns(
        bars_digest=pl.when((pl.col("session") == DAY) & (pl.col("symbol") == "AAA"))
        .then(pl.lit("other"))
        .otherwise("bars_digest")
    )
    assert codes(judged(scores, changed)) == [("staleness", "score_outdated", "warn", "AAA")]
    renewed = judged(scores, keys, rule_version="r2", sessions=(DAY, DAY))
    assert codes(renewed) == [
        ("staleness", "rules_changed", "warn", "AAA"),
        ("staleness", "rules_changed", "warn", "BBB"),
    ]


def test_a_session_without_bars_is_scored_and_not_called_outdated(make_view, thresholds) -> None:
    scores, keys = scores_and_keys(make_view, thresholds)
    empty = (pl.col("session") == DAY) & (pl.col("symbol") == "BBB")
    without = scores.with_columns(
        bars_digest=pl.when(empty).then(pl.lit("")).otherwise("bars_digest")
    )
    assert codes(judged(without, keys.filter(~empty))) == []
    vanished = codes(judged(scores, keys.filter(~empty)))
    assert vanished == [("staleness", "score_outdated", "warn", "BBB")]


def test_a_fall_of_the_mean_score_is_a_drift(make_view, thresholds) -> None:
    scores, keys = scores_and_keys(make_view, thresholds)

    def lowered(by: float) -> pl.DataFrame:
        low = pl.col("session") == DAY
        return scores.with_columns(score=pl.when(low).then(1 - by).otherwise("score"))

    assert codes(judged(lowered(0.09), keys)) == []
    outcomes = judged(lowered(0.2), keys, sessions=(DAY, DAY))
    assert codes(outcomes) == [("drift", "score_shift", "warn", "*")]
    assert outcomes["drift"].findings["value"].item() == pytest.approx(0.2)
    assert codes(judged(lowered(0.2), keys, sessions=(date(2024, 1, 11), RANGE[1]))) == []


def test_scores_given_twice_and_impossible_values(make_view, thresholds) -> None:
    scores, keys = scores_and_keys(make_view, thresholds)
    twice = pl.concat([scores, scores.head(1)])
    assert codes(judged(twice, keys)) == [("duplicates", "duplicate_rows", "warn", "AAA")]
    at = pl.int_range(pl.len()) == 0
    for column, value in (
        ("score", 1.01),
        ("score", float("nan")),
        ("coverage", 0.5),
        ("gaps", -1),
        ("status", "BLUE"),
        ("drift_max", -0.1),
    ):
        broken = scores.with_columns(
            pl.when(at).then(pl.lit(value)).otherwise(column).alias(column)
        )
        assert ("ohlc", "inconsistent", "error", "AAA") in codes(judged(broken, keys)), column


def test_scores_of_another_shape(make_view, thresholds) -> None:
    scores, keys = scores_and_keys(make_view, thresholds)
    outcomes = judged(scores.drop("score"), keys, sessions=(DAY, DAY))
    assert {(check, code) for check, code, *_ in codes(outcomes)} == {
        ("schema", "schema"),
        *(
            (name, "not_judged")
            for name in ("coverage", "staleness", "drift", "duplicates", "ohlc")
        ),
    }


def test_each_dataset_is_compared_with_its_own_past(make_view, thresholds) -> None:
    scores, keys = scores_and_keys(make_view, thresholds)
    poor = scores.with_columns(dataset=pl.lit("curated/bars_5m"), score=pl.lit(0.5))
    other = keys.with_columns(dataset=pl.lit("curated/bars_5m"))
    assert codes(judged(pl.concat([scores, poor]), pl.concat([keys, other]))) == []
