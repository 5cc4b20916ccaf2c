"""Reads runs that have ended from Dagster's records into the facts of market_data/alerts.

What belongs here: which runs ended since, and what the events of one say.
What does not: the rest of the instance (instance_facts.py), judging (market_data/alerts).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus

from emp_assets.recording import UNTOLD
from jobs.automation.requests import PART_TAG, SCHEDULE_TAG
from market_data.alerts.facts import AssetTerms, CheckFact, RunFact, StepFact, UntoldFact
from resources.event_errors import chain, error_of, told
from sensors.instance_facts import NAMED_ASSETS, moment

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
PARTITION = "dagster/partition"
_DAGSTER_SCHEDULE = "dagster/schedule_name"
ENDS = (
    DagsterEventType.RUN_SUCCESS,
    DagsterEventType.RUN_FAILURE,
    DagsterEventType.RUN_CANCELED,
)
_READ = {
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.RUN_FAILURE,
}
_BLOCKED = "DagsterAssetCheckFailedError"
_PAGE = re.compile(r"([a-z-]+)\.md(#\w+)?$")
_AT_ONCE = 500
_LATE_SECONDS = 300.0
"""How long an end may take from its place in the log to being seen there."""


@dataclass(frozen=True)
class Ends:
    """Ends of runs that were read, for a sensor to remember.

    Attributes:
        place: in the event log, up to which ends were read.
        recent: places of those that were read of late, with their times; seconds since 1970.
    """

    place: int
    recent: Mapping[int, float] = field(default_factory=dict)


def newest_end(instance: dg.DagsterInstance) -> Ends:
    """Where the event log stands now: what is there counts as read."""
    found = list(_ends(instance, _AT_ONCE))
    return Ends(max((e.storage_id for e in found), default=0), _recent(found))


def ended_runs(instance: dg.DagsterInstance, read: Ends, limit: int) -> tuple[list[str], Ends]:
    """Runs that ended since, in the order of their ends, and what is read now.

    Successes and failures in one order, whatever their number: a repair is never read before the
    failure that it repairs. An end takes its place in the log before it can be seen there, so that
    one may turn up before others that were read: the last minutes are looked through again.
    """
    later = sorted(_ends(instance, limit, after_storage_id=read.place), key=_place)[:limit]
    since = datetime.now(UTC).timestamp() - _LATE_SECONDS
    late = [
        end
        for end in _ends(instance, _AT_ONCE, after_timestamp=since, before_storage_id=read.place)
        if end.storage_id not in read.recent
    ]
    found = sorted([*late, *later], key=_place)
    known = {place: at for place, at in read.recent.items() if at >= since}
    place = max([read.place, *(end.storage_id for end in later)])
    return [end.run_id for end in found], Ends(place, {**known, **_recent(found)})


def _ends(instance: dg.DagsterInstance, limit: int, **bounds: Any) -> Iterator[dg.EventLogRecord]:
    """The oldest ends behind a place, or the newest of a time."""
    for kind in ENDS:
        found = instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(kind, **bounds),  # type: ignore[arg-type]
            limit=limit,
            ascending="after_storage_id" in bounds,
        )
        yield from found.records


def _recent(found: Iterable[dg.EventLogRecord]) -> dict[int, float]:
    since = datetime.now(UTC).timestamp() - _LATE_SECONDS
    return {end.storage_id: end.timestamp for end in found if end.timestamp >= since}


def _place(end: dg.EventLogRecord) -> int:
    return end.storage_id


def run_fact(
    instance: dg.DagsterInstance, run_id: str, terms: Mapping[str, AssetTerms]
) -> RunFact | None:
    """A run that has ended; None for one that was deleted since.

    Args:
        instance: where it is recorded.
        run_id: of the run.
        terms: of every asset of the graph, by key.
    """
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        return None
    run = record.dagster_run
    checks, steps, error, at = _events(instance, run_id)
    ended = record.end_time or at or record.update_timestamp.timestamp()
    touched = {key.to_user_string() for key in run.asset_selection or ()}
    touched |= {check.asset for check in checks}
    return RunFact(
        run_id=run_id,
        job=_job(run),
        succeeded=run.status is DagsterRunStatus.SUCCESS,
        at=moment(ended),
        sessions=_sessions(run.tags),
        symbols=_symbols(run.run_config),
        error=error,
        steps=tuple(steps),
        checks=tuple(checks),
        terms={key: terms.get(key, AssetTerms()) for key in touched},
        cancelled=run.status is DagsterRunStatus.CANCELED,
        schedule=_schedule(run.tags),
    )


def asset_terms(repository: dg.RepositoryDefinition | None) -> dict[str, AssetTerms]:
    """Group and owners of every asset of a graph, by key."""
    if repository is None:
        return {}
    return {
        node.key.to_user_string(): AssetTerms(node.group_name or "", tuple(node.owners))
        for node in repository.asset_graph.asset_nodes
    }


def _events(
    instance: dg.DagsterInstance, run_id: str
) -> tuple[list[CheckFact], list[StepFact], str, float]:
    checks: list[CheckFact] = []
    steps: list[StepFact] = []
    error, at, cursor = "", 0.0, None
    while True:
        page = instance.get_records_for_run(run_id, cursor=cursor, of_type=_READ, limit=5_000)
        for record in page.records:
            event, at = record.event_log_entry.dagster_event, record.timestamp
            if event is None:
                continue
            if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
                checks.append(_check(event.asset_check_evaluation_data, at))
            elif event.event_type is DagsterEventType.RUN_FAILURE:
                error = told(error_of(event)) or event.message or ""
            else:
                steps.append(_step(event, at))
        if not page.has_more:
            return checks, steps, error, at
        cursor = page.cursor


def _step(event: dg.DagsterEvent, at: float) -> StepFact:
    name = event.step_key or ""
    if event.event_type is DagsterEventType.STEP_SUCCESS:
        return StepFact(name, moment(at))
    error = error_of(event)
    if any(link.cls_name == _BLOCKED for link in chain(error)):
        return StepFact(name, moment(at), blocked=True)
    return StepFact(name, moment(at), told(error) or event.message or "failed")


def _check(found: dg.AssetCheckEvaluation, at: float) -> CheckFact:
    symbols = _named_symbols(found.metadata)
    return CheckFact(
        asset=found.asset_key.to_user_string(),
        check=found.check_name,
        passed=found.passed,
        error=found.severity is dg.AssetCheckSeverity.ERROR,
        session=_day(found.partition),
        at=moment(at),
        detail=found.description or "",
        symbols=symbols,
        symbol_count=_number(found.metadata, "symbols"),
        rows=_number(found.metadata, "rows"),
        covers=_covered(found.metadata),
        page=_page(found.metadata),
        untold=_untold(found.metadata),
    )


def _untold(metadata: Mapping[str, Any]) -> tuple[UntoldFact, ...]:
    """What a summary alone tells of."""
    told = metadata.get(UNTOLD)
    if not isinstance(told, dg.TableMetadataValue):
        return ()
    return tuple(_untold_of(record.data) for record in told.records)


def _untold_of(row: Mapping[str, Any]) -> UntoldFact:
    days = {name: date.fromisoformat(row[name]) for name in ("first", "last")}
    return UntoldFact(**{**row, **days})


def _page(metadata: Mapping[str, Any]) -> str:
    """The page of the runbooks that a check links to, or shows, and the place of its code."""
    value = metadata.get("runbook")
    if not isinstance(value, dg.TextMetadataValue | dg.UrlMetadataValue | dg.MarkdownMetadataValue):
        return ""
    # A page that is shown has its name in its first line.
    found = _PAGE.search((value.value or "").partition("\n")[0].strip("`"))
    return f"{found[1]}{found[2] or ''}" if found else ""


def _named_symbols(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Those in the table of findings."""
    table = metadata.get("findings") or metadata.get("worst")
    if not isinstance(table, dg.TableMetadataValue):
        return ()
    named = (str(row.data.get("symbol") or "") for row in table.records)
    return tuple(sorted({symbol for symbol in named if symbol not in ("", "*")}))


