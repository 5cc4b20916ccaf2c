"""Spark on this machine: exports and curation equal to those without it.

What belongs here: everything that shares one session. A session costs seconds, so there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.configuration import load_thresholds
from adapters.exports import spark_engine
from adapters.exports.running import Exporter
from adapters.exports.settings import SparkSettings
from adapters.exports.sources import TimescaleSource
from adapters.exports.spark_engine import SparkEngine
from adapters.exports.spark_reading import chunks, spark_schema
from adapters.exports.verifying import against_source, read_back
from adapters.settings import Settings
from adapters.spark_curation import SparkCurator
from adapters.spark_features import SparkFeatures
from adapters.timescale.factory import open_connections, open_store
from adapters.timescale.settings import TimescaleSettings
from market_data.curation import CurationInput, curate
from market_data.datasets import FEATURES, curated_bars
from market_data.errors import StorageError
from market_data.exports.jobs import bars_job, export_jobs
from market_data.exports.marks import Verdicts
from market_data.features.registry import Kind, bar_groups
from market_data.pipeline.curate import curate_sessions
from market_data.pipeline.features import Work, computed, make_features
from market_data.schemas import RAW_BARS
from market_data.timeframes import Timeframe
from tests.support.exports import (
    DAYS,
    MINUTES,
    NOW,
    SESSIONS,
    Decided,
    bars,
    decision,
    exported,
    exporter,
    flag,
    put,
    quiet,
)
from tests.support.spark import need_jdbc_jar, spark_session
from tests.support.worlds import FileVendor, World

RUN = "33333333-run"
REAL = ("AAPL", "EURUSD")
YEARS = (date(2005, 1, 3), date(2006, 6, 30))
JUNE = (date(2006, 6, 1), date(2006, 6, 30))
FORTNIGHT = (date(2014, 5, 2), date(2014, 5, 15))
Span = tuple[date, date]
FETCH = {
    "vendor": pl.lit("lean"),
    "vendor_symbol": pl.lit("AAA"),
    "basis": pl.lit("{}"),
    "known_at": pl.lit(NOW),
    "fetched_at": pl.lit(NOW),
    "fetch_id": pl.lit("f"),
}


@dataclass(frozen=True)
class Landed:
    """What a curation stored."""

    rows: int
    quarantined: int
    bars: pl.DataFrame
    refused: pl.DataFrame


WHOLE = (date(1990, 1, 1), date(2030, 1, 1))


@pytest.fixture(scope="module")
def engine() -> Iterator[SparkEngine]:
    """Spark on two processors of this machine, one session for the module."""
    jar = SparkSettings().jdbc_jar
    options = {"spark.jars": str(jar)} if jar else {}
    with spark_session(options=options) as (settings, session):
        yield SparkEngine(settings, lambda: session)


def test_both_engines_write_the_same_layout_and_rows(tmp_path: Path, engine: SparkEngine):
    put(tmp_path, MINUTES, bars())
    polars, spark = exporter(tmp_path), exporter(tmp_path, engine, name="spark")
    one, other = (made.run(MINUTES, None, RUN, quiet) for made in (polars, spark))
    assert [(u.name, u.rows, u.digest) for u in one.units] == [
        (u.name, u.rows, u.digest) for u in other.units
    ]
    assert one.digest == other.digest
    assert (one.schema, one.query, one.partitions) == (other.schema, other.query, other.partitions)
    ordered = [exported(made, MINUTES).sort("symbol", "ts") for made in (polars, spark)]
    assert_frame_equal(*ordered)
    assert read_back(spark.store, MINUTES, quiet).problems == ()
    assert other.engine["name"] == "spark"
    assert other.engine["java"]
    # Nothing but what the manifest names.
    folder = spark.store.folder(MINUTES) / "data"
    assert {p.suffix for p in folder.rglob("*") if p.is_file()} == {".parquet"}
    assert sum(p.is_file() for p in folder.rglob("*")) == len(other.files)


def test_both_engines_put_on_what_checks_and_people_said(tmp_path: Path, engine: SparkEngine):
    put(tmp_path, MINUTES, rows := bars())
    day, other = SESSIONS
    flag(tmp_path, MINUTES, rows, ("AAA", day, 0, "unit_error"), ("BBB", day, 2, "wick"))
    said = Decided(decision("AAA", other))
    polars = exporter(tmp_path, decided=said)
    spark = exporter(tmp_path, engine, name="spark", decided=said)
    one, two = (made.run(MINUTES, None, RUN, quiet) for made in (polars, spark))
    # One bar in another unit, and the three of a session that nobody is to use.
    assert one.rows == two.rows == 24 - 1 - 3
    assert [(u.name, u.digest, u.source_version) for u in one.units] == [
        (u.name, u.digest, u.source_version) for u in two.units
    ]
    assert "wick" in exported(spark, MINUTES)["flags"].to_list()
    assert against_source(spark.store, spark.source, MINUTES, SESSIONS, NOW).is_empty()


def test_files_that_are_not_where_they_are_looked_for_make_no_export(
    tmp_path: Path, engine: SparkEngine, monkeypatch: pytest.MonkeyPatch
):
    """A worker that does not share the folder writes into one of its own."""
    put(tmp_path, MINUTES, bars())
    made = exporter(tmp_path, engine)
    monkeypatch.setattr(spark_engine, "_written", lambda _: [])
    with pytest.raises(StorageError, match=r"wrote 24 rows.*hold 0.*EMP_EXPORT_DIR"):
        made.run(MINUTES, None, RUN, quiet)
    assert made.store.newest(MINUTES) is None


def test_real_bars_come_out_the_same(tmp_path: Path, engine: SparkEngine, test_data: Path):
    """23 years of AAPL and two weeks of EURUSD by the minute, from two dealers."""
    now = datetime(2021, 4, 2, tzinfo=UTC)
    minutes = ("lean_forex_minute_oanda", test_data / "intraday/fx_1m_oanda")
    lean = FileVendor(
        "lean", {"1d": ("lean_daily", test_data / "daily/lean_usa/aapl.zip")}, ("AAPL",)
    )
    world = World.at(tmp_path, now).register(
        lean, FileVendor("oanda_files", {"1m": minutes}, ("EURUSD",))
    )
    world.load_and_curate("lean", "1d", "AAPL", "1998-01-02", "2021-03-31")
    world.load_and_curate("oanda_files", "1m", "EURUSD", "2014-05-02", "2014-05-15")
    root = world.settings.data_dir
    for job, least in ((DAYS, 5_800), (MINUTES, 13_000)):
        polars, spark = exporter(root), exporter(root, engine, name="spark")
        one, other = (made.run(job, None, RUN, quiet) for made in (polars, spark))
        assert one.rows > least
        assert [(u.name, u.rows, u.digest) for u in one.units] == [
            (u.name, u.rows, u.digest) for u in other.units
        ]
        held = spark.source.read(job).held()
        assert held is not None
        assert against_source(spark.store, spark.source, job, held, now).is_empty()


def test_an_older_file_without_a_column_is_read_with_empty_cells(
    tmp_path: Path, engine: SparkEngine
):
    put(tmp_path, DAYS, bars(DAYS.dataset))
    for file in (tmp_path / "warehouse" / DAYS.dataset.name).rglob("*.parquet"):
        if "_delta_log" not in str(file):
            pl.read_parquet(file, hive_partitioning=False).drop("vwap").write_parquet(file)
    one = exporter(tmp_path).run(DAYS, None, RUN, quiet)
    other = exporter(tmp_path, engine, name="spark").run(DAYS, None, RUN, quiet)
    assert one.digest == other.digest
    assert one.rows == 24


def test_every_dataset_has_types_that_spark_knows(engine: SparkEngine):
    for job in export_jobs():
        assert len(spark_schema(job.dataset.schema).fields) == len(job.dataset.schema.columns)


@pytest.fixture(scope="module")
def timescale(timescale_url: str) -> Iterator[TimescaleSource]:
    """Bars of two chunks and two months on TimescaleDB."""
    settings = TimescaleSettings(url=timescale_url)  # type: ignore[arg-type]
    connections = open_connections(settings)
    store = open_store(connections)
    for job, sessions in ((MINUTES, SESSIONS), (DAYS, (date(2022, 12, 20), date(2023, 1, 10)))):
        store.replace(
            job.dataset,
            bars(job.dataset, sessions),
            sessions=sessions,
            symbols=["AAA", "BBB"],
        )
    yield TimescaleSource(store, settings, Verdicts(store, Decided()))
    connections.close()


def test_tables_are_read_along_their_chunks(
    tmp_path: Path, engine: SparkEngine, timescale: TimescaleSource
):
    need_jdbc_jar()
    put(tmp_path, MINUTES, bars())
    lake = exporter(tmp_path).run(MINUTES, None, RUN, quiet)
    polars, spark = (
        Exporter(made.store, timescale, made.engine, made.clock, "r1")
        for made in (exporter(tmp_path, name="a"), exporter(tmp_path, engine, name="b"))
    )
    one, other = (made.run(MINUTES, SESSIONS, RUN, quiet) for made in (polars, spark))
    assert [(u.name, u.rows, u.digest) for u in lake.units] == [
        (u.name, u.rows, u.digest) for u in other.units
    ]
    assert one.digest == other.digest
    assert (one.source, other.source) == ("timescaledb", "timescaledb")
    found = against_source(spark.store, timescale, MINUTES, SESSIONS, NOW)
    assert found.is_empty()
    days = Exporter(spark.store, timescale, engine, spark.clock, "r1").run(DAYS, None, RUN, quiet)
    assert [u.rows for u in days.units] == [72, 60]
    assert len(chunks(timescale.settings, DAYS)) >= 1


def test_no_password_is_shown(
    tmp_path: Path,
    engine: SparkEngine,
    timescale: TimescaleSource,
    capfd: pytest.CaptureFixture[str],
):
    need_jdbc_jar()
    from adapters.exports.spark_reading import jdbc_properties, spark_frame

    url, properties = jdbc_properties(timescale.settings, 20_000)
    secret = properties["password"]
    assert secret
    assert secret not in url
    assert int(properties["fetchsize"]) >= 10_000
    reading = timescale.read(MINUTES)
    units = MINUTES.units(*SESSIONS)
    frame = spark_frame(engine._session(), engine._settings, MINUTES, reading, units)
    assert frame is not None
    frame.explain(extended=True)
    seen = capfd.readouterr()
    assert "JDBC" in seen.out
    assert secret not in seen.out + seen.err


def test_an_hour_has_nothing_to_export_without_a_session(tmp_path: Path):
    """Where there are no rows, Spark does not start."""

    def never() -> None:
        raise AssertionError("it started")

    engine = SparkEngine(SparkSettings(), never)  # type: ignore[arg-type]
    engine.versions = dict  # type: ignore[method-assign]
    made = exporter(tmp_path, engine, keep=timedelta(0))
    assert made.run(bars_job(Timeframe.H1), SESSIONS, RUN, quiet).rows == 0


def lands(world: World, timeframe: Timeframe, curator: SparkCurator | None, span: Span) -> Landed:
    """What a curation of a range stores: bars, and what it refused."""
    how = {} if curator is None else {"work": curator}
    symbols = [i.symbol for i in world.platform.universe.instruments if i.symbol in REAL]
    report = curate_sessions(world.platform, timeframe, symbols, *span, **how)
    bars = world.platform.store.scan(curated_bars(timeframe))
    # What names a fetch differs between two installations that fetch the same.
    refused = (
        world.platform.quarantine.read(sessions=WHOLE)
        .drop("seen_at", "fetch_id", "row_id")
        .sort(pl.all().cast(pl.String))
    )
    return Landed(report.rows, report.quarantined, bars, refused)


def features(world: World, timeframe: Timeframe, work: Work, *spans: Span) -> list[pl.DataFrame]:
    """What is stored of features once some ranges were made one after the other."""
    groups = bar_groups(timeframe)
    symbols = [i.symbol for i in world.platform.universe.instruments if i.symbol in REAL]
    for number, span in enumerate(spans):
        made = make_features(world.platform, groups, symbols, *span, work=work)[Kind.PRICE]
        assert made.rows > 0
        assert (made.beside > 0) is (number > 0)
    return [world.platform.store.scan(FEATURES[group.key]) for group in groups]


def test_curation_and_features_in_executors_land_what_they_land_here(
    tmp_path: Path, engine: SparkEngine, test_data: Path
):
    """Two dealers who contradict each other, faulty daily bars, minutes made into hours."""
    days = {"1d": ("lean_daily", test_data / "daily/lean_usa/aapl.zip")}
    vendors = (
        FileVendor("lean", days, ("AAPL",)),
        *(
            FileVendor(
                f"{dealer}_files",
                {"1m": (f"lean_forex_minute_{dealer}", test_data / f"intraday/fx_1m_{dealer}")},
                ("EURUSD",),
            )
            for dealer in ("oanda", "fxcm")
        ),
    )
    landed: list[list[Landed]] = []
    made: list[list[pl.DataFrame]] = []
    curator, far = SparkCurator(engine._session), SparkFeatures(engine._session)
    for name, work, compute in (("here", None, computed), ("there", curator, far)):
        world = World.at(tmp_path / name, datetime(2021, 4, 2, tzinfo=UTC)).register(*vendors)
        world.load("lean", "1d", "AAPL", *YEARS)
        for dealer in ("oanda_files", "fxcm_files"):
            world.load(dealer, "1m", "EURUSD", *FORTNIGHT)
        landed.append(
            [
                lands(world, Timeframe.D1, work, YEARS),
                lands(world, Timeframe.M1, work, FORTNIGHT),
                lands(world, Timeframe.H1, work, FORTNIGHT),
            ]
        )
        made.append(
            [
                *features(world, Timeframe.D1, compute, JUNE, (JUNE[0], JUNE[0])),
                *features(world, Timeframe.M1, compute, FORTNIGHT),
            ]
        )
    for here, there in zip(*landed, strict=True):
        assert here.rows == there.rows > 200
        assert here.quarantined == there.quarantined
        assert_frame_equal(here.bars, there.bars)
        assert_frame_equal(here.refused, there.refused)
    assert landed[0][1].rows > 13_000
    for ours, theirs in zip(*made, strict=True):
        assert ours.height > 20
        assert_frame_equal(ours, theirs, check_exact=True)


def test_an_error_in_an_executor_is_told_and_lands_nothing(tmp_path: Path, engine: SparkEngine):
    raw = RAW_BARS.conform(bars(DAYS.dataset).head(1).with_columns(**FETCH))
    given = CurationInput(Timeframe.D1, [raw], [], {}, load_thresholds(Settings()), NOW, {})
    with pytest.raises(Exception, match="AAA"):
        curate(given)
    with pytest.raises(Exception, match="AAA"):
        SparkCurator(engine._session)(given)
