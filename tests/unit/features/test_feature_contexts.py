"""Confluence, macro context and regime statistics, on rows made by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from market_data.features.confluence import confluence
from market_data.features.definitions import CONFLUENCE_WEIGHTS
from market_data.features.macro_context import macro_context
from market_data.features.regime_stats import regime_stats, summary
from market_data.features.registry import FEATURE_TIMEFRAMES
from market_data.macro.schemas import MACRO_EVENTS
from market_data.schemas import UTC as INSTANT
from market_data.timeframes import Timeframe

D1, H1, M1 = Timeframe.D1, Timeframe.H1, Timeframe.M1
DAY = date(2024, 1, 3)
SESSIONS = pl.DataFrame(
    {"symbol": "A", "session": [DAY + timedelta(days=n) for n in range(-3, 3)], "number": range(6)},
    schema_overrides={"number": pl.Int64},
)
REGIME = {
    "symbol": pl.String, "ts": INSTANT, "session": pl.Date, "available_at": INSTANT,
    "regime": pl.String,
}  # fmt: skip


def at(hour: float, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)


def regimes(timeframe: Timeframe, told: dict[datetime, str | None]) -> pl.DataFrame:
    rows = [("A", ts, ts.date(), ts + timeframe.duration, word) for ts, word in told.items()]
    return pl.DataFrame(rows, schema=REGIME, orient="row")


def test_the_weights_are_those_of_the_documents() -> None:
    assert sum(CONFLUENCE_WEIGHTS.values()) == 100
    assert {*CONFLUENCE_WEIGHTS} == {str(t) for t in FEATURE_TIMEFRAMES}


def test_a_row_takes_only_bars_that_had_ended() -> None:
    """The hour and the day that still run are not known; those before are."""
    minutes = {at(10.5 + n / 60): "trending_up" for n in range(40)}
    hours = {at(9): "trending_up", at(10): "trending_down"}
    days = {at(0, DAY - timedelta(days=1)): "trending_up", at(0): "trending_down"}
    given = {M1: regimes(M1, minutes), H1: regimes(H1, hours), D1: regimes(D1, days)}
    rows = confluence(given, SESSIONS).filter(pl.col("session") == DAY)
    assert rows["base"].unique().to_list() == ["1m"]
    assert rows["direction_1d"].unique().to_list() == [1]
    known = dict(rows.select("available_at", "direction_1h").iter_rows())
    assert (known[at(10 + 59 / 60)], known[at(11)]) == (1, -1)
    assert rows["direction_4h"].null_count() == rows.height
    early, late = rows.row(0, named=True), rows.row(-1, named=True)
    points = ["points_up", "points_down", "points_known", "signal"]
    assert [early[n] for n in points] == [60.0, 0.0, 60.0, None]
    assert [late[n] for n in points] == [45.0, 15.0, 60.0, None]


def test_of_bars_that_are_known_at_one_moment_the_newest_counts() -> None:
    """A day over a vendor's own hours may end after the next one; both are known then."""
    days = regimes(D1, {at(0, DAY - timedelta(days=1)): "trending_down", at(0): "trending_up"})
    together = days.with_columns(available_at=pl.lit(at(12)))
    for order in (together, together.reverse()):
        given = {H1: regimes(H1, {at(12): "trending_up"}), D1: order}
        rows = confluence(given, SESSIONS).filter(pl.col("session") == DAY)
        assert rows["direction_1d"].to_list() == [1]


@pytest.mark.parametrize(
    ("words", "signal", "up", "down"),
    [
        ({"1d": "trending_up", "4h": "trending_up"}, "up", 65, 0),
        ({"1d": "trending_down", "4h": "trending_down", "1m": "trending_up"}, "down", 5, 65),
        ({"1d": "trending_up", "1h": "trending_up", "1m": "trending_up"}, "none", 60, 0),
        ({"4h": "trending_up"}, "none", 25, 0),
    ],
)
def test_more_than_sixty_points_are_a_signal(
    words: dict[str, str], signal: str, up: float, down: float
) -> None:
    ends = at(24) - timedelta(minutes=1)
    given = {
        t: regimes(t, {ends + timedelta(minutes=1) - t.duration: words.get(str(t), "quiet_range")})
        for t in FEATURE_TIMEFRAMES
    }
    rows = confluence(given, SESSIONS)
    newest = rows.sort("available_at").row(-1, named=True)
    told = [newest[n] for n in ("signal", "points_up", "points_down", "points_known")]
    assert told == [signal, up, down, 100]


def test_what_is_older_than_the_session_before_is_not_known() -> None:
    days = {at(0, DAY - timedelta(days=n)): "trending_up" for n in (3, 2)}
    minutes = {at(5): "trending_up", at(5, DAY - timedelta(days=1)): "trending_up"}
    rows = confluence({M1: regimes(M1, minutes), D1: regimes(D1, days)}, SESSIONS)
    told = dict(rows.filter(pl.col("base") == "1m").select("session", "direction_1d").iter_rows())
    assert told == {DAY: None, DAY - timedelta(days=1): 1}
    # Sessions without minutes have their day itself as row; its own regime is known at its end.
    assert rows.filter(pl.col("base") == "1d")["direction_1d"].to_list() == [1, 1]


