"""What Dagster 1.13 does with checks over a range of partitions, and that our way around it holds.

An upgrade of Dagster that changes any of this fails here first.
"""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster import AssetCheckKey, AssetKey

from emp_assets.check_states import SessionResult, log_session_results, worth_recording

SESSIONS = dg.DailyPartitionsDefinition("2024-01-01", end_offset=2)
KEY = AssetKey("bars")


class World:
    """A one-asset graph whose check fails the sessions in `bad`."""

    def __init__(self, *, adapter: bool) -> None:
        self.bad: set[str] = set()
        self.dies = False
        self.instance = dg.DagsterInstance.ephemeral()

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


@pytest.fixture
def world() -> World:
    return World(adapter=True)


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
