"""Curation is deterministic, blind to order, and local to a session."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market_data.curation import CurationResult, curate
from market_data.curation.disagreement import DRIFT
from market_data.curation.refusals import refused_rows
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from tests.support.raw_rows import FETCHED, curated, curation_input, raw_rows

FIRST, LAST = date(2024, 3, 7), date(2024, 3, 12)
NOW = datetime(2024, 3, 12, 16, 7, tzinfo=UTC)
FEEDS = (
    ("AAA", "alpha", "splits|trade||regular|"),
    ("AAA", "beta", "raw|trade||extended|"),
    ("AAA", "gamma", "raw|trade||regular|"),
    ("EURUSD", "alpha", "raw|bid||regular|"),
    ("EURUSD", "beta", "raw|mid||regular|"),
    ("TYO", "gamma", "raw|trade||regular|"),
)
SPLITS = pl.DataFrame(
    [("AAA", date(2024, 3, 11), "split", 1.01, "alpha", FETCHED)],
    schema=CORPORATE_ACTIONS.dtypes,
    orient="row",
)


@cache
def rows(timeframe: Timeframe) -> pl.DataFrame:
    """Every feed's bars, numbered, so that an example can pick among them and spoil some."""
    step = 1 if timeframe is Timeframe.H4 else 20
    frames = [
        raw_rows(s, v, timeframe, FIRST, LAST, basis=b, fetched_at=NOW)[::step] for s, v, b in FEEDS
    ]
    return pl.concat(frames).with_row_index("n")


@st.composite
def logs(draw: st.DrawFn, timeframe: Timeframe) -> pl.DataFrame:
    base = rows(timeframe)
    # None, or many at once: an example costs the same however many rows it spoils.
    places = st.integers(0, base.height - 1)
    some = st.just([]) | st.lists(places, min_size=6, max_size=40)
    gone, wild, twice = draw(some), draw(some), draw(some)
    close = draw(st.sampled_from([0.0, 90.0, 99.2, 100.9, float("nan")]))
    shift = (pl.col("n") * 7919 % 1000) / 1000
    frame = base.filter(~pl.col("n").is_in(gone)).with_columns(
        close=pl.when(pl.col("n").is_in(wild)).then(close).otherwise(100 + shift),
        volume=pl.when(pl.col("n") % 3 == 0).then(None).otherwise(shift),
        vwap=pl.when(pl.col("n") % 4 == 0).then(None).otherwise(100 + shift),
    )
    again = frame.filter(pl.col("n").is_in(twice)).with_columns(
        high=pl.col("high") + (pl.col("n") % 2) / 10
    )
    return pl.concat([frame, again]).drop("n")


def curated_from(native: pl.DataFrame, minutes: pl.DataFrame) -> CurationResult:
    return curated(native, minutes=(minutes,), timeframe=Timeframe.H4, now=NOW, actions=SPLITS)


def same(left: CurationResult, right: CurationResult) -> None:
    for name in ("bars", "quarantined", "drift", "counts"):
        assert getattr(left, name).equals(getattr(right, name)), name


EXAMPLES = settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.slow
@EXAMPLES
@given(logs(Timeframe.H4), logs(Timeframe.M1), st.integers(0, 2**32))
def test_the_order_of_the_rows_does_not_matter(
    native: pl.DataFrame, minutes: pl.DataFrame, seed: int
) -> None:
    straight = curated_from(native, minutes)
    mixed = [f.sample(fraction=1.0, shuffle=True, seed=seed) for f in (native, minutes)]
    same(straight, curated_from(*mixed))
    assert not straight.bars.select("symbol", "ts").is_duplicated().any()


@pytest.mark.slow
@EXAMPLES
@given(logs(Timeframe.H4), logs(Timeframe.M1))
def test_a_range_at_once_equals_its_sessions_one_by_one(
    native: pl.DataFrame, minutes: pl.DataFrame
) -> None:
    whole = curated_from(native, minutes)
    days = pl.date_range(FIRST, LAST, eager=True)
    parts = [
        curated_from(*(f.filter(pl.col("session") == day) for f in (native, minutes)))
        for day in days
    ]
    together = CurationResult(
        pl.concat(p.bars for p in parts).sort("symbol", "ts"),
        pl.concat(p.quarantined for p in parts).sort("symbol", "ts", "row_id"),
        pl.concat(p.drift for p in parts).sort("symbol", "session"),
        pl.concat(p.counts for p in parts).sort("vendor", "timeframe", "symbol", "session"),
    )
    same(whole, together)


@pytest.mark.slow
@EXAMPLES
@given(logs(Timeframe.H4))
def test_what_is_refused_is_told_without_curating(native: pl.DataFrame) -> None:
    """All but what gives way to other vendors, which only their bars tell."""
    given_ = curation_input(native, timeframe=Timeframe.H4, now=NOW, actions=SPLITS)
    whole = curate(given_).quarantined
    assert refused_rows(given_).equals(whole.filter(pl.col("reasons") != DRIFT))


def test_the_examples_reach_every_rule() -> None:
    base = rows(Timeframe.H4)
    spoiled = (
        base.filter(pl.col("symbol") != "TYO")
        .with_columns(close=pl.when(pl.col("n") == 2).then(float("nan")).otherwise("close"))
        .drop("n")
    )
    found = curated_from(spoiled, rows(Timeframe.M1).drop("n"))
    flags = set(",".join(found.bars["flags"]).split(","))
    assert {"deadjusted", "partial"} <= flags
    assert set(found.bars["final"]) == {True, False}
    assert {"alpha", "beta", "gamma@1m"} <= set(found.bars["source"])
    assert "not_finite" in set(found.quarantined["reasons"])
