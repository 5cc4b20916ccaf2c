"""Adjusting on read and undoing a vendor's split adjustment: golden vectors and properties."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.basis import Adjustment, Basis
from market_data.corporate_actions.adjustment import Adjust, adjust
from market_data.corporate_actions.undoing import deadjust_splits
from market_data.errors import MarketDataError
from market_data.schemas import CORPORATE_ACTIONS

KNOWN = datetime(2023, 12, 1, tzinfo=UTC)
SPLITS = "splits|trade|USD|regular|"
RAW = "raw|trade|USD|regular|"
TOTAL = "total|trade|USD|regular|"
DAYS = [date(2024, 1, d) for d in (2, 3, 4, 5)]

Action = tuple[str, date, str, float]


def actions_of(*rows: Action, known_at: datetime = KNOWN) -> pl.DataFrame:
    full = [(*row, "test", known_at) for row in rows]
    return pl.DataFrame(full, schema=CORPORATE_ACTIONS.dtypes, orient="row")


def bars_of(closes: list[float], days: list[date] = DAYS, symbol: str = "ABC") -> pl.DataFrame:
    return pl.DataFrame({"symbol": symbol, "session": days, "close": closes}).with_columns(
        open=pl.col("close") * 0.99,
        high=pl.col("close") * 1.02,
        low=pl.col("close") * 0.98,
        vwap=pl.col("close") * 1.001,
        volume=pl.lit(1000.0),
    )


GOLDEN_BARS = bars_of([46.99, 48.30, 24.96, 24.53])
GOLDEN_ACTIONS = actions_of(
    ("ABC", date(2024, 1, 4), "split", 2.0), ("ABC", date(2024, 1, 5), "dividend", 0.08)
)


def test_golden_vector_of_a_split_and_a_dividend() -> None:
    adjusted = adjust(GOLDEN_BARS, GOLDEN_ACTIONS, mode=Adjust.TOTAL)
    assert adjusted["close"].round(2).to_list() == [23.42, 24.07, 24.88, 24.53]
    factor = 1 - 0.08 / 24.96
    assert adjusted["close"][0] == pytest.approx(46.99 / 2 * factor, rel=1e-12)
    assert adjusted["volume"].to_list() == [2000.0, 2000.0, 1000.0, 1000.0]
    for column in ("open", "high", "low", "vwap"):
        ratio = adjusted[column] / GOLDEN_BARS[column]
        assert ratio.to_list() == pytest.approx(
            (adjusted["close"] / GOLDEN_BARS["close"]).to_list()
        )


def test_golden_vector_of_splits_alone() -> None:
    adjusted = adjust(GOLDEN_BARS, GOLDEN_ACTIONS, mode=Adjust.SPLITS)
    assert adjusted["close"].to_list() == pytest.approx([23.495, 24.15, 24.96, 24.53])


def test_none_leaves_the_bars_alone() -> None:
    assert adjust(GOLDEN_BARS, GOLDEN_ACTIONS, mode=Adjust.NONE).equals(GOLDEN_BARS)


def test_a_dividend_on_the_day_of_a_split_counts_old_shares() -> None:
    both = actions_of(
        ("ABC", date(2024, 1, 4), "split", 2.0), ("ABC", date(2024, 1, 4), "dividend", 0.966)
    )
    adjusted = adjust(GOLDEN_BARS, both, mode=Adjust.TOTAL)
    assert adjusted["close"].to_list() == pytest.approx([46.99 * 0.49, 48.3 * 0.49, 24.96, 24.53])


def test_as_of_leaves_out_what_was_not_known_or_had_not_come() -> None:
    before = datetime(2024, 1, 4, 23, tzinfo=UTC)
    assert adjust(GOLDEN_BARS, GOLDEN_ACTIONS, mode=Adjust.TOTAL, as_of=before)[
        "close"
    ].to_list() == pytest.approx([23.495, 24.15, 24.96, 24.53])
    unknown = KNOWN - timedelta(days=1)
    early = adjust(GOLDEN_BARS, GOLDEN_ACTIONS, mode=Adjust.TOTAL, as_of=unknown)
    assert early["close"].equals(GOLDEN_BARS["close"])


def test_a_corrected_action_replaces_the_first_report() -> None:
    first = actions_of(("ABC", date(2024, 1, 4), "split", 20.0))
    later = actions_of(
        ("ABC", date(2024, 1, 4), "split", 2.0), known_at=datetime(2024, 1, 6, tzinfo=UTC)
    )
    known = pl.concat([later, first])
    assert adjust(GOLDEN_BARS, known, mode=Adjust.SPLITS)["close"][0] == pytest.approx(23.495)
    then = adjust(GOLDEN_BARS, known, mode=Adjust.SPLITS, as_of=datetime(2024, 1, 5, tzinfo=UTC))
    assert then["close"][0] == pytest.approx(2.3495)


def test_intraday_bars_take_the_factor_of_their_session() -> None:
    hours = pl.concat([GOLDEN_BARS, GOLDEN_BARS.with_columns(close=pl.col("close") * 1.01)])
    adjusted = adjust(hours, GOLDEN_ACTIONS, mode=Adjust.TOTAL, closes=GOLDEN_BARS)
    factor = 0.5 * (1 - 0.08 / 24.96)
    assert adjusted["close"][4] == pytest.approx(46.99 * 1.01 * factor)
    with pytest.raises(MarketDataError, match="give the unadjusted daily closes"):
        adjust(hours, GOLDEN_ACTIONS, mode=Adjust.TOTAL)


@pytest.mark.parametrize(
    ("ex_date", "value"),
    [
        pytest.param(date(2024, 1, 25), 0.08, id="the closes end weeks before"),
        pytest.param(date(2024, 1, 5), 30.0, id="more than the close"),
    ],
)
def test_a_dividend_that_cannot_be_worked_in_is_named(ex_date: date, value: float) -> None:
    wrong = actions_of(("ABC", ex_date, "dividend", value))
    with pytest.raises(MarketDataError, match=f"ABC {ex_date}"):
        adjust(GOLDEN_BARS, wrong, mode=Adjust.TOTAL)


def test_an_older_close_stands_in_for_a_missing_one_but_not_across_a_split() -> None:
    hours = GOLDEN_BARS.head(1)
    before_split, since_split = GOLDEN_BARS.head(2), GOLDEN_BARS.head(3)
    paid = actions_of(
        ("ABC", date(2024, 1, 4), "split", 2.0), ("ABC", date(2024, 1, 9), "dividend", 0.08)
    )
    done = adjust(hours, paid, mode=Adjust.TOTAL, closes=since_split)
    assert done["close"][0] == pytest.approx(46.99 / 2 * (1 - 0.08 / 24.96), rel=1e-12)
    with pytest.raises(MarketDataError, match=r"1 dividend.*ABC 2024-01-09"):
        adjust(hours, paid, mode=Adjust.TOTAL, closes=before_split)


def test_a_dividend_before_every_bar_needs_no_close() -> None:
    old = actions_of(("ABC", date(2019, 5, 1), "dividend", 0.5))
    assert adjust(GOLDEN_BARS, old, mode=Adjust.TOTAL).equals(GOLDEN_BARS)


def test_other_symbols_and_the_order_of_rows_are_kept() -> None:
    mixed = pl.concat([GOLDEN_BARS, bars_of([1.0, 2.0, 3.0, 4.0], symbol="XYZ")]).sample(
        fraction=1.0, shuffle=True, seed=3
    )
    adjusted = adjust(mixed, GOLDEN_ACTIONS, mode=Adjust.SPLITS)
    assert adjusted.select("symbol", "session").equals(mixed.select("symbol", "session"))
    other = pl.col("symbol") == "XYZ"
    assert adjusted.filter(other).equals(mixed.filter(other))


def raw_of(bars: pl.DataFrame, basis: str, fetched: datetime) -> pl.DataFrame:
    return bars.with_columns(
        basis=pl.lit(basis), fetched_at=pl.lit(fetched), adj_close=pl.col("close")
    )


def test_split_adjusted_rows_go_back_to_traded_prices() -> None:
    served = raw_of(
        bars_of([23.495, 24.15, 24.96, 24.53]), SPLITS, datetime(2024, 2, 1, tzinfo=UTC)
    )
    traded = deadjust_splits(served, GOLDEN_ACTIONS, calendar="XNYS")
    assert traded["close"].to_list() == pytest.approx([46.99, 48.30, 24.96, 24.53])
    assert traded["volume"].to_list() == [500.0, 500.0, 1000.0, 1000.0]
    assert traded["adj_close"].equals(served["adj_close"])
    assert traded["basis"].to_list() == [RAW] * 4
    assert traded["deadjusted"].to_list() == [True] * 4
    assert traded["vwap"][0] == pytest.approx(served["vwap"][0] * 2)


def test_each_row_is_undone_up_to_its_own_fetch() -> None:
    early = raw_of(bars_of([46.99], [DAYS[0]]), SPLITS, datetime(2024, 1, 3, 22, tzinfo=UTC))
    same_day = raw_of(bars_of([23.495], [DAYS[0]]), SPLITS, datetime(2024, 1, 4, 15, tzinfo=UTC))
    traded = deadjust_splits(pl.concat([same_day, early]), GOLDEN_ACTIONS, calendar="XNYS")
    assert traded["close"].to_list() == pytest.approx([46.99, 46.99])


@pytest.mark.parametrize(
    ("calendar", "ex_date", "before", "since"),
    [
        # 09:30 in New York, which is 14:30 UTC in winter.
        ("XNYS", date(2024, 1, 4), (4, 14, 29), (4, 14, 30)),
        # 09:00 in Tokyo is midnight UTC.
        ("XTKS", date(2024, 1, 4), (3, 23, 59), (4, 0, 0)),
        # A Saturday: its midnight in New York.
        ("XNYS", date(2024, 1, 6), (6, 4, 59), (6, 5, 0)),
    ],
    ids=["new-york", "tokyo", "no-session"],
)
def test_a_split_is_in_the_price_once_its_ex_date_has_opened(
    calendar: str, ex_date: date, before: tuple[int, int, int], since: tuple[int, int, int]
) -> None:
    """A run in the small hours of UTC is still the evening before in New York."""
    split = actions_of(("ABC", ex_date, "split", 2.0))
    early, late = (
        raw_of(bars_of([10.0], [DAYS[0]]), SPLITS, datetime(2024, 1, *when, tzinfo=UTC))
        for when in (before, since)
    )
    traded = deadjust_splits(pl.concat([late, early]), split, calendar=calendar)
    assert traded["close"].to_list() == [20.0, 10.0]


@pytest.mark.parametrize(("adjusted_on", "factor"), [("03", 1.0), ("04", 2.0), ("20", 2.0)])
def test_prices_adjusted_before_the_fetch_are_undone_up_to_that_day(
    adjusted_on: str, factor: float
) -> None:
    later = actions_of(("ABC", date(2024, 1, 30), "split", 4.0))
    rows = raw_of(
        bars_of([10.0], [DAYS[0]]),
        f"{SPLITS}|2024-01-{adjusted_on}",
        datetime(2024, 6, 1, tzinfo=UTC),
    )
    traded = deadjust_splits(rows, pl.concat([GOLDEN_ACTIONS, later]), calendar="XNYS")
    assert traded["close"].to_list() == [10.0 * factor]
    assert traded["basis"].to_list() == [RAW]


def test_rows_of_one_session_may_have_been_adjusted_on_different_days() -> None:
    fetched = datetime(2024, 6, 1, tzinfo=UTC)
    rows = pl.concat(
        raw_of(bars_of([10.0], [DAYS[0]]), basis, fetched)
        for basis in (f"{SPLITS}|2024-01-04", f"{SPLITS}|2024-01-03", SPLITS)
    )
    traded = deadjust_splits(rows, GOLDEN_ACTIONS, calendar="XNYS")
    assert traded["close"].to_list() == [20.0, 10.0, 20.0]


def test_a_basis_says_when_prices_were_adjusted_and_old_texts_still_parse() -> None:
    assert Basis.parse(SPLITS) == Basis(adjustment=Adjustment.SPLITS, unit="USD")
    assert str(Basis.parse(SPLITS)) == SPLITS
    dated = Basis(adjustment=Adjustment.SPLITS, unit="USD", adjusted_on=date(2018, 1, 20))
    assert str(dated) == f"{SPLITS}|2018-01-20"
    assert Basis.parse(str(dated)) == dated


def test_other_bases_are_untouched() -> None:
    fetched = datetime(2024, 2, 1, tzinfo=UTC)
    rows = pl.concat([raw_of(GOLDEN_BARS, RAW, fetched), raw_of(GOLDEN_BARS, TOTAL, fetched)])
    out = deadjust_splits(rows, GOLDEN_ACTIONS, calendar="XNYS")
    assert out.drop("deadjusted").equals(rows)
    assert not out["deadjusted"].any()
    mixed = deadjust_splits(
        pl.concat([rows, raw_of(GOLDEN_BARS, SPLITS, fetched)]), GOLDEN_ACTIONS, calendar="XNYS"
    )
    assert mixed.head(8).drop("deadjusted").equals(rows)
    assert mixed["basis"].to_list() == [RAW] * 4 + [TOTAL] * 4 + [RAW] * 4
    assert mixed["close"][8] == pytest.approx(93.98)


def test_empty_frames_keep_their_columns() -> None:
    rows = raw_of(GOLDEN_BARS, SPLITS, KNOWN).clear()
    assert deadjust_splits(rows, GOLDEN_ACTIONS, calendar="XNYS").columns == [
        *rows.columns,
        "deadjusted",
    ]
    full = raw_of(GOLDEN_BARS, SPLITS, KNOWN)
    assert deadjust_splits(full, CORPORATE_ACTIONS.empty(), calendar="XNYS")["deadjusted"].all()
    assert adjust(GOLDEN_BARS.clear(), GOLDEN_ACTIONS, mode=Adjust.TOTAL).is_empty()
    assert adjust(GOLDEN_BARS, CORPORATE_ACTIONS.empty(), mode=Adjust.TOTAL).equals(GOLDEN_BARS)


split_values = st.sampled_from([2.0, 3.0, 4.0, 7.0, 1.5, 0.1, 0.25])


@settings(max_examples=40, deadline=None)
@given(
    splits=st.dictionaries(st.integers(0, 40), split_values, max_size=5),
    fetched=st.integers(0, 45),
    seed=st.integers(0, 5),
)
def test_what_a_vendor_adjusts_is_undone(splits: dict[int, float], fetched: int, seed: int) -> None:
    """A vendor that adjusts for all splits until its fetch is undone, in any order of rows."""
    start = date(2024, 1, 1)
    days = [start + timedelta(days=d) for d in range(fetched + 1)]
    traded = bars_of([50.0 + d for d in range(fetched + 1)], days)
    actions = actions_of(
        *(("ABC", start + timedelta(days=d), "split", value) for d, value in splits.items())
    )
    when = datetime.combine(days[-1], datetime.min.time(), tzinfo=UTC) + timedelta(hours=22)
    served = adjust(traded, actions, mode=Adjust.SPLITS, as_of=when)
    shuffled = raw_of(served, SPLITS, when).sample(fraction=1.0, shuffle=True, seed=seed)
    again = deadjust_splits(shuffled, actions, calendar="XNYS").sort("session")
    assert again["close"].to_list() == pytest.approx(traded["close"].to_list(), rel=1e-12)
    assert again["volume"].to_list() == pytest.approx(traded["volume"].to_list(), rel=1e-12)
