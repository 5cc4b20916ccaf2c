"""What was seen of Dagster and of the stores, in plain records.

What belongs here: the input of the sources. What does not: reading it (sensors/run_facts.py,
sensors/instance_facts.py), judging it (sources.py, platform_sources.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True)
class AssetTerms:
    """What the graph says of an asset: its group and its owners."""

    group: str = ""
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class UntoldFact:
    """Failures of one check of which only the summary of a run over a range tells.

    Attributes:
        check: its name.
        first: the first session that failed and has no record of its own.
        last: the last one.
        untold: how many they are.
        failed: failing sessions of the run, told one by one or not.
        errors: those of them in error.
        sessions: of the run.
        findings: of the check, in the whole run.
    """

    check: str
    first: date
    last: date
    untold: int
    failed: int
    errors: int
    sessions: int
    findings: int


@dataclass(frozen=True)
class CheckFact:
    """One evaluation of a check.

    Attributes:
        asset: key, layer/dataset.
        check: name.
        passed: the verdict.
        error: whether its severity is that of an error.
        session: that it is about; None where it is about the asset.
        at: when it was stored.
        detail: what it said.
        symbols: that it names.
        symbol_count: how many are affected; 0 where nobody counted.
        rows: how many are affected; 0 where nobody counted.
        covers: first and last session that a summary speaks of.
        page: of docs/runbooks that it names, without .md, with the place of a single finding's
            code (check-drift#drift); empty where it names none.
        untold: of a summary: failures of single sessions that nothing else tells of.
    """

    asset: str
    check: str
    passed: bool
    error: bool
    session: date | None
    at: datetime
    detail: str = ""
    symbols: tuple[str, ...] = ()
    symbol_count: int = 0
    rows: int = 0
    covers: tuple[date, date] | None = None
    page: str = ""
    untold: tuple[UntoldFact, ...] = ()


@dataclass(frozen=True)
class StepFact:
    """The end of one step.

    Attributes:
        step: its name.
        at: when it ended.
        error: empty where it succeeded.
        blocked: it ended because a check that blocks has failed, not by an error.
    """

    step: str
    at: datetime
    error: str = ""
    blocked: bool = False


@dataclass(frozen=True)
class RunFact:
    """One run that has ended.

    Attributes:
        run_id: of the run.
        job: its name; of runs of assets, the assets in their order.
        succeeded: whether it did.
        at: when it ended.
        cancelled: somebody ended it: that it did not succeed is no failure.
        schedule: that asked for it, with what the run is for where one tick asks for several; the
            same from tick to tick. Empty where none did.
        sessions: first and last session; None for a run without partitions.
        symbols: by step, those that it was asked for; none: all.
        error: of a run that no step failed in.
        steps: that ended.
        checks: every evaluation.
        terms: of the assets that it is about.
    """

    run_id: str
    job: str
    succeeded: bool
    at: datetime
    sessions: tuple[date, date] | None = None
    symbols: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    error: str = ""
    steps: tuple[StepFact, ...] = ()
    checks: tuple[CheckFact, ...] = ()
    terms: Mapping[str, AssetTerms] = field(default_factory=dict)
    cancelled: bool = False
    schedule: str = ""


@dataclass(frozen=True)
class TickFact:
    """A sensor or a schedule and its newest ticks, newest first; an error is empty where fine."""

    name: str
    what: str
    ticks: tuple[tuple[datetime, str], ...]
    running: bool = True


@dataclass(frozen=True)
class BackfillFact:
    """A backfill.

    Attributes:
        backfill_id: of the backfill.
        title: a few words.
        over: whether nothing of it is left to run.
        failed: whether it ended as failed, and none that was asked for in its place succeeded.
        moved: when it, or a run of it, changed last.
        error: what ended it.
    """

    backfill_id: str
    title: str
    over: bool
    failed: bool
    moved: datetime
    error: str = ""


@dataclass(frozen=True)
class DaemonFact:
    """One daemon of Dagster: its newest heartbeat, and what it complained of."""

    name: str
    beat: datetime | None
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class BreakerFact:
    """The breaker of one vendor's account: closed, open or half open, and the last failure."""

    vendor: str
    state: str
    trouble: str = ""


@dataclass(frozen=True)
class AgeFact:
    """How far the stored bars of one timeframe reach.

    Attributes:
        asset: key of the curated bars.
        newest: symbol to the newest session stored.
        due_warn: symbol to the session that should be there by now.
        due_error: symbol to the session that should be there for long.
        terms: of the asset.
    """

    asset: str
    newest: Mapping[str, date]
    due_warn: Mapping[str, date]
    due_error: Mapping[str, date]
    terms: AssetTerms = AssetTerms()


@dataclass(frozen=True)
class SlaFact:
    """A schedule whose runs should be over by now.

    Attributes:
        schedule: its name.
        tick: the newest one whose time is up; None where nothing was promised.
        late: what is not done of it, a sentence each.
    """

    schedule: str
    tick: datetime | None
    late: tuple[str, ...] = ()


@dataclass(frozen=True)
class RouteFact:
    """A route of alerts: since when it has taken nothing, and why; `refused` messages for good."""

    name: str
    down_since: datetime | None
    error: str = ""
    refused: int = 0
