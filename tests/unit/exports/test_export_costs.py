"""What an export costs and leaves running: sessions of Spark, counts, rows at a time; no Java."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import polars as pl
import pytest

from adapters.exports import opening, verifying
from adapters.exports.running import Exporter
from adapters.settings import ExportEngine, Settings
from market_data.exports.digest import content_digest
from market_data.exports.jobs import bars_job
from market_data.timeframes import Timeframe
from resources.spark import SparkResource


class Session:
    """Notes that it was ended."""

    def __init__(self) -> None:
        self.stopped = 0

    def stop(self) -> None:
        self.stopped += 1


class Starting:
    """Starts a session where it can, as Dagster's resource does, at every look."""

    def __init__(self, session: Session | None) -> None:
        self.session, self.starts = session, 0

    @property
    def spark_session(self) -> Session:
        self.starts += 1
        if self.session is None:
            raise RuntimeError("the gateway did not start")
        return self.session


def ended(resource: SparkResource) -> None:
    resource.teardown_after_execution(dg.build_init_resource_context())


def test_a_session_that_cannot_start_is_not_started_to_be_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starting, resource = Starting(None), SparkResource()
    monkeypatch.setattr(SparkResource, "_prepared", lambda _: starting)
    with pytest.raises(RuntimeError, match="did not start"):
        resource.session()
    ended(resource)
    assert starting.starts == 1


def test_a_session_ends_with_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    session, resource = Session(), SparkResource()
    monkeypatch.setattr(SparkResource, "_prepared", lambda _: Starting(session))
    assert resource.session() is session
    ended(resource)
    ended(resource)
    assert session.stopped == 1


@pytest.mark.parametrize("theirs", [False, True])
def test_a_session_of_a_notebook_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, theirs: bool
) -> None:
    session = Session()

    class Engine:
        def __init__(self, _: object, started: Any) -> None:
            self.started = started

    monkeypatch.setattr("adapters.exports.spark_engine.SparkEngine", Engine)
    monkeypatch.setattr(opening, "start", lambda _: session)
    monkeypatch.setattr(opening, "runs_already", lambda: theirs)
    settings = Settings(
        data_dir=tmp_path, export_dir=tmp_path / "out", export_engine=ExportEngine.SPARK
    )
    with opening.opened_exporter(settings) as exporter:
        engine: Any = exporter.engine
        assert engine.started() is engine.started() is session
    assert session.stopped == (0 if theirs else 1)


def test_a_session_of_any_thread_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark import SparkContext

    monkeypatch.setattr(SparkContext, "_active_spark_context", None)
    assert not opening.runs_already()
    running = SimpleNamespace(_jvm=None)
    monkeypatch.setattr(SparkContext, "_active_spark_context", running)
    assert opening.runs_already()


def test_sessions_that_are_named_need_no_count_of_all_rows(tmp_path: Path) -> None:
    asked: list[str] = []

    class Reading:
        def held(self) -> tuple[date, date]:
            asked.append("held")
            return date(2024, 1, 1), date(2024, 12, 31)

    source: Any = SimpleNamespace(read=lambda _: Reading())
    nothing: Any = None
    exporter = Exporter(nothing, source, nothing, nothing, "")
    job = bars_job(Timeframe.D1)
    units, _ = exporter.planned(job, (date(2024, 1, 2), date(2024, 1, 3)))
    assert (units, asked) == (job.units(date(2024, 1, 2), date(2024, 1, 3)), [])
    exporter.planned(job, None)
    assert asked == ["held"]


def test_rows_of_a_source_are_digested_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pl.DataFrame({"n": range(1000), "text": [str(n % 7) for n in range(1000)]})
    whole = content_digest(rows.to_arrow().combine_chunks().to_batches()[0])
    heights: list[int] = []

    def counting(batch: Any) -> Any:
        heights.append(batch.num_rows)
        return content_digest(batch)

    monkeypatch.setattr(verifying, "BATCH_ROWS", 100)
    monkeypatch.setattr(verifying, "content_digest", counting)
    reading: Any = SimpleNamespace(
        parts=lambda _: iter([rows.lazy()]), explained=lambda _: nullcontext()
    )
    assert verifying.source_digest(reading, None) == whole  # type: ignore[arg-type]
    assert max(heights) <= 100
