"""What 'emp export' is asked for and tells.

What belongs here: from options to exports and sessions, and what is known of them afterwards.
What does not: the run (emp/run.py), what an export is (market_data/exports).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emp.errors import PeriodError
from emp.hearing import RunRecord
from emp.moments import day
from market_data.errors import ConfigurationError, CopyMismatchError
from market_data.exports.jobs import ExportJob, export_jobs, jobs_of

if TYPE_CHECKING:
    from adapters.exports.sources import Source
    from adapters.exports.store import ExportStore
    from adapters.settings import Settings
    from market_data.exports.drill import Drilled
    from market_data.exports.manifest import Manifest

LOOKBACK = timedelta(days=7)


@dataclass(frozen=True)
class Wish:
    """The options of 'emp export run' as they were typed."""

    names: Sequence[str]
    start: str | None
    end: str | None
    everything: bool

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            PeriodError: the period is said twice, or by its end alone.
        """
        if self.everything and (self.start or self.end):
            raise PeriodError("say --all or --start and --end, not both")
        if self.end is not None and self.start is None:
            raise PeriodError("--end needs --start")


@dataclass(frozen=True)
class Planned:
    """One export of a run.

    Attributes:
        job: which.
        held: first and last session that its source may hold; None where it holds nothing.
    """

    job: ExportJob
    held: tuple[date, date] | None


def with_options(settings: Settings, engine: str | None, to: Path | None) -> Settings:
    """The settings with what a person named."""
    from adapters.settings import ExportEngine

    changed: dict[str, Any] = {}
    if engine is not None:
        changed["export_engine"] = ExportEngine(engine)
    if to is not None:
        changed["export_dir"] = to
    return settings.model_copy(update=changed)


def parts_of(settings: Settings) -> tuple[ExportStore, Source]:
    """The folders of exports, and where their rows come from."""
    from adapters.backend import open_platform
    from adapters.exports.looking import source_of, store_of
    from adapters.modes import decide

    found = decide(settings)
    return store_of(settings), source_of(found, open_platform(settings))


def planned(source: Source, wish: Wish) -> list[Planned]:
    """The exports that are wanted; without names those whose source holds anything.

    Raises:
        ConfigurationError: there is no such export.
    """
    named = [job for name in wish.names for job in jobs_of(name)]
    found = [Planned(job, source.read(job).held()) for job in named or export_jobs()]
    return found if named else [one for one in found if one.held is not None]


def sessions_of(
    settings: Settings, wish: Wish, chosen: Sequence[Planned], today: date
) -> tuple[date, date]:
    """The sessions of a run, within those that can exist.

    Raises:
        ConfigurationError: a text is no day, or the range is empty.
    """
    from adapters.configuration import load_universe

    earliest, latest = load_universe(settings).first_session, today + timedelta(days=1)
    if wish.everything:
        held = [one.held for one in chosen if one.held is not None]
        first = min((h[0] for h in held), default=today)
        last = max((h[1] for h in held), default=today)
    elif wish.start is not None:
        first = day(wish.start, "--start")
        last = day(wish.end, "--end") if wish.end else today
    else:
        first, last = today - LOOKBACK, today
    first, last = max(first, earliest), min(last, latest)
    if first > last:
        raise ConfigurationError(f"no session can exist from {first} to {last}")
    return first, last


def plan_told(
    settings: Settings, chosen: Sequence[Planned], sessions: tuple[date, date]
) -> list[dict[str, Any]]:
    """What a run would write."""
    found = []
    for one in chosen:
        units = one.job.units(*sessions)
        found.append(
            {
                "export": one.job.name,
                "engine": str(settings.export_engine),
                "folder": str(settings.export_root / one.job.name),
                "source": one.job.dataset.name,
                "where": one.job.where,
                "units": len(units),
                "first": units[0].name,
                "last": units[-1].name,
                "source_holds": [str(d) for d in one.held] if one.held else None,
            }
        )
    return found


def run_told(
    store: ExportStore, chosen: Sequence[Planned], sessions: tuple[date, date], record: RunRecord
) -> dict[str, Any]:
    """How a run went, and what every export holds now."""
    return {
        "run_id": record.run_id,
        "succeeded": record.succeeded,
        "sessions": [str(day) for day in sessions],
        "exports": [told for one in chosen if (told := state_told(store, one.job)) is not None],
        "failures": [{"step": f.step, "message": f.message} for f in record.failures],
    }


def state_told(store: ExportStore, job: ExportJob) -> dict[str, Any] | None:
    """What an export holds; None where it was never written."""
    try:
        manifest = store.newest(job)
    except CopyMismatchError as error:
        return {"job": job.name, "damaged": str(error)}
    return None if manifest is None else {**manifest.summary(), "folder": str(store.folder(job))}


def files_of(store: ExportStore, job: ExportJob) -> tuple[Manifest, list[Path]]:
    """The manifest of an export and the files that it names.

    Raises:
        DatasetMissingError: nothing was exported yet.
        CopyMismatchError: the manifest is damaged.
    """
    manifest = store.manifest(job)
    return manifest, [store.folder(job) / file.path for file in manifest.files]


def drilled(
    settings: Settings,
    names: Sequence[str],
    tell: Callable[[str], None],
    *,
    cycles: int,
    limits: tuple[float, float],
) -> Drilled:
    """A drill of some exports; it is kept among the reports.

    Raises:
        ConfigurationError: there is no such export, or the limits are none.
    """
    from adapters.exports.drilling import drill
    from adapters.exports.opening import opened_exporter
    from adapters.modes import decide
    from emp.reporting import operations_of
    from market_data.exports.drill import Limits

    jobs = [job for name in names for job in jobs_of(name)]
    asked = Limits(*limits)
    with opened_exporter(settings) as exporter:
        done = drill(exporter, jobs, tell, cycles=cycles, limits=asked)
    operations_of(decide(settings)).reports.keep(done.to_keep())
    return done
