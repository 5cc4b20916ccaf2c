"""Which statement holds, and which ones say anything new."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.datasets import FRED_VINTAGES
from market_data.macro.schemas import FRED_OBSERVATIONS
from market_data.statements import holding, new_statements

SEEN = datetime(2024, 1, 2, 13, tzinfo=UTC)
START = datetime(2024, 1, 3, tzinfo=UTC)


def fetched(number: float, values: dict[int, float | None], name: str = "f") -> pl.DataFrame:
    """A fetch of some hours after the start; a value per day of January 2024."""
    at = START + timedelta(hours=number)
    rows = [
        ("GDP", date(2024, 1, 2), date(2024, 1, day), value, SEEN, at, f"{name}{number}")
        for day, value in values.items()
    ]
    return pl.DataFrame(rows, schema=FRED_OBSERVATIONS.dtypes, orient="row")


def keep(kept: pl.DataFrame, incoming: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([kept, new_statements(incoming, kept, FRED_VINTAGES)])


def said(kept: pl.DataFrame, known_at: datetime | None = None) -> dict[int, float | None]:
    rows = holding(kept, FRED_VINTAGES, known_at).sort("period")
    return {p.day: v for p, v in rows.select("period", "value").iter_rows()}


def test_the_same_again_says_nothing() -> None:
    kept = keep(FRED_OBSERVATIONS.empty(), fetched(1, {1: 5.0, 2: None}))
    assert kept.height == 2
    assert keep(kept, fetched(1, {1: 5.0, 2: None})).height == 2
    assert keep(kept, fetched(2, {1: 5.0, 2: None})).height == 2


def test_what_changes_was_not_known_before_it_was_fetched() -> None:
    kept = keep(FRED_OBSERVATIONS.empty(), fetched(1, {1: 5.0}))
    kept = keep(kept, fetched(3, {1: 6.0, 2: 1.0}))
    assert said(kept) == {1: 6.0, 2: 1.0}
    assert said(kept, START + timedelta(hours=2)) == {1: 5.0, 2: 1.0}
    assert said(kept, SEEN) == {1: 5.0, 2: 1.0}
    assert said(kept, SEEN - timedelta(seconds=1)) == {}


def test_a_value_may_change_there_and_back() -> None:
    kept = FRED_OBSERVATIONS.empty()
    for number, value in enumerate([5.0, 6.0, 5.0, None, 5.0], start=1):
        kept = keep(kept, fetched(number, {1: value}))
    assert kept.height == 5
    assert said(kept, START + timedelta(hours=4)) == {1: None}
    assert said(kept) == {1: 5.0}


def test_a_fetch_that_is_written_down_late_changes_nothing_of_what_holds() -> None:
    kept = keep(FRED_OBSERVATIONS.empty(), fetched(2, {1: 6.0}))
    kept = keep(kept, fetched(1, {1: 5.0}))
    assert said(kept) == {1: 6.0}
    assert keep(kept, fetched(1, {1: 5.0})).height == 2


FETCHES = st.lists(
    st.dictionaries(st.integers(1, 3), st.sampled_from([None, 1.0, 2.0]), min_size=1),
    min_size=1,
    max_size=5,
)


@settings(max_examples=120, deadline=None)
@given(fetches=FETCHES, data=st.data())
def test_whatever_order_fetches_are_written_down_in_the_next_one_settles_it(
    fetches: list[dict[int, float | None]], data: st.DataObject
) -> None:
    frames = [fetched(number, values) for number, values in enumerate(fetches, start=1)]
    newest: dict[int, float | None] = {}
    for values in fetches:
        newest |= values
    in_order = kept = FRED_OBSERVATIONS.empty()
    for frame in frames:
        in_order = keep(in_order, frame)
        assert keep(in_order, frame).height == in_order.height
    assert said(in_order) == newest
    for frame in data.draw(st.permutations(frames)):
        kept = keep(kept, frame)
    assert set(said(kept)) == set(newest)
    last = fetched(len(frames) + 1, newest)
    kept = keep(kept, last)
    assert said(kept) == newest
    assert keep(kept, last).height == kept.height


YEAR = 365 * 24
"""Hours that a clock was ahead."""


def keep_now(kept: pl.DataFrame, incoming: pl.DataFrame) -> pl.DataFrame:
    """Kept a second after it was fetched."""
    now = incoming["fetched_at"][0] + timedelta(seconds=1)
    return pl.concat([kept, new_statements(incoming, kept, FRED_VINTAGES, now)])


def test_what_a_clock_that_was_ahead_wrote_buries_nothing() -> None:
    kept = keep_now(FRED_OBSERVATIONS.empty(), fetched(1, {1: 5.0, 3: 9.0}))
    kept = keep_now(kept, fetched(YEAR, {1: 6.0, 2: 1.0, 3: 9.0}))
    kept = keep_now(kept, fetched(2, {1: 7.0, 2: 1.0, 3: 9.0}))
    assert said(kept) == {1: 7.0, 2: 1.0, 3: 9.0}
    assert said(kept, START + timedelta(hours=1)) == {1: 5.0, 2: 1.0, 3: 9.0}
    assert said(kept, START + timedelta(hours=2)) == {1: 7.0, 2: 1.0, 3: 9.0}
    assert holding(kept, FRED_VINTAGES)["fetched_at"].max() == START + timedelta(hours=2)
    # The same fetch again, and the same words later, add nothing.
    for repeated in (fetched(2, {1: 7.0, 2: 1.0}), fetched(3, {1: 7.0, 2: 1.0})):
        assert keep_now(kept, repeated).height == kept.height
    kept = keep_now(kept, fetched(4, {1: 6.0}))
    assert said(kept)[1] == 6.0
    assert said(kept, START + timedelta(hours=3))[1] == 7.0
    # Once that time has come, all goes on as ever.
    kept = keep_now(kept, fetched(YEAR + 1, {1: 8.0, 2: 1.0}))
    assert said(kept) == {1: 8.0, 2: 1.0, 3: 9.0}
    assert said(kept, START + timedelta(hours=4))[1] == 6.0


@settings(max_examples=40, deadline=None)
@given(fetches=FETCHES, data=st.data())
def test_what_was_kept_last_holds_whatever_the_clock_said(
    fetches: list[dict[int, float | None]], data: st.DataObject
) -> None:
    newest: dict[int, float | None] = {}
    kept = FRED_OBSERVATIONS.empty()
    hours = st.sampled_from([1, 2, 3, 50, 51, YEAR])
    for number, values in enumerate(fetches):
        # No two fetches begin in one microsecond.
        frame = fetched(data.draw(hours) + number / 60, values, f"f{number}-")
        kept = keep_now(kept, frame)
        newest |= values
        assert said(kept) == newest
        assert keep_now(kept, frame).height == kept.height
