"""Bars that are made up: how far, from what, and marked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.curation.imputation import COLUMNS, MASKS, Imputation, impute, parse
from market_data.errors import ConfigurationError
from market_data.schemas import CURATED_BARS, PRICES

START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


def grid(
    closes: list[float | None], segments: list[int] | None = None, wanted: list[bool] | None = None
) -> pl.DataFrame:
    """One symbol's minutes; a bar without a close is missing."""
    count = len(closes)
    there = pl.col("close").is_not_null()
    values = pl.DataFrame(
        {
            "close": pl.Series(closes, dtype=pl.Float64),
            "segment": segments or [0] * count,
            "wanted": wanted or [True] * count,
        }
    ).with_columns(
        open=pl.col("close") - 1,
        high=pl.col("close") + 2,
        low=pl.col("close") - 2,
        volume=pl.when(there).then(10.0),
        symbol=pl.lit("AAA"),
        ts=pl.Series([START + timedelta(minutes=i) for i in range(count)]).cast(
            pl.Datetime("us", "UTC")
        ),
        session=pl.lit(date(2024, 1, 2)),
        final=pl.lit(value=True),
        **{n: pl.lit("x") for n in ("source", "filled", "dq_status", "flags", "rule_version")},
    )
    return pl.concat(
        [CURATED_BARS.conform(values), values.select("segment", "wanted")], how="horizontal"
    )


def minutes(made: pl.DataFrame) -> list[int]:
    return [(ts - START) // timedelta(minutes=1) for ts in made["ts"]]


def test_a_carried_bar_stands_still_at_the_last_close_and_nobody_traded_in_it() -> None:
    made = impute(grid([10.0, None, None, 20.0]), parse("ffill"))
    assert made.columns == [*CURATED_BARS.names, *MASKS]
    assert made.select(PRICES).rows() == [(10.0,) * 4] * 2
    assert made["volume"].to_list() == [None, None]
    assert made.select("source", "dq_status", "flags").unique().rows() == [
        ("imputed", "warn", "imputed")
    ]
    masks = made.select(MASKS).unique().row(0, named=True)
    assert [m.removeprefix("is_imputed_") for m, made_up in masks.items() if made_up] == [*PRICES]


def test_volume_is_null_unless_somebody_asks_for_more() -> None:
    made = impute(grid([10.0, None]), parse("prices=ffill,volume=zero,trades=zero"))
    assert made.select("volume", "trades", "is_imputed_volume", "is_imputed_vwap").rows() == [
        (0.0, 0, True, False)
    ]
    assert impute(grid([10.0, None]), parse("ffill"))["volume"].to_list() == [None]


@pytest.mark.parametrize(
    ("text", "volume", "trades"),
    [
        ("ffill,volume=ffill", [10.0, 10.0], [None, None]),
        ("ffill,volume=interpolate,trades=interpolate", [20.0, 30.0], [6, 7]),
        ("ffill,volume=constant:2.5,trades=constant:5", [2.5, 2.5], [5, 5]),
        ("ffill,volume=interpolate,limit=1", [None], [None]),
    ],
)
def test_volume_and_trades_follow_their_method_and_are_marked(
    text: str, volume: list[float | None], trades: list[int | None]
) -> None:
    there = [True, False, False, True]
    bars = grid([10.0 if one else None for one in there]).with_columns(
        volume=pl.Series([10.0, None, None, 40.0]),
        trades=pl.Series([5, None, None, 8], dtype=CURATED_BARS.dtypes["trades"]),
    )
    made = impute(bars, parse(text))
    assert made["volume"].to_list() == volume
    assert made["trades"].to_list() == trades
    assert made["is_imputed_volume"].to_list() == [v is not None for v in volume]
    assert made["is_imputed_trades"].to_list() == [t is not None for t in trades]


def test_the_first_bars_of_a_gap_are_made_up_however_long_it_turns_out() -> None:
    long = [10.0, None, None, None, None, 20.0]
    assert minutes(impute(grid(long), parse("ffill,limit=2"))) == [1, 2]
    assert minutes(impute(grid([*long[:4]]), parse("ffill,limit=2"))) == [1, 2]
    assert minutes(impute(grid(long), parse("constant:5,limit=3"))) == [1, 2, 3]


def test_of_a_gap_that_is_too_long_nothing_is_interpolated() -> None:
    assert impute(grid([10.0, None, None, None, 20.0]), parse("interpolate,limit=2")).is_empty()
    made = impute(grid([10.0, None, None, None, 20.0]), parse("interpolate,limit=3"))
    assert made["close"].to_list() == [12.5, 15.0, 17.5]
    assert made["open"].to_list() == [11.5, 14.0, 16.5]
    assert impute(grid([10.0, None]), parse("interpolate")).is_empty()


def test_nothing_crosses_into_another_segment() -> None:
    closes, segments = [10.0, None, None, 20.0], [0, 0, 1, 1]
    assert minutes(impute(grid(closes, segments), parse("ffill"))) == [1]
    assert impute(grid(closes, segments), parse("interpolate")).is_empty()
    empty = impute(grid([10.0, None, None], [0, 1, 1]), parse("constant:5"))
    assert empty.is_empty()


def test_every_price_is_what_its_setting_says() -> None:
    four = parse("open=constant:5,high=constant:7,low=constant:4,close=constant:6")
    assert impute(grid([10.0, None]), four).select(PRICES).rows() == [(5.0, 7.0, 4.0, 6.0)]


METHODS = st.sampled_from(["none", "ffill", "interpolate", "constant:5", "constant:12"])


@given(st.fixed_dictionaries(dict.fromkeys(PRICES, METHODS)))
@settings(max_examples=150, deadline=None)
def test_prices_are_made_up_as_said_or_refused_by_name(words: dict[str, str]) -> None:
    """Nothing is silently replaced: a wish that would break the order of a bar is refused."""
    bars = grid([10.0, None, 20.0])
    try:
        how = parse(words)
    except ConfigurationError as error:
        assert any(column in str(error) for column in (*PRICES, "prices"))
        return
    (row,) = impute(bars, how).select(PRICES).rows(named=True)
    said = {"ffill": dict.fromkeys(PRICES, 10.0), "interpolate": {**row}}
    for column, word in words.items():
        constant = float(word.partition(":")[2] or 0)
        assert row[column] == (constant or said[word][column])
    assert row["low"] <= min(row["open"], row["close"])
    assert max(row["open"], row["close"]) <= row["high"]


def test_a_decision_from_before_makes_up_no_bar_whose_prices_cross() -> None:
    old = parse("prices=ffill,high=constant:12", kept=True)
    made = impute(grid([10.0, None, 20.0, None]), old)
    assert made.select(PRICES).rows() == [(10.0, 12.0, 10.0, 10.0)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "all four prices"),
        ("open=ffill,close=ffill", "name a method for high, low"),
        ("open=none,high=ffill,low=ffill,close=ffill", "name a method for open"),
        ("prices=constant:5,high=ffill", "high=ffill.*several methods may cross"),
        ("prices=constant:5,close=constant:9", "close=constant:9.0 is above high=constant:5.0"),
        ("prices=constant:5,low=constant:6", "low=constant:6.0 is above open=constant:5.0"),
        ("ffill,volume=constant:-1", "volume=constant:-1"),
        ("ffill,trades=often", "trades='often'; it takes none, ffill, interpolate, zero"),
        ("ffill,limit=0", "limit='0'"),
        ("ffill,prices=constant:2", "given twice"),
        ("median", "it takes none, ffill"),
        ("constant", "it takes none, ffill"),
        ("ffill:3", "it takes none, ffill"),
        ("constant:-2", "above 0"),
        ("constant:nan", "above 0"),
        ("ffill,bid=ffill", "no column 'bid'"),
    ],
)
def test_words_that_are_no_imputation_are_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse(text)


