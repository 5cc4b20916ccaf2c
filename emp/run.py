"""One ranged run of the graph in this process: raw, curated, quarantine, scores and their checks.

What belongs here: which assets and checks a command selects, their run configuration, how the run
is launched and told about.
What does not: what the assets do (emp_assets), what a person is shown afterwards (emp/summary.py).
"""

from __future__ import annotations

import logging
import os
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from emp.narration import Narrator
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    import dagster as dg

    from adapters.settings import Settings

SUMMARY_CHECK = "run_summary"


@dataclass(frozen=True)
class Feed:
    """What a run asks one vendor for."""

    vendor: str
    symbols: tuple[str, ...]
    path: str | None = None
    spec: str | None = None
    refetch: bool = False
    prices_as_of: str | None = None

    @property
    def config(self) -> dict[str, Any]:
        """The run configuration of the vendor's raw bars."""
        given = {"path": self.path, "spec": self.spec, "prices_as_of": self.prices_as_of}
        return {
            "symbols": list(self.symbols),
            "refetch": self.refetch,
            **{name: value for name, value in given.items() if value is not None},
        }


@dataclass(frozen=True)
class RunFailure:
    """A step that failed, in a sentence; `blocked` when a check stopped what is downstream."""

    step: str
    message: str
    blocked: bool


@dataclass
class RunRecord:
    """What became of a run."""

    run_id: str
    succeeded: bool = False
    failures: list[RunFailure] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    """received_rows, new_rows, revised_rows, rejected_rows of the raw bars that landed."""

    @property
    def stopped_by_checks_alone(self) -> bool:
        """Whether nothing went wrong but a check that holds back what is downstream."""
        return bool(self.failures) and all(f.blocked for f in self.failures)


def run_feeds(
    settings: Settings,
    timeframe: Timeframe,
    feeds: Sequence[Feed],
    first: date,
    last: date,
    *,
    also: Sequence[Timeframe] = (),
    narrator: Narrator,
) -> RunRecord:
    """Fetch, curate, check and score a range of sessions as one run.

    The run is recorded in the installation's Dagster instance, where the UI shows it.

    Args:
        settings: of the installation; registrations must have been written before.
        timeframe: of the feeds.
        feeds: one per vendor.
        first: first session.
        last: last session, included.
        also: coarser timeframes to curate from the same bars.
        narrator: told what is going on.
    """
    _quiet_dagster()
    from emp_assets.naming import QUARANTINE_KEY, SCORES_KEY, curated_key, op_name, raw_key

    symbols = list(dict.fromkeys(s for feed in feeds for s in feed.symbols))
    raws = {raw_key(feed.vendor, timeframe): feed.config for feed in feeds}
    chosen = {curated_key(t): {"symbols": symbols} for t in (timeframe, *also)}
    configured: dict[dg.AssetKey, dict[str, Any]] = {
        **raws,
        **chosen,
        SCORES_KEY: {"symbols": symbols},
    }
    ops = {op_name(key): {"config": config} for key, config in configured.items()}
    ops |= {f"{op_name(key)}__checks": {"config": {"symbols": symbols}} for key in configured}
    return _execute(
        settings, {*configured, QUARANTINE_KEY}, ops, sessions=(first, last), narrator=narrator
    )


def coarser(timeframe: Timeframe) -> tuple[Timeframe, ...]:
    """The timeframes that are resampled from bars of this one: from 1m all the others.

    Raises:
        ConfigurationError: nothing is resampled from it.
    """
    if timeframe is not Timeframe.M1:
        raise ConfigurationError(f"--resample makes coarser bars of 1m bars, not of {timeframe}")
    return tuple(t for t in Timeframe if t is not Timeframe.M1)


def run_reference(settings: Settings, narrator: Narrator) -> RunRecord:
    """Publish the reference tables as one run."""
    _quiet_dagster()
    from emp_assets.naming import ACTIONS_KEY, INSTRUMENTS_KEY, SESSIONS_KEY

    keys = {INSTRUMENTS_KEY, SESSIONS_KEY, ACTIONS_KEY}
    return _execute(settings, keys, {}, sessions=None, narrator=narrator)


def _execute(
    settings: Settings,
    keys: set[dg.AssetKey],
    ops: Mapping[str, Any],
    *,
    sessions: tuple[date, date] | None,
    narrator: Narrator,
) -> RunRecord:
    from definitions import build_definitions
    from emp.instance import open_instance

    definitions = build_definitions(settings)
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=keys,
        asset_check_selection=_checks(definitions, keys, sessions),
    )
    record = RunRecord(str(uuid.uuid4()))
    with _planned_as_one_range(sessions), open_instance(settings) as instance:
        listener = _Listener(record, narrator)
        instance.add_event_listener(record.run_id, listener.hear)
        result = job.execute_in_process(
            instance=instance,
            run_id=record.run_id,
            run_config={
                "ops": {name: ops[name] for name in ops if job.has_node_named(name)},
                "loggers": {"console": {"config": {"log_level": narrator.dagster_level}}},
            },
            raise_on_error=False,
            **_partitions(sessions),
        )
    record.succeeded = result.success
    return record