def _number(metadata: Mapping[str, Any], name: str) -> int:
    value = metadata.get(name)
    return int(value.value or 0) if isinstance(value, dg.IntMetadataValue) else 0


def _covered(metadata: Mapping[str, Any]) -> tuple[date, date] | None:
    """The sessions that a check says it speaks of: '2024-02-05 to 2024-02-09', or one."""
    value = metadata.get("sessions")
    if not isinstance(value, dg.TextMetadataValue) or not value.value:
        return None
    parts = value.value.split(" to ")
    first, last = _day(parts[0]), _day(parts[-1])
    return (first, last) if first and last else None


def _job(run: dg.DagsterRun) -> str:
    """Its name; of a run of chosen assets, the assets, since they share one job."""
    if not run.job_name.startswith("__"):
        return run.job_name
    keys = sorted(key.to_user_string() for key in run.asset_selection or ())
    if len(keys) <= NAMED_ASSETS:
        return ", ".join(keys) or "all assets"
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:8]
    return f"{keys[0]} and {len(keys) - 1} more ({digest})"


def _sessions(tags: Mapping[str, str]) -> tuple[date, date] | None:
    one = _day(tags.get(PARTITION))
    first, last = _day(tags.get(RANGE_START)), _day(tags.get(RANGE_END))
    if first and last:
        return first, last
    return (one, one) if one else None


def _schedule(tags: Mapping[str, str]) -> str:
    """The schedule that asked for a run, and which of its runs it is; kept by a run's retries."""
    name = tags.get(SCHEDULE_TAG) or tags.get(_DAGSTER_SCHEDULE, "")
    return f"{name} {tags.get(PART_TAG, '')}".strip()


def _symbols(run_config: Any) -> dict[str, tuple[str, ...]]:
    ops = run_config.get("ops", {}) if isinstance(run_config, Mapping) else {}
    found = {}
    for step, given in ops.items():
        config = given.get("config", {}) if isinstance(given, Mapping) else {}
        if isinstance(config, Mapping) and isinstance(config.get("symbols"), Sequence):
            found[str(step)] = tuple(str(symbol) for symbol in config["symbols"])
    return found


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
