"""Exports on a cluster: a standalone master with two workers, and an executor that is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.exports import spark_engine
from adapters.exports.spark_engine import SparkEngine
from adapters.exports.verifying import read_back
from market_data.exports.manifest import to_text
from tests.support import lost_executor
from tests.support.exports import MINUTES, bars, exporter, put, quiet
from tests.support.spark import spark_session
from tests.support.spark_cluster import spark_cluster

RUN = "44444444-run"
SMALL = {"spark.executor.memory": "512m", "spark.executor.cores": "1", "spark.cores.max": "2"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_standalone_cluster_writes_what_one_machine_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its executors write, and read back; one of them dies while it writes."""
    put(tmp_path, MINUTES, bars())
    alone = exporter(tmp_path).run(MINUTES, None, RUN, quiet)
    looked_here: list[object] = []
    monkeypatch.setattr(spark_engine, "all_facts", looked_here.append)
    with (
        spark_cluster(tmp_path) as address,
        spark_session(address, SMALL) as (settings, session),
    ):
        made = exporter(tmp_path, SparkEngine(settings, lambda: session), name="cluster")
        found = made.run(MINUTES, None, RUN, quiet)
        assert found.digest == alone.digest
        assert session.sparkContext.master == address
        # Where it ran is nobody's business: a manifest holds no address of a server.
        assert "127.0.0.1" not in to_text(found)
        assert address.rpartition(":")[0].rpartition("/")[2] not in to_text(found)
        assert read_back(made.store, MINUTES, quiet).problems == ()
    assert looked_here == []


def test_an_executor_that_is_lost_costs_nothing_but_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from pyspark import cloudpickle

    put(tmp_path, MINUTES, bars())
    alone = exporter(tmp_path).run(MINUTES, None, RUN, quiet)
    lost: list[Any] = []
    # Executors have this program, and not its tests.
    cloudpickle.register_pickle_by_value(lost_executor)

    def losing(*given: Any) -> Any:
        frame = spark_frame(*given)
        lost.append(frame)
        return frame.mapInArrow(lost_executor.losing_its_executor, frame.schema)

    spark_frame = spark_engine.spark_frame
    monkeypatch.setattr(spark_engine, "spark_frame", losing)
    with spark_session("local-cluster[2,1,512]", SMALL) as (settings, session):
        made = exporter(tmp_path, SparkEngine(settings, lambda: session), name="cluster")
        found = made.run(MINUTES, None, RUN, quiet)
        tracker = session.sparkContext.statusTracker()
        failed = [
            tracker.getStageInfo(stage).numFailedTasks
            for job in tracker.getJobIdsForGroup(None)
            for stage in tracker.getJobInfo(job).stageIds
        ]
    assert lost
    assert sum(failed) >= 1, "no executor was lost"
    assert found.digest == alone.digest
    assert read_back(made.store, MINUTES, quiet).problems == ()
    # What the lost attempt left is not among the files.
    assert found.rows == sum(file.rows for file in found.files) == 24