price_rules = st.sampled_from(["ffill", "interpolate", "constant:7.5"])
imputations = st.builds(
    lambda prices, volume, vwap, limit: parse(
        {"prices": prices, "volume": volume, "vwap": vwap, "limit": limit}
    ),
    price_rules,
    st.sampled_from(["none", "zero", "ffill", "interpolate", "constant:10"]),
    st.sampled_from(["none", "ffill", "interpolate"]),
    st.integers(1, 4),
)
cells = st.lists(st.one_of(st.none(), st.floats(3, 1000)), min_size=1, max_size=14)


@given(imputations)
@settings(max_examples=60, deadline=None)
def test_an_imputation_is_what_its_text_says(how: Imputation) -> None:
    assert parse(str(how)) == how


@given(cells, imputations, st.data())
@settings(max_examples=120, deadline=None)
def test_what_is_made_up_is_bounded_marked_and_possible(
    closes: list[float | None], how: Imputation, data: st.DataObject
) -> None:
    count = len(closes)
    cuts = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    segments = [sum(cuts[: i + 1]) for i in range(count)]
    wanted = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    made = impute(grid(closes, segments, wanted), how)
    at = minutes(made)
    assert all(closes[i] is None and wanted[i] for i in at)
    for i in at:
        before = [j for j in range(i) if segments[j] == segments[i]]
        run = next(n for n, j in enumerate(reversed(before)) if closes[j] is not None)
        assert run < how.limit
    assert made.filter(pl.col("high") < pl.max_horizontal("open", "close", "low")).is_empty()
    assert made.filter(pl.col("low") > pl.min_horizontal("open", "close")).is_empty()
    # All real bars have the volume 10.
    assert set(made["volume"].to_list()) <= {None, 0.0, 10.0}
    for column, mask in zip(COLUMNS, MASKS, strict=True):
        assert (made[mask] == made[column].is_not_null()).all()


@given(cells, st.integers(1, 4), st.sampled_from(["ffill", "constant:7.5"]))
@settings(max_examples=60, deadline=None)
def test_only_interpolation_looks_ahead(
    closes: list[float | None], limit: int, method: str
) -> None:
    how = parse({"prices": method, "limit": limit})
    assert not how.looks_ahead
    whole = impute(grid(closes), how)
    for end in range(1, len(closes) + 1):
        early = impute(grid(closes[:end]), how)
        assert early.rows() == whole.head(early.height).rows()
        assert minutes(early) == [i for i in minutes(whole) if i < end]
