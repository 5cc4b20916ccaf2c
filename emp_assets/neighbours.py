"""Records what a run changes of the checks of sessions that are not its own.

What belongs here: which verdicts of neighbouring sessions are recorded.
What does not: finding them (market_data/pipeline/inspection_beside.py), writing records
(check_states.py).

A verdict is recorded where it is another one than the recorded one: a neighbour that was well and
has a finding now, an error where a warning was, or findings of other symbols or codes; one that
failed and has nothing any more. What is recorded otherwise stays, with its evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar

import dagster as dg
import polars as pl
from dagster import DagsterEventType
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus,
    AssetCheckPartitionInfo,
)

from emp_assets.check_states import SessionResult, log_session_results
from emp_assets.evidence import Evidence
from emp_assets.metadata import markdown_table
from emp_assets.verdicts import failure, severity, tells_of, well
from market_data.pipeline.inspection_beside import Beside
from market_data.pipeline.platform import Platform
from market_data.quality.checks import OF_SERIES
from market_data.schemas import FINDINGS

InspectBeside = Callable[[Platform, date, date], Beside]
"""The sessions next to a range: platform, first session, last session of the range."""
OTHERS = "other_sessions"
"""Metadata of the summary of a run that changed verdicts of sessions beside its own."""
MOST = 80
"""Failures of neighbours that one run records; errors go first, then the newest."""
TRIES = 3
"""Looks at sessions that other runs make meanwhile."""
_SHOWN, _OF_ONE, _PAGES = 40, 5, 5
"""Rows of tables that these records hold together, rows of one, and texts of runbooks."""
_FAILED = AssetCheckExecutionRecordStatus.FAILED
_SUCCEEDED = AssetCheckExecutionRecordStatus.SUCCEEDED
Seen = TypeVar("Seen")
_Place = tuple[str, str]
"""A check and a session."""


@dataclass(frozen=True)
class Changed:
    """Verdicts of sessions next to a run that are others since.

    Attributes:
        recorded: those that are recorded.
        untold: failures for which there was no room.
        findings: rows of FINDINGS of what was found there.
    """

    recorded: Sequence[SessionResult] = ()
    untold: Sequence[SessionResult] = ()
    findings: pl.DataFrame = field(default_factory=FINDINGS.empty)

    def metadata(self) -> dict[str, Any]:
        """What the summary of the run says of them."""
        if not self.recorded:
            return {}
        told = [
            {"session": r.session, "check": r.check, "now": "passed" if r.passed else r.description}
            for r in self.recorded
        ]
        return {OTHERS: markdown_table(pl.DataFrame(told).sort("session", "check"))}


def record_neighbours(
    context: dg.AssetCheckExecutionContext, asset: dg.AssetKey, beside: Beside, runbooks: str
) -> Changed:
    """Look at the sessions next to a run, and record the verdicts that are others now.

    Where one is made anew, or judged, meanwhile, it is looked at again; after TRIES of that it is
    left to whoever does it.

    Args:
        context: of the step of the checks.
        asset: that is checked.
        beside: the sessions.
        runbooks: address of their folder.
    """
    instance, evidence = context.instance, Evidence(_SHOWN, _OF_ONE, pages=_PAGES)
    days = _keys(beside)
    if not days:
        return Changed()
    for _ in range(TRIES):
        before = _records(instance, asset, days)
        findings, rows = beside.look()
        after = _records(instance, asset, days)
        if before == after:
            break
    found = {
        (str(check), str(session)): of
        for (check, session), of in findings.group_by("check", "session")
        if before.get((str(check), str(session))) == after.get((str(check), str(session)))
    }
    mended = [
        well(*place)
        for place, info in after.items()
        if info.latest_execution_status is _FAILED
        and info == before.get(place)
        and place not in found
    ]
    news = [
        (place, of)
        for place, of in sorted(found.items(), key=_newest_error_first)
        if _is_news(instance, asset, place, of, after.get(place))
    ]
    failed = [failure(*place, of, evidence, runbooks, rows.get(place[0])) for place, of in news]
    told = log_session_results(context, asset, [*mended, *failed[:MOST]])
    recorded = [r for r in (*mended, *failed) if (r.check, r.session) in told]
    return Changed(recorded, failed[MOST:], findings)


def while_at_rest(
    instance: dg.DagsterInstance, asset: dg.AssetKey, beside: Beside, inspect: Callable[[], Seen]
) -> Seen:
    """What an inspection sees of the run's own sessions with those beside them as they are now.

    The run that makes a session beside them leaves the verdict about them to this one, which is
    about to record it: where one was made meanwhile, the inspection may have missed it.

    Args:
        instance: where it is recorded what was made.
        asset: that is checked.
        beside: the sessions next to the run.
        inspect: looks at the run's own.
    """
    days, made = set(_keys(beside)), DagsterEventType.ASSET_MATERIALIZATION
    newest = instance.event_log_storage.get_latest_storage_id_by_partition
    for _ in range(TRIES):
        before = newest(asset, made, days)
        seen = inspect()
        if not days or newest(asset, made, days) == before:
            break
    return seen


def _keys(beside: Beside) -> list[str]:
    return [
        str(first + timedelta(days=n))
        for first, last in beside.sessions
        for n in range((last - first).days + 1)
    ]


def _records(
    instance: dg.DagsterInstance, asset: dg.AssetKey, days: Sequence[str]
) -> dict[_Place, AssetCheckPartitionInfo]:
    """The last record of each check and session that has any."""
    keys = [dg.AssetCheckKey(asset, check) for check in OF_SERIES]
    found = instance.event_log_storage.get_asset_check_partition_info(keys, partition_keys=days)
    return {(i.check_key.name, i.partition_key): i for i in found if i.partition_key is not None}


def _newest_error_first(found: tuple[_Place, pl.DataFrame]) -> tuple[bool, int]:
    (_, session), findings = found
    warning = severity(findings) is not dg.AssetCheckSeverity.ERROR
    return warning, -date.fromisoformat(session).toordinal()


def _is_news(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    place: _Place,
    findings: pl.DataFrame,
    recorded: AssetCheckPartitionInfo | None,
) -> bool:
    """Whether what is recorded of a session says something else than its findings."""
    if recorded is None or recorded.latest_execution_status is _SUCCEEDED:
        return True
    if recorded.latest_execution_status is not _FAILED:
        # A run is about to judge it.
        return False
    check, session = place
    (last,) = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(asset, check),
        limit=1,
        status={_FAILED},
        partition_filter=PartitionKeyFilter(key=session),
    )
    event = last.event.dagster_event if last.event else None
    return event is None or not tells_of(event.asset_check_evaluation_data, findings)
