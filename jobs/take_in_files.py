"""The job `take_in_files`: files of a drop folder become bars.

What belongs here: its configuration, its steps, the report that it keeps. What does not: which
files are complete (sensors/dropped_files.py), what they hold (adapters/registration/dropped.py).

The files are brought to where nobody changes them, each is looked into by itself, unknown symbols
are registered, and one ranged run per stretch of sessions lands, curates, checks and scores their
bars. Only then do they leave the folder. A file that cannot be read stays there, is named in the
report and fails the run, after the others have landed. The same files again change nothing. While
the warehouse is away files land, and what is left out is noted; until it counts as away, those for
which it did not answer are taken once more by themselves.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from adapters import dropped_again
from adapters.configuration import load_universe, register
from adapters.dropped_files import Dropped, Gathered, clear, gather, leave_out
from adapters.registration.dropped import Content, content_of
from jobs.failover import note_left_out, reduced
from jobs.inner_runs import run_inside
from jobs.ranged_run import bars_selection
from market_data.automation.drop import DropFolder
from market_data.errors import ConfigurationError
from market_data.failover.state import Standing
from market_data.pipeline.platform import Platform
from market_data.pipeline.slice_report import PartReport, PartStatus, grade_of, overall
from market_data.ports import Outcome, Report, Reports
from market_data.wording import sayable
from resources.platform import PlatformResource

NAME = "take_in_files"
STEP = "dropped_files"
"""A job and its step must not share a name."""
REPORT = "dropped_files"
PARENT_TAG = "emp/take_in_files_run"
FOLDER_TAG = "emp/drop_folder"
_NAMED = 5
_LOOKED = 200
"""Reports that are read for what was taken in lately."""

Graph = Callable[[], dg.Definitions]
"""The definitions that the job belongs to; known once they are made."""


class FileConfig(dg.Config):
    """A file as it was found complete."""

    name: str = Field(description="Below the drop folder.")
    size: int = Field(description="Bytes.")
    changed: int = Field(description="Nanoseconds since 1970.")


class TakeInConfig(dg.Config):
    """Which files are taken in."""

    folder: str = Field(description="Name of the drop folder in config/automation.yaml.")
    batch: str = Field(description="Names these files; the same again is the same work.")
    files: list[FileConfig] = Field(description="As they were found complete.")


def take_in_files_job(graph: Graph, folders: Sequence[DropFolder]) -> dg.JobDefinition:
    """The job over a graph.

    Args:
        graph: gives the definitions whose assets the job makes.
        folders: that files may come from.
    """
    known = {folder.name: folder for folder in folders}

    @dg.op(name=STEP, out=dg.Out(dg.Nothing), description=__doc__)
    def dropped_files(
        context: dg.OpExecutionContext, config: TakeInConfig, platform: PlatformResource
    ) -> Iterator[dg.Output[None]]:
        folder = known.get(config.folder)
        if folder is None:
            raise ConfigurationError(f"config/automation.yaml has no drop folder {config.folder!r}")
        files = [Dropped(file.name, file.size, file.changed) for file in config.files]
        context.log.info("taking its turn among the files of %s", folder.name)
        with platform.job_locks().hold([f"{NAME} {folder.name}"]):
            taken = _take_in(context, graph(), platform, folder, config.batch, files)
            # By the clock of the sensor that looks at it.
            now = datetime.now(UTC).timestamp()
            dropped_again.note(platform.settings(), folder, files, taken.again, now)
        report = Report(REPORT, taken.platform.clock.now(), taken.grade, taken.to_json())
        platform.operations.open().reports.keep(report)
        shown: dict[str, Any] = {"report": dg.MetadataValue.json(dict(report.body))}
        if wrong := taken.wrong():
            raise dg.Failure(wrong, metadata=shown, allow_retries=False)
        yield dg.Output(None, metadata=shown)

    @dg.job(name=NAME, description=__doc__)
    def job() -> None:
        dropped_files()

    return job


class _TakenIn:
    """What became of a batch.

    Attributes:
        folder: whose files they were.
        run_id: of the job.
        platform: with what was registered.
        gathered: the batch.
        content: what it held.
        parts: its runs.
        failed: by name of a file, why it was not taken in.
        again: names of those for which the warehouse did not answer.
    """

    def __init__(
        self,
        folder: DropFolder,
        run_id: str,
        platform: Platform,
        gathered: Gathered,
        content: Content,
    ) -> None:
        self.folder = folder
        self.run_id = run_id
        self.platform = platform
        self.gathered = gathered
        self.content = content
        self.parts: list[PartReport] = []
        self.failed: dict[str, str] = {**gathered.refused, **content.broken}
        self.again: set[str] = set()

    @property
    def grade(self) -> str:
        """ok, warn or fail."""
        return "fail" if self.failed else grade_of(overall(self.parts))

    def to_json(self) -> dict[str, Any]:
        """As the report shows it."""
        runs = {str((part.content or {}).get("run_id")) for part in self.parts}
        journal = [run for run in self.platform.journal.runs(limit=500) if run.run_id in runs]
        return {
            "folder": self.folder.name,
            "run_id": self.run_id,
            "batch": self.gathered.folder.name,
            "taken": [name for name in self.gathered.names if name not in self.failed],
            "failed": self.failed,
            "again": sorted(self.again),
            "changed": self.gathered.changed,
            "gone": self.gathered.gone,
            "symbols": list(self.content.symbols),
            "registered": self.content.registration.told(),
            "rows": sum(run.rows for run in journal),
            "new_rows": sum(run.new_rows for run in journal),
            "rejected_rows": sum(run.rejected_rows for run in journal),
            "parts": [part.to_json() for part in self.parts],
        }

    def wrong(self) -> str:
        """Why the job fails; empty where it does not."""
        told = [f"{sayable(name)}: {why}" for name, why in list(self.failed.items())[:_NAMED]]
        if len(self.failed) > _NAMED:
            told.append(f"and {len(self.failed) - _NAMED} more files")
        return "; ".join(told)


def _take_in(
    context: dg.OpExecutionContext,
    definitions: dg.Definitions,
    platform: PlatformResource,
    folder: DropFolder,
    batch: str,
    files: Sequence[Dropped],
) -> _TakenIn:
    settings, opened = platform.settings(), platform.open()
    reports = platform.operations.open().reports
    gathered = gather(settings, folder, batch, files, _taken_at(reports, folder, batch))
    universe = load_universe(settings)
    paths = {name: gathered.folder / name for name in gathered.names}
    content = content_of(settings, universe, folder, paths, opened.clock.now())
    new = content.registration
    if new:
        register(settings, instruments=new.instruments, vendors=new.vendors)
    for sentence in new.sentences():
        context.log.info(sentence)
    leave_out(gathered, content.broken)
    taken = _TakenIn(folder, context.run_id, opened, gathered, content)
    failover = platform.operations.open().failover
    for first, last in content.ranges():
        feed = content.feed(folder, gathered.folder, (first, last))
        context.log.info("%d symbols, sessions %s to %s", len(feed.symbols), first, last)
        chosen = bars_selection(
            content.timeframe, [feed], (first, last), symbols=list(feed.symbols)
        )
        standing, span = failover.standing(), (first, last)
        if standing is Standing.AWAY:
            made, now = [content.timeframe], opened.clock.now()
            note_left_out(failover, made, feed.symbols, span, at=now, run_id=context.run_id)
        name = f"{folder.name} {first}"
        part = run_inside(context, definitions, reduced(chosen, standing), name, PARENT_TAG)
        taken.parts.append(part)
        _judge(taken, feed.symbols, span, part)
    leave_out(gathered, [name for name in gathered.names if name in taken.failed])
    clear(settings, folder, gathered, files)
    return taken


def _taken_at(reports: Reports, folder: DropFolder, batch: str) -> dict[str, datetime]:
    """By name of a file, when another batch of its folder took one of that name in last."""
    found: dict[str, datetime] = {}
    for report in reports.newest(REPORT, _LOOKED):
        if report.body["folder"] == folder.name and report.body["batch"] != batch:
            for name in report.body["taken"]:
                found.setdefault(name, report.at)
    return found


def _judge(
    taken: _TakenIn, symbols: Sequence[str], sessions: tuple[Any, Any], part: PartReport
) -> None:
    """Name the files of whose bars a run made nothing."""
    failed = dict.fromkeys(symbols, "; ".join(part.reasons))
    if part.status is not PartStatus.FAILED:
        ledger = taken.platform.ledger.read(
            timeframe=taken.content.timeframe,
            vendors=[taken.folder.vendor],
            symbols=symbols,
            sessions=sessions,
        )
        unwell = ledger.filter(ledger["outcome"] == str(Outcome.FAILED))
        failed = dict(unwell.select("symbol", "detail").iter_rows())
    for name, held in taken.content.files.items():
        if reasons := [failed[symbol] for symbol in held if symbol in failed]:
            taken.failed.setdefault(name, reasons[0])
            if part.content and part.content.get("store_away"):
                taken.again.add(name)
