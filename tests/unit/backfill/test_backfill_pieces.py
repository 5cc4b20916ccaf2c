"""Cutting sessions into runs: none lost, none doubled, none needlessly apart."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.backfill.pieces import GAP, Day, cut

FIRST = date(2024, 1, 1)

days = st.lists(
    st.tuples(st.integers(0, 900), st.integers(0, 500)), max_size=120, unique_by=lambda d: d[0]
).map(lambda found: [Day(FIRST + timedelta(days=n), bars) for n, bars in sorted(found)])


def weekdays(first: date, count: int, bars: int = 1) -> list[Day]:
    every = (first + timedelta(days=n) for n in range(count * 2))
    return [Day(d, bars) for d in every if d.weekday() < 5][:count]


@given(days, st.integers(1, 5_000), st.booleans())
@settings(max_examples=200, deadline=None)
def test_every_session_is_in_exactly_one_run(work: list[Day], limit: int, by_month: bool) -> None:
    runs = cut(work, bars_per_run=limit, by_month=by_month)
    assert [d.session for first, last in runs for d in work if first <= d.session <= last] == [
        d.session for d in work
    ]
    assert all(first <= last for first, last in runs)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(runs))
    for first, last in runs:
        inside = [d for d in work if first <= d.session <= last]
        units = {(d.session.year, d.session.month if by_month else 0) for d in inside}
        assert sum(d.bars for d in inside) <= limit or len(units) == 1
        gaps = [b.session - a.session for a, b in itertools.pairwise(inside)]
        assert all(gap <= GAP for gap in gaps)


def test_a_range_that_one_run_can_hold_is_one_run() -> None:
    work = weekdays(date(2020, 1, 1), 1_000)
    assert cut(work, bars_per_run=1_000, by_month=True) == [(work[0].session, work[-1].session)]


def test_a_larger_one_is_cut_at_ends_of_months_or_years() -> None:
    work = weekdays(date(2023, 11, 1), 80, bars=10)
    assert cut(work, bars_per_run=250, by_month=True) == [
        (date(2023, 11, 1), date(2023, 11, 30)),
        (date(2023, 12, 1), date(2023, 12, 29)),
        (date(2024, 1, 1), date(2024, 1, 31)),
        (date(2024, 2, 1), date(2024, 2, 20)),
    ]
    assert cut(work, bars_per_run=250, by_month=False) == [
        (date(2023, 11, 1), date(2023, 12, 29)),
        (date(2024, 1, 1), date(2024, 2, 20)),
    ]


def test_stretches_far_apart_are_runs_of_their_own() -> None:
    work = [*weekdays(date(2020, 3, 2), 5), *weekdays(date(2024, 3, 4), 5)]
    assert cut(work, bars_per_run=1_000, by_month=True) == [
        (date(2020, 3, 2), date(2020, 3, 6)),
        (date(2024, 3, 4), date(2024, 3, 8)),
    ]
