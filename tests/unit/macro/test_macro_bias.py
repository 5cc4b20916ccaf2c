"""Bias and confidence by the weights of the documents, worked out by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.macro.bias import currencies_of, macro_bias
from market_data.macro.schemas import MACRO_EVENTS
from market_data.universe import AssetClass, Instrument

AT = datetime(2024, 11, 1, 13, tzinfo=UTC)
PAIR = {"EURUSD": ("EUR", "USD")}
Event = tuple[str, float, str, str, float | None, float | None]
"""Symbol, hours from the moment, currency, importance, value, the one before."""


def events(rows: list[Event]) -> pl.DataFrame:
    texts = {c.name: "x" for c in MACRO_EVENTS.columns if c.dtype == pl.String()}
    return pl.DataFrame(
        [
            texts
            | {
                "symbol": symbol,
                "ts": AT + timedelta(hours=hours),
                "session": AT.date(),
                "known_at": AT,
                "currency": currency,
                "importance": importance,
                "published": value,
                "previous": previous,
            }
            for symbol, hours, currency, importance, value, previous in rows
        ],
        schema=MACRO_EVENTS.dtypes,
    )


def bias(
    rows: list[Event],
    effects: dict[str, int] | None = None,
    pairs: dict[str, tuple[str, str | None]] = PAIR,
) -> tuple[float, float, int]:
    known = pl.DataFrame(
        {"symbol": list(effects or {}), "effect": list((effects or {}).values())},
        schema={"symbol": pl.String, "effect": pl.Int64},
    )
    (row,) = macro_bias(events(rows), known, pairs, at=AT).to_dicts()
    return row["bias"], row["confidence"], row["events"]


def test_one_event_worked_out_by_hand() -> None:
    """A rise by a tenth, half an hour ago, speaks for the dollar and against the pair."""
    decay = math.exp(-0.5 / 84)
    found = bias([("A", -0.5, "USD", "high", 110.0, 100.0)])
    assert found == pytest.approx((-0.1 * decay, 0.2 + 0.1 + 0.2, 1))


def test_the_weights_of_the_documents() -> None:
    for importance, weight in (("high", 1.0), ("medium", 0.65), ("low", 0.4), ("other", 0.5)):
        found, confidence, _ = bias([("A", 0, "EUR", importance, 110.0, 100.0)])
        assert found == pytest.approx(0.1 * weight)
        assert confidence == pytest.approx(0.5)


def test_a_currency_is_the_mean_of_its_events_and_the_pair_their_difference() -> None:
    rows: list[Event] = [
        ("A", 0, "EUR", "high", 110.0, 100.0),
        ("B", 0, "EUR", "high", None, None),
        ("C", 0, "USD", "high", 104.0, 100.0),
        ("D", 0, "JPY", "high", 200.0, 100.0),
    ]
    found, confidence, count = bias(rows)
    assert found == pytest.approx(0.05 - 0.04)
    assert (confidence, count) == (pytest.approx(0.7), 3)


def test_far_events_count_less_and_never_less_than_a_third() -> None:
    assert bias([("A", -84, "EUR", "high", 110.0, 100.0)])[0] == pytest.approx(0.1 * math.exp(-1))
    assert bias([("A", -119, "EUR", "high", 110.0, 100.0)])[0] == pytest.approx(0.1 * 0.3)
    assert bias([("A", 160, "EUR", "high", None, None)]) == (0.0, pytest.approx(0.5), 1)


@pytest.mark.parametrize("hours", [-121, 169])
def test_without_events_nearby_there_is_little_confidence(hours: float) -> None:
    assert bias([("A", hours, "EUR", "high", 110.0, 100.0)]) == (0.0, 0.1, 0)


def test_a_rise_of_unemployment_speaks_against_the_currency() -> None:
    rows: list[Event] = [("A", 0, "EUR", "high", 4.4, 4.0)]
    assert bias(rows, {"A": -1})[0] == pytest.approx(-0.1)
    assert bias(rows, {"A": 0})[0] == 0.0


def test_a_smaller_deficit_is_a_rise() -> None:
    assert bias([("A", 0, "EUR", "high", -72.0, -80.0)])[0] == pytest.approx(0.1)


@pytest.mark.parametrize(("value", "previous"), [(5.0, 0.0), (0.0, 0.0), (5.0, None), (None, 5.0)])
def test_what_cannot_be_compared_says_nothing(value: float | None, previous: float | None) -> None:
    assert bias([("A", 0, "EUR", "high", value, previous)])[0] == 0.0


def test_more_events_make_more_confidence_up_to_a_limit() -> None:
    rows: list[Event] = [("A", 0, "EUR", "low", 1.0, 1.0)] * 9
    assert bias(rows)[1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("symbol", "asset_class", "currency", "found"),
    [
        ("EURUSD", AssetClass.FX, "USD", ("EUR", "USD")),
        ("USDJPY", AssetClass.FX, "JPY", ("USD", "JPY")),
        ("DEMO-EURUSD", AssetClass.FX, "USD", ("EUR", "USD")),
        ("BTCUSD", AssetClass.CRYPTO, "USD", ("BTC", "USD")),
        ("AAPL", AssetClass.EQUITY, "USD", ("USD", None)),
        ("VOD.L", AssetClass.EQUITY, "GBP", ("GBP", None)),
    ],
)
def test_the_currencies_of_an_instrument(
    symbol: str, asset_class: AssetClass, currency: str, found: tuple[str, str | None]
) -> None:
    instrument = Instrument(
        symbol=symbol, asset_class=asset_class, calendar="fx", currency=currency
    )
    assert currencies_of(instrument) == found


def test_several_instruments_at_once_in_their_order() -> None:
    pairs = {"EURUSD": ("EUR", "USD"), "AAPL": ("USD", None), "EURJPY": ("EUR", "JPY")}
    effects = pl.DataFrame(schema={"symbol": pl.String, "effect": pl.Int64})
    frame = macro_bias(events([("A", 0, "USD", "high", 110.0, 100.0)]), effects, pairs, at=AT)
    assert frame["symbol"].to_list() == list(pairs)
    assert frame["bias"].round(6).to_list() == [-0.1, 0.1, 0.0]
    assert frame["confidence"].round(6).to_list() == [0.5, 0.5, 0.1]


VALUE = st.none() | st.floats(-1e12, 1e12)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.just("A"), st.floats(-200, 200), st.sampled_from(["EUR", "USD", "JPY"]),
            st.sampled_from(["high", "medium", "low", ""]), VALUE, VALUE,
        ),
        max_size=8,
    )
)  # fmt: skip
def test_whatever_comes_bias_and_confidence_stay_within_their_bounds(rows: list[Event]) -> None:
    found, confidence, count = bias(rows)
    assert -1 <= found <= 1
    assert 0.1 <= confidence <= 1
    assert 0 <= count <= len(rows)