def _partitions(sessions: tuple[date, date] | None) -> dict[str, Any]:
    if sessions is None:
        return {}
    first, last = sessions
    if first == last:
        return {"partition_key": first.isoformat()}
    return {
        "tags": {
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
        }
    }


def _checks(
    definitions: dg.Definitions, keys: set[dg.AssetKey], sessions: tuple[date, date] | None
) -> set[dg.AssetCheckKey]:
    """All checks of a short run, the summary alone of a long one; see emp_assets/check_states."""
    if sessions is None:
        return set()
    return {
        key
        for key in definitions.resolve_asset_graph().asset_check_keys
        if key.asset_key in keys and (not _is_long(sessions) or key.name == SUMMARY_CHECK)
    }


def _is_long(sessions: tuple[date, date] | None) -> bool:
    from emp_assets.metadata import PER_SESSION_LIMIT

    return sessions is not None and (sessions[1] - sessions[0]).days + 1 > PER_SESSION_LIMIT


@contextmanager
def _planned_as_one_range(sessions: tuple[date, date] | None) -> Iterator[None]:
    """Let Dagster plan a long run with one event per asset instead of one per session.

    On SQLite the planned events cost as much as the materialisations themselves. What is lost is
    that the sessions of a failed run are marked as failed in the UI; the command says it instead.
    """
    name = "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS"
    if not _is_long(sessions) or name in os.environ:
        yield
        return
    os.environ[name] = "true"
    try:
        yield
    finally:
        del os.environ[name]


class _Listener:
    """Hears every event of a run: tells the narrator, keeps what the record needs."""

    def __init__(self, record: RunRecord, narrator: Narrator) -> None:
        self._record = record
        self._narrator = narrator
        self._counted: set[dg.AssetKey] = set()
        self._blocking: dict[str, str] = {}

    def hear(self, entry: dg.EventLogEntry) -> None:
        """Take one event."""
        event = entry.dagster_event
        if event is None:
            # What is above are Dagster's remarks on a failure that is told by itself.
            if entry.step_key and logging.INFO <= int(entry.level) <= logging.WARNING:
                self._narrator.say(entry.user_message)
        elif event.is_step_start:
            self._narrator.step(_step(event))
        elif event.is_step_materialization:
            self._count(event)
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            self._check(event)
        elif event.is_step_failure:
            self._fail(event)

    def _count(self, event: dg.DagsterEvent) -> None:
        """Totals are on every session's materialisation; the first one of an asset is taken."""
        key = event.asset_key
        if key is None or key in self._counted:
            return
        self._counted.add(key)
        metadata = event.step_materialization_data.materialization.metadata
        for name in ("received_rows", "new_rows", "revised_rows", "rejected_rows"):
            if name in metadata:
                rows = metadata[name].value
                if isinstance(rows, int):
                    self._record.totals[name] = self._record.totals.get(name, 0) + rows

    def _check(self, event: dg.DagsterEvent) -> None:
        found = event.asset_check_evaluation_data
        if found.passed or found.partition is not None:
            return
        key = "/".join(found.asset_key.path)
        self._narrator.say(f"check {found.check_name} of {key}: {found.description}")
        if found.blocking and found.severity.value == "ERROR":
            self._blocking[_step(event)] = f"{key} is held back: {found.description}"

    def _fail(self, event: dg.DagsterEvent) -> None:
        step = _step(event)
        blocked = self._blocking.get(step)
        message = blocked or _reason(event)
        self._record.failures.append(RunFailure(step, message, blocked is not None))
        self._narrator.say(f"{step} failed: {message}")


def _step(event: dg.DagsterEvent) -> str:
    return (event.step_key or "").replace("__", "/")


def _reason(event: dg.DagsterEvent) -> str:
    """The first line of what the failed step said itself."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "no reason was recorded"
    text = error.message.strip().splitlines()
    return text[0] if text else str(error.cls_name)


def _quiet_dagster() -> None:
    """Dagster warns of features that it may still change; tests/compat watches those."""
    warnings.filterwarnings("ignore", module=r"dagster\b")
    import dagster as dg

    for category in (dg.BetaWarning, dg.PreviewWarning, dg.SupersessionWarning):
        warnings.filterwarnings("ignore", category=category)
