"""What Dagster 1.13 does with checks over a range of partitions, and that our way around it holds.

An upgrade of Dagster that changes any of this fails here first.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetKey,
    DagsterEvent,
    DagsterEventType,
)

from adapters.settings import PROJECT
from emp_assets.check_states import SessionResult, log_session_results, worth_recording
from resources.takes_evaluations import TakesEvaluations
from tests.support.dagster_records import instance_on
from tests.support.servers import new_database, server_url

SESSIONS = dg.DailyPartitionsDefinition("2024-01-01", end_offset=2)
KEY = AssetKey("bars")


class World:
    """A one-asset graph whose check fails the sessions in `bad`."""

    def __init__(self, *, adapter: bool, instance: dg.DagsterInstance | None = None) -> None:
        self.bad: set[str] = set()
        self.dies = False
        self.instance = instance or dg.DagsterInstance.ephemeral()

        @dg.asset(key=KEY, partitions_def=SESSIONS, backfill_policy=dg.BackfillPolicy.single_run())
        def bars() -> None: ...

        specs = [
            dg.AssetCheckSpec("coverage", asset=KEY, partitions_def=SESSIONS),
            dg.AssetCheckSpec("run_summary", asset=KEY),
        ]

        @dg.multi_asset_check(specs=specs, can_subset=True)
        def checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
            if self.dies:
                raise RuntimeError("the process died")
            keys = list(context.op_execution_context.partition_keys)
            selected = {k.name for k in context.selected_asset_check_keys}
            if adapter and len(keys) > 1:
                log_session_results(
                    context,
                    KEY,
                    [
                        SessionResult(
                            "coverage", k, k not in self.bad, dg.AssetCheckSeverity.ERROR, "", {}
                        )
                        for k in keys
                        if "coverage" in selected or k in self.bad
                    ],
                )
            for name in selected:
                yield dg.AssetCheckResult(
                    asset_key=KEY, check_name=name, passed=not self.bad & set(keys)
                )

        self.job = dg.Definitions(
            assets=[bars], asset_checks=[checks]
        ).resolve_implicit_global_asset_job_def()

    def run(self, first: str, last: str, *, checks: set[str] | None = None) -> None:
        job = self.job
        if checks is not None:
            job = job.get_subset(
                asset_selection={KEY},
                asset_check_selection={AssetCheckKey(KEY, name) for name in checks},
            )
        if first == last:
            result = job.execute_in_process(instance=self.instance, partition_key=first)
        else:
            tags = {
                "dagster/asset_partition_range_start": first,
                "dagster/asset_partition_range_end": last,
            }
            result = job.execute_in_process(
                instance=self.instance, tags=tags, raise_on_error=not self.dies
            )
        assert result.success is not self.dies

    def states(self) -> dict[str, str]:
        key = AssetCheckKey(KEY, "coverage")
        state = self.instance.event_log_storage.get_asset_check_state([(key, SESSIONS)])[key]
        return {
            partition: status.name
            for status, subset in state.subsets.items()
            for partition in subset.value.get_partition_keys()
        }


@contextmanager
def kept_in(storage: str, folder: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on Dagster's own storage, or on ours with batches that end within a check."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DAGSTER_EVENT_BATCH_SIZE", "0" if storage == "stock" else "2")
        if storage == "stock":
            yield dg.DagsterInstance.ephemeral()
        elif storage == "sqlite":
            folder.mkdir()
            shutil.copy(PROJECT / "dagster.yaml", folder)
            with dg.DagsterInstance.from_config(str(folder)) as instance:
                yield instance
        else:
            with (
                new_database(server_url("EMP_OPERATIONS_URL")) as url,
                instance_on(url) as instance,
            ):
                yield instance


@pytest.fixture(params=["stock", "sqlite"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with kept_in(request.param, tmp_path / "home") as instance:
        yield World(adapter=True, instance=instance)


EVALUATIONS = """
select a.asset_key, a.check_name, a.partition, a.run_id, a.execution_status,
    m.run_id, m.partition, e.run_id, e.dagster_event_type, e.step_key
