"""Who goes first, what is filled from whom, and that prices of two vendors never mix."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.curation.stitching import Candidate, ranked, stitch
from market_data.errors import MarketDataError
from market_data.ordering import is_sorted
from tests.support.raw_rows import raw_rows

ORDER = ("alpha", "beta", "gamma")


def bars(price: float = 100.0, **columns: object) -> pl.DataFrame:
    values = {"open": price, "high": price + 1, "low": price - 1, "close": price, **columns}
    return raw_rows(**values).with_columns(
        flags=pl.lit(""), dq_status=pl.lit("ok"), final=pl.lit(value=True)
    )


def test_the_rank_is_home_then_native_then_priority_then_name() -> None:
    given_candidates = [
        Candidate("alpha", bars(), home=False),
        Candidate("alpha", bars(), resampled=True),
        Candidate("zeta", bars()),
        Candidate("delta", bars()),
        Candidate("beta", bars(), resampled=True),
        Candidate("beta", bars()),
    ]
    found = [(c.source, c.home) for c in ranked(given_candidates, ORDER)]
    assert found == [
        ("beta", True),
        ("delta", True),
        ("zeta", True),
        ("alpha@1m", True),
        ("beta@1m", True),
        ("alpha", False),
    ]


def test_a_missing_bar_is_filled_whole() -> None:
    candidates = [
        Candidate("gamma", bars(300.0)),
        Candidate("beta", bars(200.0)[[0, 2]]),
        Candidate("alpha", bars(100.0)[[1, 2]]),
    ]
    found = stitch(candidates, ORDER)
    assert found["source"].to_list() == ["beta", "alpha", "alpha", "gamma"]
    assert found.select("open", "high", "low", "close").rows() == [
        (p, p + 1, p - 1, p) for p in (200.0, 100.0, 100.0, 300.0)
    ]
    assert found["filled"].to_list() == [""] * 4
    assert is_sorted(found)


def test_empty_volumes_come_from_the_next_vendor_on_the_same_basis() -> None:
    candidates = [
        Candidate("alpha", bars(volume=None), "trade"),
        Candidate("beta", bars(volume=5.0, vwap=99.0)[[0, 1]], "bid", home=False),
        Candidate("beta", bars(volume=7.0), "trade", resampled=True),
        Candidate("gamma", bars(volume=8.0, vwap=99.5, trades=4)[[0, 3]], "trade"),
    ]
    found = stitch(candidates, ORDER)
    assert found["source"].unique().to_list() == ["alpha"]
    assert found["volume"].to_list() == [8.0, 7.0, 7.0, 8.0]
    assert found["vwap"].to_list() == [99.5, None, None, 99.5]
    assert found["trades"].to_list() == [4, None, None, 4]
    gamma = "trades:gamma,volume:gamma,vwap:gamma"
    assert found["filled"].to_list() == [gamma, "volume:beta@1m", "volume:beta@1m", gamma]


def test_a_volume_on_another_basis_is_not_taken() -> None:
    found = stitch(
        [Candidate("alpha", bars(volume=None), "mid"), Candidate("beta", bars(), "bid")], ORDER
    )
    assert found["volume"].null_count() == 4
    assert found["filled"].to_list() == [""] * 4


def test_zero_is_a_volume() -> None:
    found = stitch([Candidate("alpha", bars(volume=0.0)), Candidate("beta", bars())], ORDER)
    assert found["volume"].to_list() == [0.0] * 4


def test_one_vendor_alone_keeps_its_rows() -> None:
    alone = stitch(
        [Candidate("alpha", bars(), resampled=True), Candidate("beta", bars().clear())], ()
    )
    assert alone["source"].unique().to_list() == ["alpha@1m"]
    assert alone["filled"].unique().to_list() == [""]
    assert stitch([Candidate("alpha", bars().clear())], ()).is_empty()


def test_fractions_of_a_second_are_refused() -> None:
    odd = bars().with_columns(pl.col("ts") + timedelta(milliseconds=1))
    with pytest.raises(MarketDataError, match="whole seconds"):
        stitch([Candidate("alpha", odd), Candidate("beta", bars())], ORDER)


places = st.sets(st.integers(0, 3))


@settings(deadline=None, max_examples=40)
@given(places, places, places, st.permutations(range(3)))
def test_every_bar_is_one_vendors_and_the_best_ones(
    a: set[int], b: set[int], c: set[int], order: list[int]
) -> None:
    held = {"alpha": sorted(a), "beta": sorted(b), "gamma": sorted(c)}
    price = {"alpha": 100.0, "beta": 200.0, "gamma": 300.0}
    candidates = [Candidate(v, bars(price[v])[held[v]]) for v in held]
    found = stitch([candidates[i] for i in order], ORDER)
    keys = bars()["ts"].to_list()
    expected = [
        (keys[i], vendor, price[vendor])
        for i in range(4)
        if (vendor := next((v for v in ORDER if i in held[v]), None))
    ]
    assert found.select("ts", "source", "close").rows() == expected


def test_a_preferred_vendor_goes_first_with_its_whole_bars_alone() -> None:
    """What is running, lacks minutes or is disputed is no bar that anybody could be right with."""
    chosen = bars(100.0).with_columns(
        final=pl.Series([True, False, True, True]),
        flags=pl.Series(["", "", "partial", ""]),
        dq_status=pl.Series(["ok", "ok", "warn", "error"]),
    )
    preferred = Candidate("zeta", chosen, preferred=True)
    found = stitch([preferred, Candidate("alpha", bars(200.0))], ORDER)
    assert found["source"].to_list() == ["zeta", "alpha", "alpha", "alpha"]
    # Beside one that is no better it goes first; so it does where nobody else has a bar.
    running = Candidate("alpha", bars(200.0)[[1]].with_columns(final=pl.lit(value=False)))
    found = stitch([preferred, running], ORDER)
    assert found["source"].to_list() == ["zeta"] * 4
    # A preferred close alone is a whole bar, too.
    fixing = Candidate("zeta", bars(100.0), close_only=True, preferred=True)
    found = stitch([fixing, Candidate("alpha", bars(200.0))], ORDER)
    assert found["source"].to_list() == ["zeta"] * 4


def test_a_close_alone_comes_last_however_good_it_is_otherwise() -> None:
    """Also after a bar that is unfinished, in error, off the home basis, and of nobody's choice."""
    fixing = Candidate("alpha", bars(100.0), close_only=True)
    running = bars(200.0).with_columns(final=pl.lit(value=False), dq_status=pl.lit("error"))
    found = stitch([fixing, Candidate("zeta", running[[0]], home=False)], ORDER)
    assert found["source"].to_list() == ["zeta", "alpha", "alpha", "alpha"]
