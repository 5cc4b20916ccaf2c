"""Exports by name, and the units that sessions lie in."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.errors import ConfigurationError
from market_data.exports.jobs import bars_job, export_job, export_jobs
from market_data.timeframes import Timeframe

DAY = st.dates(date(1990, 1, 1), date(2060, 12, 31))


@settings(deadline=None)
@given(DAY, st.integers(0, 900), st.sampled_from(list(Timeframe)))
def test_units_cover_every_session_once(first: date, days: int, timeframe: Timeframe):
    last = first + timedelta(days=days)
    units = bars_job(timeframe).units(first, last)
    assert units[0].first <= first
    assert units[-1].last >= last
    for before, after in pairwise(units):
        assert after.first == before.last + timedelta(days=1)
    assert len({unit.name for unit in units}) == len(units)


def test_fine_bars_lie_by_month_and_coarse_ones_by_year():
    asked = (date(2024, 1, 31), date(2024, 2, 1))
    assert [u.name for u in bars_job(Timeframe.M1).units(*asked)] == [
        "year=2024/month=01",
        "year=2024/month=02",
    ]
    (year,) = bars_job(Timeframe.D1).units(*asked)
    assert (year.name, year.sessions) == ("year=2024", (date(2024, 1, 1), date(2024, 12, 31)))


@pytest.mark.parametrize("name", ["bars_1d", "spark_bars_1d", "exports/spark_bars_1d"])
def test_an_export_has_three_names(name: str):
    assert export_job(name) == bars_job(Timeframe.D1)


def test_an_unknown_export_is_refused_with_those_there_are():
    with pytest.raises(ConfigurationError, match="spark_bars_1h"):
        export_job("bars_2h")


def test_bars_in_error_and_running_bars_are_not_handed_out():
    job = bars_job(Timeframe.H1)
    rows = pl.DataFrame(
        {"dq_status": ["ok", "warn", "error", "ok"], "final": [True, True, True, False]}
    )
    assert rows.select(job.served()).to_series().to_list() == [True, True, False, False]
    assert (
        pl.SQLContext(rows=rows)
        .execute(f"select count(*) n from rows where {job.where}", eager=True)
        .item()
        == 2
    )


def test_there_is_one_of_every_timeframe():
    assert [job.name for job in export_jobs()][: len(Timeframe)] == [
        f"spark_bars_{t}" for t in Timeframe
    ]
