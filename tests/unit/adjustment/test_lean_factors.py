"""LEAN's factor files against its own raw closes and against Yahoo's adjusted close."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.corporate_actions.adjustment import Adjust, adjust
from market_data.corporate_actions.lean_factors import lean_actions, parse_factor_file
from market_data.corporate_actions.undoing import deadjust_splits
from market_data.errors import SchemaError

DAY = datetime(2018, 1, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def sessions(test_data: Path) -> pl.DataFrame:
    recorded = pl.read_csv(test_data / "reference/exchange_sessions/xnys.csv.gz")
    return recorded.select(session=pl.col("open").str.slice(0, 10).str.to_date())


def closes_of(folder: Path, symbol: str) -> pl.DataFrame:
    """LEAN's raw daily bars as columns symbol, session, open, high, low, close, volume."""
    with zipfile.ZipFile(folder / f"daily/lean_usa/{symbol}.zip") as archive:
        content = archive.read(f"{symbol}.csv")
    names = ["at", "open", "high", "low", "close", "volume"]
    return pl.read_csv(io.BytesIO(content), has_header=False, new_columns=names).select(
        pl.lit(symbol.upper()).alias("symbol"),
        pl.col("open", "high", "low", "close") / 10000,
        session=pl.col("at").str.slice(0, 8).str.to_date("%Y%m%d"),
        volume=pl.col("volume").cast(pl.Float64),
    )


def factors_of(folder: Path, symbol: str) -> pl.DataFrame:
    return parse_factor_file((folder / f"reference/lean_factor_files/{symbol}.csv").read_text())


@pytest.mark.parametrize("symbol", ["aapl", "ibm", "spy"])
def test_adjusting_by_the_actions_gives_the_factors_of_the_file(
    test_data: Path, sessions: pl.DataFrame, symbol: str
) -> None:
    bars, factors = closes_of(test_data, symbol), factors_of(test_data, symbol)
    actions = lean_actions(factors, symbol=symbol.upper(), sessions=sessions)
    # the file's reference prices are the closes that it was made from
    closes = bars.select("symbol", "session", "close").update(
        factors.select(session="date", close="reference_price"), on="session"
    )
    adjusted = adjust(bars, actions, mode=Adjust.TOTAL, closes=closes)
    stated = bars.join_asof(factors, left_on="session", right_on="date", strategy="forward")
    compared = adjusted.select("session", adjusted="close").with_columns(
        stated=stated["close"] * stated["price_factor"] * stated["split_factor"]
    )
    worst = compared.select((pl.col("adjusted") / pl.col("stated") - 1).abs().max()).item()
    assert adjusted.height == 5849
    assert worst < 1e-6


def test_aapl_by_its_own_raw_closes_alone(test_data: Path, sessions: pl.DataFrame) -> None:
    bars, factors = closes_of(test_data, "aapl"), factors_of(test_data, "aapl")
    actions = lean_actions(factors, symbol="AAPL", sessions=sessions)
    adjusted = adjust(bars, actions, mode=Adjust.TOTAL)
    stated = bars.join_asof(factors, left_on="session", right_on="date", strategy="forward")
    product = stated["price_factor"] * stated["split_factor"]
    assert ((adjusted["close"] / (bars["close"] * product)) - 1).abs().max() < 1e-6


def test_aapl_splits_and_a_dividend_on_their_ex_dates(
    test_data: Path, sessions: pl.DataFrame
) -> None:
    actions = lean_actions(
        factors_of(test_data, "aapl"), symbol="AAPL", sessions=sessions, snap_splits=True
    )
    splits = actions.filter(pl.col("kind") == "split").select("ex_date", "value").rows()
    assert splits == [
        (date(2000, 6, 21), 2.0),
        (date(2005, 2, 28), 2.0),
        (date(2014, 6, 9), 7.0),
        (date(2020, 8, 31), 4.0),
    ]
    paid = dict(actions.filter(pl.col("kind") == "dividend").select("ex_date", "value").rows())
    assert paid[date(2012, 8, 9)] == pytest.approx(2.65, abs=0.001)
    assert paid[date(2020, 8, 7)] == pytest.approx(0.82, abs=0.001)
    assert actions["known_at"][0] == datetime(2000, 6, 21, tzinfo=UTC)


