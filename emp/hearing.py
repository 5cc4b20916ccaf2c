"""What a run tells on its way, and the record that it leaves.

What belongs here: from the events of Dagster to sentences, failures and totals.
What does not: launching a run (emp/run.py), how sentences are shown (emp/narration.py).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emp.narration import Narrator

if TYPE_CHECKING:
    import dagster as dg

_SAID = 20


@dataclass(frozen=True)
class RunFailure:
    """A step that failed, or `run`, in a sentence; `blocked` when a check stopped what follows."""

    step: str
    message: str
    blocked: bool


@dataclass(frozen=True)
class OtherSession:
    """A session beside the run's own of which a check says something else since.

    Attributes:
        dataset: that is checked.
        check: its name.
        session: which.
        passed: whether it finds nothing any more.
        error: whether what it finds is an error.
        symbols: those that the result names.
        detail: the finding in words.
    """

    dataset: str
    check: str
    session: str
    passed: bool
    error: bool
    symbols: tuple[str, ...]
    detail: str


@dataclass
class RunRecord:
    """What became of a run."""

    run_id: str
    succeeded: bool = False
    interrupted: bool = False
    """SIGINT or SIGTERM ended it."""
    failures: list[RunFailure] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    """received_rows, new_rows, revised_rows, rejected_rows of the raw bars that landed."""
    others: list[OtherSession] = field(default_factory=list)

    @property
    def stopped_by_checks_alone(self) -> bool:
        """Whether nothing went wrong but a check that holds back what is downstream."""
        return bool(self.failures) and all(f.blocked for f in self.failures)


class Listener:
    """Hears every event of a run: tells the narrator, keeps what the record needs."""

    def __init__(self, record: RunRecord, narrator: Narrator) -> None:
        self._record = record
        self._narrator = narrator
        self._counted: set[dg.AssetKey] = set()
        self._blocking: dict[str, str] = {}
        self._by_session: dict[dg.AssetKey, list[OtherSession]] = {}

    def hear(self, entry: dg.EventLogEntry) -> None:
        """Take one event."""
        from jobs.step_failures import step_of

        event = entry.dagster_event
        if event is None:
            # What is above are Dagster's remarks on a failure that is told by itself.
            if entry.step_key and logging.INFO <= int(entry.level) <= logging.WARNING:
                self._narrator.say(entry.user_message)
        elif event.is_step_start:
            self._narrator.step(step_of(event))
        elif event.is_step_materialization:
            self._count(event)
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            self._check(event)
        elif event.is_step_failure:
            self._fail(event)
        elif event.is_run_failure and not self._record.failures:
            self._fail_whole(event)

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
        from jobs.step_failures import step_of

        found = event.asset_check_evaluation_data
        if found.partition is not None:
            self._by_session.setdefault(found.asset_key, []).append(_verdict(found))
            return
        self._tell_others(found)
        if found.passed:
            return
        key = "/".join(found.asset_key.path)
        self._narrator.say(f"check {found.check_name} of {key}: {found.description}")
        if found.blocking and found.severity.value == "ERROR":
            self._blocking[step_of(event)] = f"{key} is held back: {found.description}"

    def _tell_others(self, summary: dg.AssetCheckEvaluation) -> None:
        """Of what was said session by session, what is not about those of the run."""
        from emp_assets.neighbours import OTHERS

        if OTHERS not in summary.metadata:
            return
        # It comes after the results of its sessions, and names those of the run.
        first, _, last = str(summary.metadata["sessions"].value).partition(" to ")
        told = self._by_session.pop(summary.asset_key, [])
        others = [v for v in told if not first <= v.session <= (last or first)]
        self._record.others.extend(others)
        for v in others[:_SAID]:
            now = "finds nothing any more" if v.passed else v.detail
            self._narrator.say(f"check {v.check} of {v.dataset}, {v.session}: {now}")
        if len(others) > _SAID:
            self._narrator.say(f"and {len(others) - _SAID} more of other sessions")

    def _fail(self, event: dg.DagsterEvent) -> None:
        from jobs.step_failures import failure_of

        found = failure_of(event)
        blocked = self._blocking.get(found.step)
        message = blocked or found.reason
        self._record.failures.append(RunFailure(found.step, message, blocked is not None))
        self._record.interrupted = self._record.interrupted or found.interrupted
        self._narrator.say(f"{found.step} failed: {message}")

    def _fail_whole(self, event: dg.DagsterEvent) -> None:
        """No step has said why: Dagster itself could not go on."""
        from resources.event_errors import error_of, told

        message = told(error_of(event)) or event.message or "no reason was recorded"
        self._record.failures.append(RunFailure("run", message, blocked=False))
        self._narrator.say(f"the run failed: {message}")


def _verdict(found: dg.AssetCheckEvaluation) -> OtherSession:
    records = getattr(found.metadata.get("findings"), "records", ())
    return OtherSession(
        dataset="/".join(found.asset_key.path),
        check=found.check_name,
        session=found.partition or "",
        passed=found.passed,
        error=not found.passed and found.severity.value == "ERROR",
        symbols=tuple(sorted({str(r.data.get("symbol", "")) for r in records})),
        detail=found.description or "",
    )
