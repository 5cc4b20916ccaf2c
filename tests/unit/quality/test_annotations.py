"""What decisions say of findings, bars and scores."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from market_data.ports import Annotation, Decision
from market_data.quality.annotations import (
    ACCEPTED,
    HEARD,
    heard_in,
    imputations,
    preferences,
    split_accepted,
    standing,
    unusable,
)
from market_data.schemas import FINDINGS

SPOKEN = pl.DataFrame(
    {"vendor": ["lean"], "symbol": ["AAA"], "session": [date(2024, 1, 3)]}, schema=HEARD
)
NOON = datetime(2024, 1, 10, 12, tzinfo=UTC)
FIRST, LAST = date(2024, 1, 1), date(2024, 1, 31)
MONTH = (FIRST, LAST)
DAILY = "curated/bars_1d"

BASE = Annotation(
    created_at=NOON,
    author="ana",
    dataset=DAILY,
    symbol="AAA",
    first_session=date(2024, 1, 3),
    last_session=date(2024, 1, 5),
    decision=Decision.ACCEPT,
    reason="the exchange closed early",
    id=1,
)


def finding(
    day: int, code: str = "coverage_error", dataset: str = DAILY, symbol: str = "AAA"
) -> dict[str, object]:
    return {
        "check": code,
        "code": code,
        "severity": "error",
        "dataset": dataset,
        "symbol": symbol,
        "session": date(2024, 1, day),
        "value": 0.1,
        "threshold": 0.75,
        "rows": 1,
        "detail": "few bars",
    }


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=FINDINGS.dtypes)


def test_what_is_accepted_is_no_longer_open_and_still_listed() -> None:
    found = frame(
        finding(2), finding(3), finding(5), finding(6), finding(4, symbol="BBB"),
        finding(4, dataset="curated/bars_1m"),
    )  # fmt: skip
    left, accepted = split_accepted(found, [BASE])
    assert left["session"].dt.day().to_list() == [2, 6, 4, 4]
    assert accepted.schema == ACCEPTED
    assert accepted["session"].dt.day().to_list() == [3, 5]
    assert accepted.select("annotation", "author", "reason").unique().rows() == [
        (1, "ana", "the exchange closed early")
    ]
    assert left.columns == found.columns


def test_only_the_codes_that_are_named_are_accepted() -> None:
    found = frame(finding(3), finding(3, "jump"), finding(3, "volume"))
    left, _ = split_accepted(found, [replace(BASE, codes=("jump", "volume"))])
    assert left["code"].to_list() == ["coverage_error"]


def test_settling_a_drift_accepts_it_for_the_vendors_too_and_nothing_else() -> None:
    settled = replace(BASE, decision=Decision.PREFER_VENDOR, vendor="lean")
    found = frame(
        finding(3, "drift"), finding(3, "drift_outlier", "raw/yahoo_bars_1d"), finding(3, "jump"),
        finding(3, "drift", "raw/yahoo_bars_1m"), finding(3, "drift", "quality/scores"),
    )  # fmt: skip
    left, accepted = split_accepted(found, [settled], heard=SPOKEN)
    assert accepted["dataset"].to_list() == [DAILY, "raw/yahoo_bars_1d"]
    assert left["code"].to_list() == ["jump", "drift", "drift"]
    minutes = replace(settled, dataset="curated/bars_5m")
    other = frame(finding(3, "drift", "raw/x_bars_15m"), finding(3, "drift", "curated/bars_15m"))
    assert split_accepted(other, [minutes], heard=SPOKEN)[1].is_empty()


def test_a_vendor_who_says_nothing_of_a_session_settles_no_drift_of_it() -> None:
    settled = replace(BASE, decision=Decision.PREFER_VENDOR, vendor="lean")
    found = frame(finding(3, "drift"), finding(4, "drift"), finding(4, "drift", symbol="BBB"))
    left, accepted = split_accepted(found, [settled], heard=SPOKEN)
    assert accepted["session"].dt.day().to_list() == [3]
    assert left.height == 2
    assert split_accepted(found, [settled])[1].is_empty()
    # What others accept stands beside it.
    both = [settled, replace(BASE, id=2, codes=("drift",))]
    assert split_accepted(found, both, heard=SPOKEN)[1]["annotation"].to_list() == [2, 2]
    peers = SPOKEN.with_columns(close=1.0)
    assert_frame_equal(heard_in(pl.concat([peers, peers]), [settled]), SPOKEN)
    assert heard_in(peers, [replace(settled, vendor="yahoo")]).is_empty()
    assert heard_in(None, [settled]).is_empty()


def test_the_newest_of_several_decisions_is_named() -> None:
    newer = replace(BASE, id=7, author="ben")
    _, accepted = split_accepted(frame(finding(3)), [newer, BASE])
    assert accepted["author"].to_list() == ["ben"]
    vendors = [
        replace(BASE, id=i, decision=Decision.PREFER_VENDOR, vendor=v, first_session=d)
        for i, v, d in ((1, "old", date(2024, 1, 3)), (2, "new", date(2024, 1, 5)))
    ]
    assert preferences(vendors, MONTH)["vendor"].to_list() == ["old", "old", "new"]
    assert preferences(vendors, (LAST, LAST)).is_empty()


def test_what_was_taken_back_stands_no_more_since_then() -> None:
    back = replace(
        BASE, id=2, decision=Decision.TAKE_BACK, takes_back=1, created_at=NOON + timedelta(days=1)
    )
    assert standing([BASE, back]) == []
    assert standing([BASE, back], NOON + timedelta(hours=1)) == [BASE]
    assert standing([BASE, back], NOON - timedelta(microseconds=1)) == []


def test_days_are_unusable_once_however_often_somebody_says_so() -> None:
    bad = replace(BASE, decision=Decision.UNUSABLE)
    assert unusable([bad, replace(bad, id=2), BASE], MONTH).rows() == [
        ("AAA", date(2024, 1, day)) for day in (3, 4, 5)
    ]
    how = replace(BASE, decision=Decision.IMPUTE, imputation="prices=ffill")
    assert imputations([bad, how], MONTH)["imputation"].unique().to_list() == ["prices=ffill"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"imputation": "prices=ffill"},
        {"decision": Decision.IMPUTE},
        {"takes_back": 3},
        {"decision": Decision.TAKE_BACK},
        {"decision": Decision.UNUSABLE, "codes": ("drift",)},
    ],
)
def test_a_decision_that_says_too_much_or_too_little_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="only"):
        replace(BASE, **wrong)  # type: ignore[arg-type]


days = st.integers(1, 31)
annotations = st.builds(
    lambda i, a, b, symbol, codes: replace(
        BASE,
        id=i,
        first_session=date(2024, 1, min(a, b)),
        last_session=date(2024, 1, max(a, b)),
        symbol=symbol,
        codes=tuple(codes),
    ),
    st.integers(1, 99),
    days,
    days,
    st.sampled_from(["AAA", "BBB"]),
    st.lists(st.sampled_from(["jump", "volume"]), unique=True),
)
findings = st.builds(
    finding,
    days,
    st.sampled_from(["jump", "volume", "drift"]),
    st.sampled_from([DAILY, "curated/bars_1m"]),
    st.sampled_from(["AAA", "BBB"]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(findings, max_size=12),
    st.lists(annotations, max_size=5, unique_by=lambda a: a.id),
)
def test_nothing_is_lost_or_accepted_without_a_decision(
    rows: list[dict[str, object]], decided: list[Annotation]
) -> None:
    found = frame(*rows)

    def accepts(row: dict[str, object]) -> bool:
        return any(
            a.dataset == row["dataset"]
            and a.symbol == row["symbol"]
            and a.first_session <= row["session"] <= a.last_session  # type: ignore[operator]
            and (not a.codes or row["code"] in a.codes)
            for a in decided
        )

    left, accepted = split_accepted(found, decided)
    assert left.to_dicts() == [row for row in rows if not accepts(row)]
    assert_frame_equal(accepted.select(FINDINGS.names), frame(*(r for r in rows if accepts(r))))
