"""Which daily closes a dividend is weighed against, when bars are read with it worked in."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest

from market_data.corporate_actions.adjustment import Adjust
from market_data.errors import MarketDataError
from market_data.pipeline.adjusting import adjusted_bars
from market_data.pipeline.platform import Platform
from market_data.schemas import CORPORATE_ACTIONS, CURATED_BARS
from tests.support.fake_vendor import shares
from tests.support.worlds import World

NOW = datetime(2024, 3, 18, 12, tzinfo=UTC)
DAYS = [date(2024, 3, d) for d in (4, 5, 6, 7, 8)]
PAID, SPLIT = date(2024, 3, 6), date(2024, 3, 8)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A dividend of 2 a share that costs 400, and a split of 4 two days later."""
    made = shares(World.at(tmp_path_factory.mktemp("paid"), NOW)).platform
    rows = [
        ("AAA", day, kind, value, "a_list", datetime.combine(day, time(), UTC))
        for day, kind, value in ((PAID, "dividend", 2.0), (SPLIT, "split", 4.0))
    ]
    actions = pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes, orient="row")
    made.actions.add(actions, now=NOW)
    return made


def bars(hour: int, **columns: list[object]) -> pl.DataFrame:
    values = {"close": [400.0] * 4 + [100.0], "dq_status": ["ok"] * 5, "flags": [""] * 5} | columns
    starts = [datetime.combine(day, time(hour), UTC) for day in DAYS]
    frame = pl.DataFrame({"symbol": "AAA", "session": DAYS, "ts": starts, **values})
    texts = [pl.lit("").alias(c) for c in ("source", "filled", "rule_version")]
    prices = [pl.col("close").alias(c) for c in ("open", "high", "low")]
    rest = [pl.lit(None).alias(c) for c in ("volume", "vwap", "trades")]
    return CURATED_BARS.conform(
        frame.with_columns(*texts, *prices, *rest, final=pl.lit(value=True))
    )


def weighed(platform: Platform, **daily: list[object]) -> list[float]:
    found = adjusted_bars(
        platform,
        bars(15),
        ["AAA"],
        Adjust.TOTAL,
        NOW + timedelta(days=1),
        closes=lambda: bars(0, **daily),
        stacklevel=1,
    )
    return found["close"].round(6).to_list()


def test_the_close_before_the_ex_date_counts(platform: Platform) -> None:
    assert weighed(platform) == [99.5, 99.5, 100.0, 100.0, 100.0]


@pytest.mark.parametrize(
    "doubt",
    [
        {"dq_status": ["error"] * 2 + ["ok"] * 3, "flags": ["splits_disputed"] * 2 + [""] * 3},
        {"dq_status": ["warn"] * 2 + ["ok"] * 3, "flags": ["splits_unknown"] * 2 + [""] * 3},
    ],
)
def test_closes_that_may_be_divided_are_no_measure(
    platform: Platform, doubt: dict[str, list[object]]
) -> None:
    with pytest.raises(MarketDataError, match="can be trusted, for the session before AAA 2024"):
        weighed(platform, close=[100.0] * 5, **doubt)


def test_a_close_that_is_wrong_is_as_one_that_is_missing(platform: Platform) -> None:
    wrong = {"close": [400.0, 40.0, 400.0, 400.0, 100.0], "flags": ["", "unit_error", "", "", ""]}
    found = weighed(platform, dq_status=["ok", "error", "ok", "ok", "ok"], **wrong)
    assert found == [99.5, 99.5, 100.0, 100.0, 100.0]


def test_a_warning_alone_keeps_no_close_from_counting(platform: Platform) -> None:
    found = weighed(platform, dq_status=["warn"] * 5, flags=["jump"] * 5)
    assert found == [99.5, 99.5, 100.0, 100.0, 100.0]
