"""A drift that somebody settled: the preferred vendor's bars, in those sessions alone."""

from __future__ import annotations

from datetime import date

import polars as pl
from polars.testing import assert_frame_equal

from market_data.curation.preference import PREFERRED
from market_data.schemas import CURATED_BARS
from tests.support.raw_rows import curated, raw_rows

DAY = date(2024, 1, 3)


def prefer(vendor: str, day: date = DAY, symbol: str = "AAA") -> pl.DataFrame:
    return pl.DataFrame([(symbol, day, vendor)], schema=PREFERRED, orient="row")


def close_on(value: float) -> pl.Expr:
    return pl.when(pl.col("session") == DAY).then(value).otherwise(100.5)


def test_the_preferred_vendor_is_served_and_its_session_trusted() -> None:
    found = curated(
        raw_rows(), raw_rows(vendor="beta", close=close_on(99.0)), preferred=prefer("beta")
    )
    CURATED_BARS.check(found.bars)
    assert found.bars["source"].to_list() == ["alpha", "beta", "alpha", "alpha"]
    assert found.bars["close"].to_list() == [100.5, 99.0, 100.5, 100.5]
    assert found.bars["dq_status"].unique().to_list() == ["ok"]
    assert found.drift["severity"].to_list() == [None, "error", None, None]


def test_other_sessions_drift_as_before() -> None:
    other = raw_rows(vendor="beta", close=99.0)
    found = curated(raw_rows(), other, preferred=prefer("beta"))
    assert found.bars["dq_status"].to_list() == ["error", "ok", "error", "error"]


def test_the_odd_one_of_three_stays_where_it_is_preferred() -> None:
    bars = (raw_rows(close=close_on(99.0)), raw_rows(vendor="beta"), raw_rows(vendor="gamma"))
    found = curated(*bars, preferred=prefer("alpha"))
    assert found.bars["source"].to_list() == ["alpha"] * 4
    assert found.bars["close"].to_list()[1] == 99.0
    assert found.quarantined.is_empty()
    assert found.bars["dq_status"].unique().to_list() == ["ok"]


def test_a_preferred_vendor_without_bars_settles_nothing() -> None:
    bars = (raw_rows(), raw_rows(vendor="beta", close=close_on(99.0)))
    for absent in (prefer("gamma"), prefer("beta", date(2024, 1, 9)), prefer("beta", symbol="BBB")):
        assert_frame_equal(curated(*bars, preferred=absent).bars, curated(*bars).bars)


def test_volume_still_comes_from_the_next_vendor() -> None:
    found = curated(
        raw_rows(),
        raw_rows(vendor="beta", close=close_on(99.0), volume=pl.lit(None, pl.Float64)),
        preferred=prefer("beta"),
    )
    row = found.bars.filter(pl.col("session") == DAY).row(0, named=True)
    assert (row["source"], row["close"], row["volume"], row["filled"]) == (
        "beta",
        99.0,
        10.0,
        "volume:alpha",
    )
