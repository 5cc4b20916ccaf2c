"""The Python client over a store with bars that are withheld and one that is still running."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import emp
from adapters.backend import open_platform
from adapters.settings import Settings
from emp.client import get_latest_bars
from market_data.datasets import curated_bars
from market_data.errors import ConfigurationError
from market_data.schemas import CURATED_BARS
from market_data.timeframes import Timeframe

DAYS = [date(2024, 3, d) for d in (4, 5, 6, 7, 8, 11, 12, 13)]
STATUS = ["ok", "ok", "warn", "ok", "error", "error", "error", "ok"]
"""The last one is still running."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(data_dir=tmp_path_factory.mktemp("client"))
    count = len(DAYS)
    bars = pl.DataFrame(
        {
            "symbol": ["AAPL"] * count,
            "ts": [datetime(d.year, d.month, d.day, 14, 30, tzinfo=UTC) for d in DAYS],
            "session": DAYS,
            **{price: [float(d.day) for d in DAYS] for price in ("open", "high", "low", "close")},
            "source": ["lean"] * count,
            "filled": [""] * count,
            "final": [True] * (count - 1) + [False],
            "dq_status": STATUS,
            "flags": [""] * count,
            "rule_version": ["v"] * count,
        }
    )
    open_platform(settings).store.replace(
        curated_bars(Timeframe.D1),
        CURATED_BARS.conform(bars),
        sessions=(DAYS[0], DAYS[-1]),
        symbols=["AAPL"],
    )
    return settings


def days(frame: pl.DataFrame) -> list[int]:
    return [d.day for d in frame["session"]]


def test_a_reader_gets_the_documented_columns_of_trusted_final_bars(settings: Settings) -> None:
    bars = emp.get_curated_bars("AAPL", settings=settings)
    assert bars.schema == CURATED_BARS.empty().schema
    assert days(bars) == [4, 5, 6, 7]


def test_more_is_served_only_when_asked_for(settings: Settings) -> None:
    assert days(emp.get_curated_bars("AAPL", quality="ok", settings=settings)) == [4, 5, 7]
    every = emp.get_curated_bars("AAPL", quality="all", settings=settings)
    assert days(every) == [4, 5, 6, 7, 8, 11, 12]
    running = emp.get_curated_bars("AAPL", running=True, settings=settings)
    assert days(running) == [4, 5, 6, 7, 13]


def test_a_day_is_included_and_an_instant_excluded(settings: Settings) -> None:
    assert days(emp.get_curated_bars("AAPL", "2024-03-05", "2024-03-06", settings=settings)) == [
        5,
        6,
    ]
    end = datetime(2024, 3, 6, 14, 30)  # noqa: DTZ001  a naive one is what is tested
    assert days(emp.get_curated_bars("AAPL", date(2024, 3, 5), end, settings=settings)) == [5]
    later = end + timedelta(seconds=1)
    assert days(emp.get_curated_bars("AAPL", None, later, settings=settings)) == [4, 5, 6]


def test_the_newest_bars_reach_past_those_that_are_withheld(settings: Settings) -> None:
    assert days(get_latest_bars("AAPL", 3, settings=settings)) == [5, 6, 7]
    assert days(get_latest_bars("AAPL", 2, quality="all", settings=settings)) == [11, 12]
    assert days(get_latest_bars("AAPL", 100, settings=settings)) == [4, 5, 6, 7]
    assert get_latest_bars("MSFT", 3, settings=settings).is_empty()


def test_columns_are_chosen_and_unknown_ones_refused(settings: Settings) -> None:
    bars = emp.get_curated_bars("AAPL", columns=["ts", "close"], settings=settings)
    assert bars.columns == ["ts", "close"]
    with pytest.raises(ConfigurationError, match="no column price; there are: symbol"):
        emp.get_curated_bars("AAPL", columns=["price"], settings=settings)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"symbols": "NOPE"}, "add it to config/universe.yaml"),
        ({"symbols": []}, "at least one symbol"),
        ({"symbols": "AAPL", "timeframe": "2h"}, "it takes one of: 1m, 5m"),
        ({"symbols": "AAPL", "quality": "best"}, "trusted, ok, all"),
        ({"symbols": "AAPL", "adjusted": "yes"}, "none, splits, total"),
    ],
)
def test_an_argument_without_meaning_is_refused_with_the_cure(
    settings: Settings, options: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        emp.get_curated_bars(settings=settings, **options)  # type: ignore[arg-type]


def test_a_symbol_registered_meanwhile_is_seen(settings: Settings) -> None:
    from adapters.configuration import register
    from adapters.registration.yahoo_symbols import guess_instrument

    with pytest.raises(ConfigurationError):
        emp.get_curated_bars("NVDA", settings=settings)
    register(settings, instruments=[guess_instrument("yahoo", "NVDA")])
    assert emp.get_curated_bars("NVDA", settings=settings).is_empty()


def test_one_vendor_may_be_given_as_a_text(settings: Settings) -> None:
    one = emp.get_coverage("AAPL", "2024-03-04", "2024-03-08", vendors="yahoo", settings=settings)
    several = emp.get_coverage(
        ["AAPL"], "2024-03-04", "2024-03-08", vendors=["yahoo"], settings=settings
    )
    assert_frame_equal(one, several)
    assert one["vendor"].unique().to_list() == ["yahoo"]
    with pytest.raises(ConfigurationError, match="nobody"):
        emp.get_coverage("AAPL", "2024-03-04", "2024-03-08", vendors="nobody", settings=settings)


def test_one_column_may_be_given_as_a_text(settings: Settings) -> None:
    bars = emp.get_curated_bars("AAPL", columns="close", settings=settings)
    assert bars.columns == ["close"]


@pytest.mark.parametrize("currencies", ["usd", ["usd", "USD"], "USD"])
def test_currencies_are_taken_in_any_case(settings: Settings, currencies: str | list[str]) -> None:
    found = emp.get_macro_events(
        "2024-01-01", "2024-01-31", currencies=currencies, importance="High", settings=settings
    )
    assert found.is_empty()
    with pytest.raises(ConfigurationError, match="XXX"):
        emp.get_macro_events("2024-01-01", "2024-01-31", currencies="xxx", settings=settings)


def test_a_bias_is_told_of_a_pair_in_any_case(settings: Settings) -> None:
    told = emp.get_macro_bias("eurusd", "2024-01-31", settings=settings)
    assert_frame_equal(told, emp.get_macro_bias(["EURUSD"], "2024-01-31", settings=settings))