def event(hours: float, importance: str, status: str = "released", **other: Any) -> dict[str, Any]:
    known = {c.name: "x" for c in MACRO_EVENTS.columns if c.dtype == pl.String()}
    return known | {
        "ts": at(14) - timedelta(hours=hours), "session": DAY, "known_at": at(0),
        "currency": "USD", "importance": importance, "status": status,
    } | other  # fmt: skip


def test_macro_context_knows_what_had_happened_when_the_session_opened() -> None:
    events = pl.DataFrame(
        [
            event(0, "low"),
            event(6, "medium"),
            event(30, "high"),
            event(-1, "high"),
            event(2, "high", status="scheduled"),
            event(5 * 24, "high"),
            event(3, "high", currency="EUR"),
            event(31 * 24, "low", currency="JPY"),
        ],
        schema=MACRO_EVENTS.dtypes,
    )
    openings = pl.DataFrame(
        {"symbol": ["SPY", "EURUSD", "USDJPY", "NIKKEI"], "session": DAY, "open": at(14)},
        schema_overrides={"open": INSTANT},
    )
    currencies = {
        "SPY": ("USD",), "EURUSD": ("EUR", "USD"), "USDJPY": ("USD", "JPY"), "NIKKEI": ("JPY",)
    }  # fmt: skip
    firsts = pl.DataFrame(
        schema={"series": pl.String, "period": pl.Date, "first_known_at": INSTANT}
    )
    rows = macro_context(openings, events, firsts, currencies)
    cells = rows.drop("ts", "session", "available_at", "definition").rows_by_key(
        "symbol", named=False, unique=True
    )
    assert cells["SPY"] == (0.0, 30.0, 2, 3, pytest.approx(0.4 + 0.65 + 1))
    assert cells["EURUSD"] == (0.0, 3.0, 3, 4, pytest.approx(0.4 + 0.65 + 1 + 1))
    assert cells["USDJPY"] == cells["SPY"]
    assert cells["NIKKEI"] == (None, None, None, None, None)
    assert rows["available_at"].equals(rows["ts"])


@pytest.mark.parametrize(
    ("known", "hours", "day", "days"),
    [
        (None, 30.0, 0, 1),
        (-30 - 24 * 40, 30.0, 0, 1),  # a revision of what had come before
        (-30, 30.0, 0, 1),
        (-5, 5.0, 1, 1),
        (0, 0.0, 1, 1),
        (0.5, None, None, None),  # it had not come when the session opened
    ],
)
def test_a_release_counts_from_when_its_value_could_be_known(
    known: float | None, hours: float | None, day: int | None, days: int | None
) -> None:
    period = date(2023, 12, 1)
    events = pl.DataFrame(
        [event(30, "high", series="CPI", period=period)], schema=MACRO_EVENTS.dtypes
    )
    firsts = pl.DataFrame(
        {
            "series": ["CPI", "CPI", "PPI"],
            "period": [period, date(2023, 11, 1), period],
            "first_known_at": [None if known is None else at(14 + known), at(14), at(14)],
        },
        schema_overrides={"first_known_at": INSTANT},
    )
    opening = pl.DataFrame({"symbol": "SPY", "session": DAY, "open": [at(14)]})
    rows = macro_context(opening.cast({"open": INSTANT}), events, firsts, {"SPY": ("USD",)})
    told = rows.select("hours_since_release", "hours_since_high", "releases_1d", "releases_5d")
    assert told.row(0) == (hours, hours, day, days)


def test_regime_statistics_add_up() -> None:
    days = [at(0, DAY + timedelta(days=n)) for n in range(4)]
    words = ["quiet_range", "quiet_range", "trending_up", None]
    given = regimes(D1, dict(zip(days, words, strict=True))).with_columns(
        volatility=pl.lit("low"), atr_ratio=pl.Series([0.01, 0.03, 0.02, 0.5])
    )
    labels = given.select("symbol", "ts", fwd_ret_1=pl.Series([0.02, -0.01, None, 0.3]))
    stats = regime_stats(given, labels, D1)
    assert stats["bars"].to_list() == [1, 1, 1]
    quiet, up = summary(stats).sort("regime").rows(named=True)
    assert (quiet["bars"], quiet["share"], quiet["win_rate"]) == (2, pytest.approx(2 / 3), 0.5)
    assert quiet["mean_return"] == pytest.approx(0.005)
    assert quiet["deviation"] == pytest.approx(0.015)
    assert quiet["mean_atr_ratio"] == pytest.approx(0.02)
    assert (up["bars"], up["win_rate"], up["mean_return"]) == (1, None, None)
