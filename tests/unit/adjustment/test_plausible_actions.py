"""Splits and dividends that cannot be, by whomever they are told."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import polars as pl
import pytest

from market_data.corporate_actions.plausible import plausible_actions
from market_data.schemas import CORPORATE_ACTIONS, REJECTED_ROWS

DAY = date(2020, 8, 31)
KNOWN = datetime(2020, 8, 31, tzinfo=UTC)


def told(*rows: tuple[str, float | None], day: date | None = DAY) -> pl.DataFrame:
    return pl.DataFrame(
        [("ACME", day, kind, value, "acme", KNOWN) for kind, value in rows],
        schema=CORPORATE_ACTIONS.dtypes,
        orient="row",
    )


def closes(*rows: tuple[date, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [("ACME", day, close) for day, close in rows],
        schema={"symbol": pl.String, "session": pl.Date, "close": pl.Float64},
        orient="row",
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [("split", 4.0), ("split", 1 / 500), ("split", 1_000.0), ("split", 1.05), ("split", 1 / 1_000),
     ("dividend", 0.0001), ("dividend", 35.0)],
)  # fmt: skip
def test_what_has_happened_passes(kind: str, value: float) -> None:
    good, bad = plausible_actions(told((kind, value)), closes((date(2020, 8, 28), 40.0)))
    assert good.rows() == [("ACME", DAY, kind, value, "acme", KNOWN)]
    assert bad.is_empty()


@pytest.mark.parametrize(
    ("kind", "value", "reasons"),
    [
        ("split", 1e300, "implausible_split"),
        ("split", 1_001.0, "implausible_split"),
        ("split", 0.0009, "implausible_split"),
        ("split", 1.0, "bad_value"),
        ("split", 0.0, "bad_value"),
        ("split", -2.0, "bad_value"),
        ("split", None, "bad_value"),
        ("split", float("inf"), "bad_value"),
        ("dividend", float("nan"), "bad_value"),
        ("dividend", -0.5, "bad_value"),
        ("dividend", 1e308, "implausible_dividend"),
        ("dividend", 40.0, "implausible_dividend"),
        ("spinoff", 1.5, "bad_kind"),
    ],
)
def test_what_cannot_be_is_refused(kind: str, value: float | None, reasons: str) -> None:
    good, bad = plausible_actions(told((kind, value)), closes((date(2020, 8, 28), 40.0)))
    assert good.is_empty()
    REJECTED_ROWS.check(bad)
    assert bad.select("symbol", "ts", "reasons").rows() == [("ACME", KNOWN, reasons)]
    assert json.loads(bad["row"][0])["kind"] == kind


def test_without_a_close_before_a_dividend_is_held_to_the_bound_alone() -> None:
    for known in (None, closes((date(2020, 8, 1), 1.0)), closes((DAY, 1.0))):
        good, bad = plausible_actions(told(("dividend", 40.0)), known)
        assert (good.height, bad.height) == (1, 0)


def test_two_values_of_one_action_are_both_refused_and_one_said_twice_is_one() -> None:
    good, bad = plausible_actions(told(("split", 2.0), ("split", 3.0), ("dividend", 1.0)))
    assert good["kind"].to_list() == ["dividend"]
    assert bad["reasons"].to_list() == ["contradiction"] * 2
    good, bad = plausible_actions(told(("split", 2.0), ("split", 2.0)))
    assert (good.height, bad.height) == (1, 0)


def test_an_action_without_a_day_is_refused() -> None:
    good, bad = plausible_actions(told(("split", 2.0), day=None), closes((DAY, 1.0)))
    assert good.is_empty()
    assert bad.select("ts", "reasons").rows() == [(None, "bad_date")]


def test_a_later_revision_of_a_source_is_no_contradiction() -> None:
    later = told(("split", 3.0)).with_columns(
        known_at=pl.lit(datetime(2020, 9, 9, tzinfo=UTC), dtype=pl.Datetime("us", "UTC"))
    )
    good, bad = plausible_actions(pl.concat([told(("split", 2.0)), later]))
    assert (good.height, bad.height) == (2, 0)