def test_yahoo_rows_deadjusted_and_adjusted_again_give_its_adjusted_close(
    test_data: Path, sessions: pl.DataFrame
) -> None:
    name = "yahoofinance-AAPL-20040819-20180120.csv"
    served = pl.read_csv(test_data / "daily/yahoo" / name, try_parse_dates=True)
    yahoo = served.rename(str.lower).rename({"date": "session", "adj close": "adj_close"})
    yahoo = yahoo.with_columns(
        symbol=pl.lit("AAPL"), basis=pl.lit("splits|trade|USD|regular|"), fetched_at=pl.lit(DAY)
    )
    actions = lean_actions(
        factors_of(test_data, "aapl"), symbol="AAPL", sessions=sessions, snap_splits=True
    )
    traded = deadjust_splits(yahoo, actions, calendar="XNYS")
    lean = closes_of(test_data, "aapl").select("session", lean="close")
    against = traded.join(lean, on="session").select(
        (pl.col("close") / pl.col("lean") - 1).abs().median()
    )
    assert against.item() < 1e-6
    total = adjust(traded, actions, mode=Adjust.TOTAL, as_of=DAY)
    assert total.height == 3379
    assert (total["close"] / yahoo["adj_close"] - 1).abs().max() < 1e-3


def test_lean_closes_adjusted_as_of_a_day_agree_with_yahoo(
    test_data: Path, sessions: pl.DataFrame
) -> None:
    name = "yahoofinance-AAPL-20040819-20180120.csv"
    served = pl.read_csv(test_data / "daily/yahoo" / name, try_parse_dates=True)
    actions = lean_actions(factors_of(test_data, "aapl"), symbol="AAPL", sessions=sessions)
    total = adjust(closes_of(test_data, "aapl"), actions, mode=Adjust.TOTAL, as_of=DAY)
    error = (
        total.join(served.select(session="Date", adj="Adj Close"), on="session")
        .select(error=(pl.col("close") / pl.col("adj") - 1).abs())
        .get_column("error")
    )
    assert error.len() == 3379
    assert error.median() < 1e-5
    # the two vendors' raw closes differ by more than 0.1 % on 127 days
    assert (error > 1e-3).sum() < 130


def test_a_file_of_another_shape_is_refused() -> None:
    with pytest.raises(SchemaError, match="not a LEAN factor file"):
        parse_factor_file("<html>busy</html>\n")
    with pytest.raises(SchemaError, match="not a LEAN factor file"):
        parse_factor_file("2014-06-06,0.9,0.25,645.57\n")


def test_sessions_must_reach_past_the_last_action(test_data: Path, sessions: pl.DataFrame) -> None:
    early = sessions.filter(pl.col("session") < date(2020, 1, 1))
    with pytest.raises(SchemaError, match="no session is given after 2021-02-04"):
        lean_actions(factors_of(test_data, "aapl"), symbol="AAPL", sessions=early)


def test_a_dividend_without_a_reference_price_is_refused(sessions: pl.DataFrame) -> None:
    factors = parse_factor_file("20140505,0.9,1,0\n20501231,1,1,0\n")
    with pytest.raises(SchemaError, match="no reference price on 2014-05-05"):
        lean_actions(factors, symbol="A", sessions=sessions)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("20140606,0.9,1e-300,640.0", "implausible_split"),
        ("20140606,0.9,-0.5,640.0", "bad_value"),
        ("20140606,0.9,nan,640.0", "bad_value"),
        ("20140606,-0.9,1,640.0", "implausible_dividend"),
        ("20140606,1.9,1,640.0", "bad_value"),
    ],
)
def test_factors_that_cannot_be_refuse_the_file(
    sessions: pl.DataFrame, row: str, reason: str
) -> None:
    factors = parse_factor_file(f"20140512,0.9,1,585.0\n{row}\n20501231,1,1,0\n")
    with pytest.raises(SchemaError, match=reason):
        lean_actions(factors, symbol="A", sessions=sessions)
