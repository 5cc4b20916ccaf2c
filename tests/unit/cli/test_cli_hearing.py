"""What a command hears of sessions that its run was not asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from emp.hearing import Listener, RunRecord
from emp.narration import Narrator
from emp.summary import exit_status

KEY = dg.AssetKey(["curated", "bars_1d"])


def hear(listener: Listener, check: str, *, partition: str | None = None, **more: Any) -> None:
    found = dg.AssetCheckEvaluation(
        asset_key=KEY, check_name=check, partition=partition, blocking=False, **more
    )
    event = SimpleNamespace(
        is_step_start=False,
        is_step_materialization=False,
        event_type_value="ASSET_CHECK_EVALUATION",
        asset_check_evaluation_data=found,
    )
    listener.hear(SimpleNamespace(dagster_event=event))  # type: ignore[arg-type]


def failed(symbol: str, severity: dg.AssetCheckSeverity) -> dict[str, Any]:
    table = dg.MetadataValue.table([dg.TableRecord({"symbol": symbol})])
    return {
        "passed": False,
        "severity": severity,
        "description": f"{symbol} is in pence",
        "metadata": {"findings": table},
    }


def record_of(
    sessions: str, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
) -> RunRecord:
    record = RunRecord("one", succeeded=True)
    listener = Listener(record, Narrator())
    hear(listener, "price_sanity", partition="2024-02-08", **failed("AAPL", severity))
    hear(listener, "volume", partition="2024-02-07", passed=True)
    hear(listener, "price_sanity", partition="2024-02-09", **failed("AAPL", severity))
    hear(
        listener, "run_summary", passed=True, metadata={"sessions": sessions, "other_sessions": "-"}
    )
    return record


@pytest.mark.parametrize("sessions", ["2024-02-09", "2024-02-09 to 2024-02-12"])
def test_verdicts_of_other_sessions_are_told_and_kept(
    sessions: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = record_of(sessions)
    assert [(o.check, o.session, o.passed, o.error) for o in record.others] == [
        ("price_sanity", "2024-02-08", False, True),
        ("volume", "2024-02-07", True, False),
    ]
    said = capsys.readouterr().err
    assert "check price_sanity of curated/bars_1d, 2024-02-08: AAPL is in pence" in said
    assert "check volume of curated/bars_1d, 2024-02-07: finds nothing any more" in said
    assert "2024-02-09" not in said


@pytest.mark.parametrize(
    ("symbol", "severity", "strict", "status"),
    [
        ("AAPL", dg.AssetCheckSeverity.ERROR, True, 2),
        ("AAPL", dg.AssetCheckSeverity.ERROR, False, 0),
        ("AAPL", dg.AssetCheckSeverity.WARN, True, 0),
        ("MSFT", dg.AssetCheckSeverity.ERROR, True, 0),
    ],
)
def test_an_error_beside_the_run_counts_where_quality_decides(
    symbol: str, severity: dg.AssetCheckSeverity, *, strict: bool, status: int
) -> None:
    record = record_of("2024-02-09", severity)
    summary = {"outcomes": {symbol: {"outcome": "rows"}}, "error_findings": 0}
    assert exit_status(summary, record, fail_on_quality=strict) == status


def test_nothing_is_told_of_others_where_no_verdict_changed() -> None:
    record = RunRecord("one")
    listener = Listener(record, Narrator())
    hear(listener, "volume", partition="2024-02-07", passed=True)
    hear(listener, "run_summary", passed=True, metadata={"sessions": "2024-02-09"})
    assert record.others == []


def test_a_run_that_fails_without_a_step_that_did_says_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @dg.resource
    def away() -> None:
        raise RuntimeError("the place of its logs is away")

    @dg.op(required_resource_keys={"away"})
    def never() -> None: ...

    @dg.job(resource_defs={"away": away}, executor_def=dg.in_process_executor)
    def whole() -> None:
        never()

    instance, record = dg.DagsterInstance.ephemeral(), RunRecord("one")
    run_id = dg.DagsterRun(job_name="whole").run_id
    instance.add_event_listener(run_id, Listener(record, Narrator()).hear)
    done = whole.execute_in_process(instance=instance, run_id=run_id, raise_on_error=False)
    assert not done.success
    (failure,) = record.failures
    assert (failure.step, failure.blocked) == ("run", False)
    assert "the place of its logs is away" in failure.message
    assert f"the run failed: {failure.message}" in capsys.readouterr().err
