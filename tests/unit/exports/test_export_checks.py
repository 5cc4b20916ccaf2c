"""What makes an export differ from its source."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
from polars.testing import assert_frame_equal

from market_data.exports.checks import COVERAGE, DRIFT, LATE, added, aggregates, compare, stale
from market_data.exports.health import FAIL, ExportState, evaluate_exports
from market_data.exports.jobs import bars_job
from market_data.exports.manifest import Manifest, UnitRecord
from market_data.operations.grades import Grade
from market_data.timeframes import Timeframe

JOB = bars_job(Timeframe.H1)
NOW = datetime(2024, 3, 1, tzinfo=UTC)


def bars(closes: list[float | None], symbol: str = "A", volume: float | None = 1.0) -> pl.DataFrame:
    start = datetime(2024, 1, 2, 14, tzinfo=UTC)
    rows = pl.DataFrame(
        {
            "symbol": symbol,
            "ts": [start + timedelta(hours=i) for i in range(len(closes))],
            "session": date(2024, 1, 2),
            "close": pl.Series(closes, dtype=pl.Float64),
            "volume": pl.Series([volume] * len(closes), dtype=pl.Float64),
        }
    )
    return JOB.dataset.schema.empty().pipe(lambda e: pl.concat([e, rows], how="diagonal"))


def told(*frames: pl.DataFrame) -> pl.DataFrame:
    return added(JOB, [aggregates(JOB, frame.lazy()).collect() for frame in frames])


def test_parts_add_up_to_the_whole():
    whole = bars([1.0, 2.0, 4.0])
    assert_frame_equal(told(whole), told(whole[:1], whole[1:]), check_column_order=False)


def test_equal_rows_are_no_finding():
    assert compare(told(bars([1.0, 2.0])), told(bars([2.0, 1.0]))).is_empty()
    assert compare(told(), told()).is_empty()


def test_a_row_that_lacks_or_is_too_many_is_one_of_coverage():
    found = compare(told(bars([1.0, 2.0]), bars([1.0], "B")), told(bars([1.0]), bars([1.0], "C")))
    assert found.select("check", "symbol", "detail").rows() == [
        (COVERAGE, "A", "1 rows, the source hands out 2"),
        (COVERAGE, "B", "0 rows, the source hands out 1"),
        (COVERAGE, "C", "1 rows, the source hands out 0"),
    ]


def test_another_value_is_one_of_drift():
    found = compare(told(bars([1.0, 2.0])), told(bars([1.0, 2.001])))
    assert found["check"].to_list() == [DRIFT]
    assert "close" in found["detail"].item()


def test_values_that_cancel_are_measured_by_their_size():
    """A sum near zero of large values is not compared more strictly than they can be added."""
    large = [1e12, -1e12, 0.1]
    assert compare(told(bars(large)), told(bars(large[1:] + large[:1]))).is_empty()
    assert compare(told(bars(large)), told(bars([1e12, -1e12, 1e6]))).height == 1


def test_an_empty_cell_is_nothing_to_add():
    assert compare(told(bars([1.0], volume=None)), told(bars([1.0], volume=None))).is_empty()
    assert compare(told(bars([1.0], volume=None)), told(bars([1.0], volume=3.0))).height == 1


def test_an_empty_cell_is_no_zero():
    found = compare(told(bars([1.0, 2.0], volume=None)), told(bars([1.0, 2.0], volume=0.0)))
    assert found.select("check", "detail").rows() == [
        (DRIFT, "volume is empty in 0 rows, in the source in 2")
    ]
    assert compare(told(bars([1.0], volume=0.0)), told(bars([1.0], volume=None))).height == 1


def test_readiness_judges_a_unit_by_its_own_age():
    """A newer run that wrote others makes it no younger."""

    def unit(name: str, written_at: datetime) -> UnitRecord:
        days = date(2024, 1, 1), date(2024, 1, 31)
        return UnitRecord(name, *days, 1, "0" * 32, "v", "r", "polars", written_at)

    units = unit("old", NOW - 2 * FAIL), unit("new", NOW)
    manifest = Manifest(JOB.name, 2, "r", NOW, {}, {}, "lake", (), (), units, ())

    def grade(*outdated: str) -> Grade:
        states = {JOB.name: ExportState(manifest, outdated=outdated)}
        return evaluate_exports(states, [], NOW, configured=True).grade

    assert [grade(), grade("new"), grade("old"), grade("old", "new")] == [
        Grade.OK,
        Grade.OK,
        Grade.FAIL,
        Grade.FAIL,
    ]


def test_a_stale_unit_is_worse_the_older_it_is():
    unit = UnitRecord(
        "year=2024", date(2024, 1, 1), date(2024, 12, 31), 1, "0" * 32, "v", "r", "polars", NOW
    )
    days = (date(2024, 1, 2), date(2024, 1, 4))
    young, old = (stale(unit, unit.name, days, NOW + age) for age in (LATE, LATE * 1.01))
    assert young["severity"].to_list() == ["warn"] * 3
    assert old["severity"].to_list() == ["error"] * 3
    assert stale(None, "year=2025", days, NOW)["detail"].unique().to_list() == [
        "year=2025 was never exported"
    ]
