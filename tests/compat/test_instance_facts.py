"""What the alerts read of Dagster's records that is not public: ticks, backfills, heartbeats."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo

from adapters.probes import Finding, State, run_probes
from market_data.errors import StorageError
from resources.daemon_probe import SEVERAL, daemon_probe, several_daemons
from resources.partition_states import failed_sessions
from resources.run_processes import LOST
from sensors.instance_facts import backfill_facts, daemon_facts, tick_facts
from sensors.run_facts import Ends, ended_runs, newest_end, run_fact

NOW = datetime.now(UTC).timestamp()
WRAPPED = SerializableErrorInfo(
    "wrapped", [], "DagsterError", SerializableErrorInfo("KeyError:\n  'close'", [], "KeyError")
)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as made:
        yield made


def test_ticks(instance: dg.DagsterInstance):
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(python_file="x.py"))
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "repo"), "reference_files")
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE)
    instance.add_instigator_state(state)
    bad, fine = TickStatus.FAILURE, TickStatus.SKIPPED
    for age, status in ((50, bad), (20, fine), (10, bad)):
        error = WRAPPED if status is bad else None
        instance.create_tick(
            TickData(
                state.instigator_origin_id,
                state.instigator_name,
                InstigatorType.SENSOR,
                status,
                NOW - age,
                selector_id=state.selector_id,
                error=error,
            )
        )
    (fact,) = tick_facts(instance, NOW - 30, 5)
    assert (fact.name, fact.what, fact.running) == ("reference_files", "sensor", True)
    assert [error for _, error in fact.ticks] == ["KeyError: 'close'", ""]
    instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
    assert not tick_facts(instance, NOW - 30, 5)[0].running


def test_backfills(instance: dg.DagsterInstance):
    def add(name: str, status: BulkActionStatus, age: float, **tags: str) -> None:
        instance.add_backfill(
            PartitionBackfill(
                name,
                status,
                from_failure=False,
                tags={f"dagster/{kind}_backfill_id": other for kind, other in tags.items()},
                backfill_timestamp=NOW - age,
                asset_selection=[dg.AssetKey(["raw", "bars"])],
                serialized_asset_backfill_data="{}",
                error=WRAPPED if status is BulkActionStatus.FAILED else None,
            )
        )

    add("old", BulkActionStatus.REQUESTED, 9_000)
    add("new", BulkActionStatus.REQUESTED, 100)
    add("done", BulkActionStatus.COMPLETED_SUCCESS, 100)
    add("failed", BulkActionStatus.FAILED, 100)
    found = {f.backfill_id: f for f in backfill_facts(instance, NOW - 1_000, [])}
    assert set(found) == {"new", "done", "failed"}
    assert (found["new"].over, found["new"].failed, found["new"].title) == (
        False,
        False,
        "raw/bars",
    )
    assert (found["done"].over, found["done"].failed) == (True, False)
    assert (found["failed"].failed, found["failed"].error) == (True, "KeyError: 'close'")
    assert {f.backfill_id for f in backfill_facts(instance, NOW - 1_000, ["old"])} >= {"old", "new"}
    # A run of it that works is no standstill, however long.
    instance.create_run_for_job(
        _job(), tags={"dagster/backfill": "new"}, status=dg.DagsterRunStatus.STARTED
    )
    (moving,) = [f for f in backfill_facts(instance, NOW - 1_000, []) if f.backfill_id == "new"]
    assert moving.moved.timestamp() > NOW - 60

    # Asked for again: once that has succeeded, nothing is left of the failure.
    add("again", BulkActionStatus.FAILED, 50, parent="failed", root="failed")
    assert {f.backfill_id for f in backfill_facts(instance, NOW - 1_000, []) if f.failed} == {
        "failed",
        "again",
    }
    add("third", BulkActionStatus.COMPLETED_SUCCESS, 20, parent="again", root="failed")
    assert not any(f.failed for f in backfill_facts(instance, NOW - 1_000, []))


def test_heartbeats(instance: dg.DagsterInstance):
    assert {f.name: f.beat for f in daemon_facts(instance)}["SENSOR"] is None
    instance.add_daemon_heartbeat(DaemonHeartbeat(NOW - 5, "SENSOR", "id", [WRAPPED]))
    (sensor,) = [f for f in daemon_facts(instance) if f.name == "SENSOR"]
    assert sensor.beat == datetime.fromtimestamp(NOW - 5, UTC)
    assert sensor.errors == ("KeyError: 'close'",)


def test_a_tick_that_fails_is_no_daemon_that_stands_still(instance: dg.DagsterInstance):
    def look() -> Finding:
        return daemon_probe(lambda: nullcontext(instance), required=True).look()

    # The tests' own moment is that of their collection; the probe goes by the clock.
    now = time.time()
    assert look().state is State.ERROR
    names = sorted(instance.get_required_daemon_types())
    for name in names:
        errors = [WRAPPED] if name == "SENSOR" else []
        instance.add_daemon_heartbeat(DaemonHeartbeat(now - 5, name, "id", errors))
    assert look().state is State.OK
    # Its error says nothing of one that beats no more.
    instance.add_daemon_heartbeat(DaemonHeartbeat(now - 9_000, "SENSOR", "id", [WRAPPED]))
    found = look()
    assert (found.state, found.detail) == (
        State.DEGRADED, "without a healthy heartbeat: SENSOR"
    )  # fmt: skip
    for name in names:
        instance.add_daemon_heartbeat(DaemonHeartbeat(now - 9_000, name, "id", [WRAPPED]))
    assert look().state is State.ERROR


@pytest.mark.parametrize(
    ("turns", "several"),
    [
        ("AAAA", False),
        # A daemon that was started in the place of another: some parts have not beaten yet.
        ("ABBB", None),
        ("AAAB", None),
        ("ABAB", True),
        ("ABBA", True),
    ],
)
def test_daemons_that_beat_in_turns_are_several(
    instance: dg.DagsterInstance, turns: str, several: bool | None
):
    now = time.time()
    names = sorted(instance.get_required_daemon_types())
    for number, name in enumerate(names):
        who = turns[min(number, len(turns) - 1)]
        instance.add_daemon_heartbeat(DaemonHeartbeat(now - 60 + number, name, who, []))
    assert several_daemons(instance) is several
    found = daemon_probe(lambda: nullcontext(instance), required=True).look()
    assert found.state is (State.DEGRADED if several else State.OK)
    assert (found.detail == SEVERAL) == bool(several)


def test_records_that_cannot_be_read_are_no_reason_to_start_a_daemon():
    def refused() -> nullcontext[dg.DagsterInstance]:
        raise StorageError("too many clients")

    (found,) = run_probes([daemon_probe(refused, required=True)], timeout=10)
    assert (found.state, found.detail) == (State.ERROR, "too many clients")
    assert "start" not in found.cure


def test_heartbeats_of_long_ago_say_nothing_of_who_runs_now(instance: dg.DagsterInstance):
    names = sorted(instance.get_required_daemon_types())
    for number, name in enumerate(names):
        moment = time.time() - (1_000 if number == 0 else 60 - number)
        who = "B" if number == 1 else "A"
        instance.add_daemon_heartbeat(DaemonHeartbeat(moment, name, who, []))
    assert several_daemons(instance) is None


def _job() -> dg.JobDefinition:
    @dg.op
    def fine() -> None:
        """Do nothing."""

    @dg.op
    def broken() -> None:
        raise KeyError("close")

    @dg.job
    def both() -> None:
        fine()
        broken()

    return both


def test_runs_in_their_order_and_what_they_say(instance: dg.DagsterInstance):
    assert newest_end(instance) == Ends(0)
    runs = [
        _job().execute_in_process(instance=instance, raise_on_error=False, op_selection=chosen)
        for chosen in (["broken"], ["fine"], ["fine", "broken"])
    ]
    ids = [r.run_id for r in runs]
    found, read = ended_runs(instance, Ends(0), 10)
    assert found == ids
    assert read == newest_end(instance)
    assert ended_runs(instance, read, 10) == ([], read)
    found, part = ended_runs(instance, Ends(0), 2)
    assert (found, ended_runs(instance, part, 2)[0]) == (ids[:2], ids[2:])
    # An end that was written before others and seen after them.
    first = min(read.recent)
    missed = Ends(read.place, {p: at for p, at in read.recent.items() if p != first})
    assert ended_runs(instance, missed, 10) == ([ids[0]], read)
    failed, done, mixed = (run_fact(instance, r.run_id, {}) for r in runs)
    assert failed is not None
    assert done is not None
    assert mixed is not None
    assert (failed.succeeded, failed.job) == (False, "both")
    assert [(s.step, s.error) for s in failed.steps] == [("broken", "KeyError: 'close'")]
    assert (done.succeeded, [(s.step, s.error) for s in done.steps]) == (True, [("fine", "")])
    assert {s.step: bool(s.error) for s in mixed.steps} == {"fine": False, "broken": True}
    assert run_fact(instance, "unknown", {}) is None


def test_a_run_whose_process_died_is_read_by_what_is_there(instance: dg.DagsterInstance):
    """Where nobody was left to record a reason, events of failures come without data."""
    session = "2024-02-05"

    @dg.asset(partitions_def=dg.DailyPartitionsDefinition("2024-02-01"))
    def bars() -> None:
        """Make nothing."""

    run = instance.create_run_for_job(
        dg.Definitions([bars]).resolve_implicit_global_asset_job_def(),
        tags={"dagster/partition": session},
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=frozenset([dg.AssetKey("bars")]),
    )
    planned = AssetMaterializationPlannedData(dg.AssetKey("bars"), partition=session)
    instance.report_dagster_event(
        dg.DagsterEvent.build_asset_materialization_planned_event(run.job_name, "bars", planned),
        run.run_id,
    )
    instance.report_run_failed(run, LOST)
    later = _job().execute_in_process(instance=instance, raise_on_error=False)
    found, _ = ended_runs(instance, Ends(0), 10)
    assert found == [run.run_id, later.run_id]
    fact = run_fact(instance, run.run_id, {})
    assert fact is not None
    assert (fact.succeeded, fact.error, fact.steps) == (False, LOST, ())
    (attempt,) = failed_sessions(instance, [dg.AssetKey("bars")])
    assert (attempt.session, attempt.run_id) == (date(2024, 2, 5), run.run_id)
    assert attempt.why == LOST


def test_a_check_that_blocks_is_told_from_one_that_could_not_be_run(instance: dg.DagsterInstance):
    @dg.asset
    def bars() -> None:
        """Make nothing."""

    @dg.asset_check(asset=bars, blocking=True)
    def blocks() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description="too much is missing")

    @dg.asset_check(asset=bars)
    def raises() -> dg.AssetCheckResult:
        raise ZeroDivisionError

    definitions = dg.Definitions(assets=[bars], asset_checks=[blocks, raises])
    done = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, raise_on_error=False
    )
    fact = run_fact(instance, done.run_id, {})
    assert fact is not None
    steps = {s.step: (s.blocked, s.error) for s in fact.steps}
    assert steps["bars_blocks"] == (True, "")
    assert steps["bars_raises"][0] is False
    assert "ZeroDivisionError" in steps["bars_raises"][1]
    (check,) = fact.checks
    assert (check.asset, check.check, check.passed, check.error) == ("bars", "blocks", False, True)
