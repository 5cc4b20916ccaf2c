"""Reports follow their inputs, by Dagster's own evaluation, and never past a check that blocks."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from adapters.settings import Settings
from definitions import build_definitions
from emp_assets.automation import AFTER_INPUTS

SESSIONS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-05")
DAY = "2024-01-02"


@dg.asset(partitions_def=SESSIONS)
def scores() -> None: ...


@dg.asset_check(asset=scores, blocking=True)
def fits() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset_check(asset=scores)
def nice() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


@dg.asset(deps=[scores], automation_condition=AFTER_INPUTS)
def report() -> None: ...


DEFS = dg.Definitions(assets=[scores, report], asset_checks=[fits, nice])


class Look:
    """Looks of the daemon, one after another."""

    def __init__(self) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self._cursor: dg.AutomationConditionEvaluationCursor | None = None  # type: ignore[name-defined]

    def asks(self) -> int:
        found = dg.evaluate_automation_conditions(
            defs=DEFS, instance=self.instance, cursor=self._cursor
        )
        self._cursor = found.cursor
        return found.total_requested

    def make(self, asset: dg.AssetsDefinition, **checks: bool) -> None:
        partition = DAY if asset is scores else None
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(asset.key, partition=partition)
        )
        for name, passed in checks.items():
            self.instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(asset_key=scores.key, check_name=name, passed=passed)
            )


@pytest.fixture
def look() -> Look:
    made = Look()
    assert made.asks() == 0, "nothing was made"
    return made


def test_a_report_is_made_once_after_its_inputs(look: Look):
    look.make(scores, fits=True)
    assert look.asks() == 1
    assert look.asks() == 0
    look.make(report)
    assert look.asks() == 0


def test_a_blocking_check_holds_it_back_and_no_other_does(look: Look):
    look.make(scores, fits=False)
    assert [look.asks(), look.asks()] == [0, 0]
    held = Look()
    assert held.asks() == 0
    held.make(scores, fits=True, nice=False)
    assert held.asks() == 1


def test_what_was_held_back_is_made_up_for_once_the_check_passes(look: Look):
    look.make(scores, fits=False)
    assert look.asks() == 0
    # Evaluations without a run are kept once per check, so that a run has to say otherwise.
    done = dg.materialize([scores, fits], partition_key=DAY, instance=look.instance)
    assert done.success
    assert look.asks() == 1


def test_only_reports_do_and_their_sensor_is_off(tmp_path: Path):
    defs = build_definitions(Settings(data_dir=tmp_path))
    graph = defs.resolve_asset_graph()
    following = {n.key.path[0] for n in graph.asset_nodes if n.automation_condition is not None}
    assert following == {"operations"}
    (sensor,) = [
        s for s in defs.sensors or () if isinstance(s, dg.AutomationConditionSensorDefinition)
    ]
    assert sensor.name == "reports_follow_their_inputs"
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
