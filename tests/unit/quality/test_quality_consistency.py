"""Numbers that say the same thing twice: what contradicts, and what may differ."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.corporate_actions.adjustment import Adjust, adjust
from market_data.quality.consistency import (
    check_adjustment_chain,
    check_against_intraday,
    check_phantom_dividends,
    spans,
)
from market_data.quality.thresholds import Thresholds
from market_data.schemas import CORPORATE_ACTIONS

DAY = date(2024, 1, 3)
ALWAYS = (date.min, date.max)
DATASET = "curated/bars_1d"


@pytest.fixture(scope="module")
def limits(thresholds: Thresholds) -> pl.DataFrame:
    rules = thresholds.rule("equity", "1d").model_dump()
    return pl.DataFrame([{"symbol": "AAA", "asset_class": "equity", **rules}])


def day(high: float = 102.0, low: float = 98.0, close: float = 101.0) -> pl.DataFrame:
    row = {"symbol": "AAA", "session": DAY, "high": high, "low": low, "close": close}
    return pl.DataFrame([row])


def within(*, whole: bool = True) -> pl.DataFrame:
    bars = [(102.0, 99.0, 100.0), (100.0, 98.0, 101.0)]
    key = {"symbol": "AAA", "session": DAY}
    frame = pl.DataFrame([{**key, "high": h, "low": lo, "close": c} for h, lo, c in bars])
    return spans(frame, pl.DataFrame([{**key, "expected": 2 if whole else 3}]))


@pytest.mark.parametrize(
    ("daily", "whole", "difference"),
    [
        (day(), True, None),
        (day(high=102.1), True, None),
        (day(high=101.8), True, 102 / 101.8 - 1),
        (day(low=98.2), False, 1 - 98 / 98.2),
        (day(high=103.0), True, 1 - 102 / 103),
        (day(high=103.0), False, None),
        (day(close=101.2), True, 1 - 101 / 101.2),
        (day(close=101.2), False, None),
    ],
)
def test_a_day_against_the_bars_within_it(limits, daily, whole, difference) -> None:
    outcome = check_against_intraday(daily, within(whole=whole), limits, dataset=DATASET)
    values = outcome.findings.get_column("value").to_list()
    assert values == ([] if difference is None else [pytest.approx(difference)])
    assert outcome.measured.height == 1


def test_a_day_without_bars_within_it_is_not_judged(limits) -> None:
    nothing = check_against_intraday(day(), within().clear(), limits, dataset=DATASET)
    assert nothing.findings.is_empty()
    assert nothing.measured.is_empty()


def told(kind: str, day_of: date, value: float) -> pl.DataFrame:
    row = {"symbol": "AAA", "ex_date": day_of, "kind": kind, "value": value, "source": "t"} | {
        "known_at": datetime(2020, 1, 1, tzinfo=UTC)
    }
    return CORPORATE_ACTIONS.conform(
        pl.DataFrame([row | dict.fromkeys(set(CORPORATE_ACTIONS.names) - set(row))])
    )


def chain(closes: list[float], adjusted: list[float], fetches: list[str] | None = None):
    return pl.DataFrame(
        {
            "symbol": ["AAA"] * len(closes),
            "session": [DAY + timedelta(days=i) for i in range(len(closes))],
            "close": closes,
            "adj_close": adjusted,
            "fetch_id": fetches or ["f"] * len(closes),
        }
    )


def judged(bars, actions, limits):
    outcome = check_adjustment_chain(bars, actions, limits, dataset=DATASET, sessions=ALWAYS)
    return outcome.findings.select("session", "value", "threshold").rows()


def test_a_dividend_that_was_not_worked_in(limits) -> None:
    paid = told("dividend", DAY + timedelta(days=1), 2.0)
    assert judged(chain([100.0, 99.0], [98.0, 99.0]), paid, limits) == []
    assert judged(chain([100.0, 99.0], [100.0, 99.0]), paid, limits) == [
        (DAY + timedelta(days=1), 1.0, 0.98)
    ]


def test_an_action_that_nobody_told(limits) -> None:
    none = CORPORATE_ACTIONS.empty()
    found = judged(chain([100.0, 51.0, 52.0], [50.0, 51.0, 52.0]), none, limits)
    assert found == [(DAY + timedelta(days=1), 0.5, 1.0)]


def test_adjusted_closes_of_two_fetches_have_two_bases(limits) -> None:
    bars = chain([100.0, 51.0], [100.0, 51.0], ["f", "g"])
    assert judged(bars, told("split", DAY + timedelta(days=1), 2.0), limits) == []


@given(
    steps=st.lists(st.floats(0.9, 1.1), min_size=5, max_size=30),
    splits=st.dictionaries(st.integers(1, 4), st.sampled_from([2.0, 3.0, 0.1]), max_size=2),
    dividends=st.dictionaries(st.integers(1, 4), st.floats(0.01, 2.0), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_what_this_platform_adjusts_is_consistent(
    thresholds: Thresholds, steps, splits, dividends
) -> None:
    limits = pl.DataFrame([{"symbol": "AAA", **thresholds.rule("equity", "1d").model_dump()}])
    whole = [100.0]
    for step in steps:
        whole.append(whole[-1] * step)
    bars = chain(whole, whole)
    known = [told("split", DAY + timedelta(days=d), v) for d, v in splits.items()]
    known += [told("dividend", DAY + timedelta(days=d), v) for d, v in dividends.items()]
    actions = pl.concat([CORPORATE_ACTIONS.empty(), *known])
    prices = bars.with_columns(open="close", high="close", low="close", volume=pl.lit(1.0))
    adjusted = adjust(prices, actions, mode=Adjust.TOTAL)
    mixed = bars.with_columns(adj_close=adjusted.get_column("close"))
    assert judged(mixed, actions, limits) == []


@pytest.mark.parametrize(
    ("days", "amount", "found"),
    [(1, 1.95, True), (7, 1.95, True), (8, 1.95, False), (1, 2.4, False), (1, 1.4, True)],
)
def test_a_dividend_that_repeats_another(days: int, amount: float, *, found: bool) -> None:
    first, later = DAY, DAY + timedelta(days=days)
    actions = pl.concat([told("dividend", first, 1.8), told("dividend", later, amount)])
    outcome = check_phantom_dividends(actions, dataset=DATASET, sessions=ALWAYS)
    rows = outcome.findings.select("session", "value", "threshold").rows()
    assert rows == ([(later, amount, 1.8)] if found else [])
    before = check_phantom_dividends(actions, dataset=DATASET, sessions=(DAY, DAY))
    assert before.findings.is_empty()


def test_several_dividends_that_repeat_others() -> None:
    known = [told("dividend", DAY + timedelta(days=90 * n), 1.8) for n in range(4)]
    again = [told("dividend", DAY + timedelta(days=90 * n + 2), 1.9) for n in (1, 3)]
    outcome = check_phantom_dividends(pl.concat([*known, *again]), dataset=DATASET, sessions=ALWAYS)
    assert outcome.findings["value"].to_list() == [1.9, 1.9]
    assert "a dividend of 1.9 follows one of 1.8" in outcome.findings["detail"][1]
