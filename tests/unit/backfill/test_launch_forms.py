"""No launch form that loses data: what a run is asked to make lies along one dimension, time.

Dagster 1.13 gives the runs of a job's backfill over several dimensions the keys of the first one
alone, and calls them successes. Over days it does not, and neither does a ranged run.
"""

from __future__ import annotations

import dagster as dg
import pytest

from adapters.settings import Settings
from definitions import build_definitions
from emp_assets.partitions import ONE_RUN


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(Settings(data_dir=tmp_path_factory.mktemp("data")))


def test_every_asset_lies_along_days_and_makes_a_range_in_one_run(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    partitioned = [n for n in graph.asset_nodes if n.partitions_def is not None]
    assert len(partitioned) > 20
    for node in partitioned:
        assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition), node.key
        assert node.backfill_policy == ONE_RUN, node.key


def test_no_job_lies_along_anything_else(defs: dg.Definitions) -> None:
    for job in defs.get_repository_def().get_all_jobs():
        found = job.partitions_def
        assert found is None or isinstance(found, dg.DailyPartitionsDefinition), job.name