from asset_check_executions a
left join event_logs m on m.id = a.materialization_event_storage_id
left join event_logs e on e.id = a.evaluation_event_storage_id
"""


def rows_of(instance: dg.DagsterInstance) -> Counter[tuple[object, ...]]:
    """How Dagster knows the states, with runs numbered in place of their ids."""
    numbers = {run.run_id: n for n, run in enumerate(reversed(instance.get_runs()))}
    with instance.event_log_storage.index_connection() as sql:  # type: ignore[attr-defined]
        found = sql.execute(sa.text(EVALUATIONS)).fetchall()
    return Counter(tuple(numbers.get(value, value) for value in row) for row in found)


def records_of(instance: dg.DagsterInstance) -> list[tuple[object, ...]]:
    """The evaluations of all runs, as the UI lists them."""
    return [
        (found.check_name, found.partition, found.passed, found.severity)
        for run in reversed(instance.get_runs())
        for entry in instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
        if isinstance(found := entry.get_dagster_event().event_specific_data, AssetCheckEvaluation)
    ]


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"])
def test_batches_leave_the_rows_that_single_writes_leave(storage: str, tmp_path: Path):
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as stock,
        kept_in(storage, tmp_path / "home") as ours,
    ):
        assert isinstance(ours.event_log_storage, TakesEvaluations)
        assert not isinstance(stock.event_log_storage, TakesEvaluations)
        for instance in (stock, ours):
            world = World(adapter=True, instance=instance)
            world.bad = {"2024-01-02"}
            world.run("2024-01-01", "2024-01-03")
            world.bad = set()
            world.run("2024-01-02", "2024-01-04")
        assert rows_of(ours) == rows_of(stock)
        assert records_of(ours) == records_of(stock)
        assert len(records_of(ours)) == 2 * (3 + 2)


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"])
def test_a_state_that_the_run_has_already_is_replaced(storage: str, tmp_path: Path):
    def evaluated(passed: bool, day: str | None) -> dg.EventLogEntry:
        found = dg.AssetCheckEvaluation(
            asset_key=KEY, check_name="coverage", passed=passed, metadata={}, partition=day
        )
        kind = DagsterEventType.ASSET_CHECK_EVALUATION.value
        event = DagsterEvent(kind, "job", event_specific_data=found)
        return dg.EventLogEntry(None, 10, "", "one", 1.0, dagster_event=event)

    with kept_in(storage, tmp_path / "home") as instance:
        log = instance.event_log_storage
        log.store_event_batch([evaluated(False, "2024-01-01"), evaluated(False, None)])
        log.store_event_batch([evaluated(True, "2024-01-01"), evaluated(True, None)])
        found = [(row[2], row[4]) for row in rows_of(instance)]
    assert sorted(found, key=str) == [("2024-01-01", "SUCCEEDED"), (None, "SUCCEEDED")]


def test_ranged_run_without_the_adapter_still_ends_as_skipped():
    """When this fails, Dagster keeps per-session results itself and the adapter can go."""
    world = World(adapter=False)
    world.run("2024-01-01", "2024-01-03")
    assert world.states() == dict.fromkeys(("2024-01-01", "2024-01-02", "2024-01-03"), "SKIPPED")


def test_ranged_run_gives_each_session_its_own_state(world: World):
    world.bad = {"2024-01-02"}
    world.run("2024-01-01", "2024-01-03")
    assert world.states() == {
        "2024-01-01": "SUCCEEDED",
        "2024-01-02": "FAILED",
        "2024-01-03": "SUCCEEDED",
    }


def test_single_session_needs_no_adapter():
    world = World(adapter=False)
    world.bad = {"2024-01-02"}
    world.run("2024-01-02", "2024-01-02")
    assert world.states() == {"2024-01-02": "FAILED"}


def test_long_run_with_the_summary_alone_marks_failing_sessions_and_skips_none(world: World):
    world.run("2024-01-01", "2024-01-04")
    world.bad = {"2024-01-03"}
    world.run("2024-01-02", "2024-01-04", checks={"run_summary"})
    states = world.states()
    assert states["2024-01-03"] == "FAILED"
    assert "SKIPPED" not in states.values()
    assert states["2024-01-01"] == "SUCCEEDED"


def test_a_red_session_turns_green_only_by_a_passing_check(world: World):
    world.bad = {"2024-01-02"}
    world.run("2024-01-01", "2024-01-03")
    world.bad = set()
    world.run("2024-01-02", "2024-01-03")
    assert set(world.states().values()) == {"SUCCEEDED"}


def kept(world: World, most: int) -> list[str]:
    """Days that are recorded where the first ten of the month fail."""
    failed = [
        SessionResult("coverage", f"2024-01-{day:02}", False, dg.AssetCheckSeverity.ERROR, "", {})
        for day in range(10, 0, -1)
    ]
    return [r.session[-2:] for r in worth_recording(world.instance, KEY, failed, most)]


def test_of_many_failures_the_newest_are_kept_and_those_of_sessions_that_were_checked(
    world: World,
):
    assert kept(world, 2) == ["10", "09"]
    world.bad = {"2024-01-02"}
    world.run("2024-01-01", "2024-01-03")
    # Neither does a green one stay green, nor does a red one look mended.
    assert kept(world, 2) == ["10", "09", "03", "02", "01"]
    assert kept(world, 9) == ["10", "09", "08", "07", "06", "05", "04", "03", "02", "01"]
    assert kept(world, 10) == kept(world, 9)


def test_errors_of_long_ago_are_kept_before_warnings_and_every_check_has_its_turn(world: World):
    error, warn = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN

    def failing(check: str, day: int, severity: dg.AssetCheckSeverity) -> SessionResult:
        return SessionResult(check, f"2024-01-{day:02}", False, severity, "", {})

    jumps = [failing("price_sanity", day, warn if day > 1 else error) for day in range(30, 0, -1)]
    holes = [failing("coverage", day, warn) for day in range(30, 20, -1)]

    def kept(most: int, warnings: int) -> list[str]:
        found = worth_recording(world.instance, KEY, [*jumps, *holes], most, warnings)
        return [f"{r.check[0]}{r.session[-2:]}" for r in found]

    assert kept(1, 1) == ["p01"]
    assert kept(5, 4) == ["p30", "p29", "p01", "c30", "c29"]
    assert kept(9, 2) == ["p30", "p01", "c30"]
    assert len(kept(40, 40)) == 40


def test_a_session_that_was_made_anew_in_between_was_checked(world: World):
    """So it is in every run that makes bars and then checks them."""
    world.bad = {"2024-01-02"}
    world.run("2024-01-01", "2024-01-03")
    world.run("2024-01-01", "2024-01-03", checks=set())
    assert world.states() == {}
    assert kept(world, 2) == ["10", "09", "03", "02", "01"]


def test_a_session_whose_last_run_died_was_checked(world: World):
    world.bad = {"2024-01-02"}
    world.run("2024-01-01", "2024-01-03")
    world.dies = True
    world.run("2024-01-02", "2024-01-03")
    assert world.states()["2024-01-02"] == "EXECUTION_FAILED"
    assert kept(world, 2) == ["10", "09", "03", "02", "01"]
