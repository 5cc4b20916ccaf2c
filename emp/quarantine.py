"""The work behind `emp quarantine`: replaying refused rows, and their export.

What belongs here: running the curations of a replay as runs of the graph, and writing files.
What does not: what is tried and judged (market_data/pipeline/replay.py), printing (emp/commands).
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from emp.output import replace_file, to_json
from market_data.dead_letters import dead_letters
from market_data.errors import ConfigurationError
from market_data.pipeline.platform import Platform
from market_data.pipeline.replay import Replay, Span, plan_replay, rehearse, reread, verdicts
from market_data.ports import Refused

if TYPE_CHECKING:
    from adapters.settings import Settings
    from emp.narration import Narrator


@dataclass(frozen=True)
class FailedCuration:
    """Sessions whose curation failed.

    Attributes:
        span: which.
        why: in the words of the run.
        held_back: whether the bars are made, and a check alone holds back what is downstream.
    """

    span: Span
    why: str
    held_back: bool

    def __str__(self) -> str:
        span = self.span
        told = (
            f"curating {span.timeframe} bars of {span.symbol}, {span.first} to {span.last}, "
            f"failed: {self.why}"
        )
        if self.held_back:
            return told
        return (
            f"{told}; 'emp coverage {span.symbol} --start {span.first} --end {span.last} "
            f"--timeframe {span.timeframe} --outdated' shows what is left, and the job "
            "rebuild_curated makes it"
        )


def replay(
    settings: Settings,
    platform: Platform,
    wanted: Refused,
    narrator: Narrator,
    *,
    spec: str | None = None,
) -> tuple[pl.DataFrame, list[FailedCuration]]:
    """Try rows again, and write down those that are accepted now.

    Returns:
        Rows of VERDICTS, and the curations that failed. Where a run broke, no row is written down
        as accepted; one that a check holds back did its work.
    """
    plan = reread(platform, plan_replay(platform, wanted, spec=spec), keep=True)
    failed = _curate(settings, plan, narrator)
    judged = verdicts(platform, plan)
    accepted = judged.filter(pl.col("verdict") == "accepted")["row_id"].to_list()
    if accepted and all(one.held_back for one in failed):
        platform.quarantine.decide(
            accepted,
            "replayed",
            at=platform.clock.now(),
            by=who(),
            reason="accepted when it was tried again",
        )
    return judged, failed


def would_replay(platform: Platform, wanted: Refused, *, spec: str | None = None) -> pl.DataFrame:
    """What `replay` would come to, in rows of VERDICTS; nothing is written."""
    return rehearse(
        platform, reread(platform, plan_replay(platform, wanted, spec=spec), keep=False)
    )


def _curate(settings: Settings, plan: Replay, narrator: Narrator) -> list[FailedCuration]:
    from emp.run import renew_features, run_curation

    failed = []
    for span in plan.spans:
        narrator.say(
            f"curating {span.timeframe} bars of {span.symbol} again, {span.first} to {span.last}"
        )
        record = run_curation(
            settings, span.timeframe, [span.symbol], span.first, span.last, narrator=narrator
        )
        if not record.succeeded:
            why = "; ".join(f.message for f in record.failures) or f"run {record.run_id} failed"
            failed.append(FailedCuration(span, why, held_back=record.stopped_by_checks_alone))
    for symbol in sorted({span.symbol for span in plan.spans}):
        own = [span for span in plan.spans if span.symbol == symbol]
        if not renew_features(settings, symbol, [(s.first, s.last) for s in own], narrator):
            why = "features of these bars could not be made anew"
            failed.append(FailedCuration(own[0], why, held_back=False))
    return failed


def export(rows: pl.DataFrame, folder: Path) -> list[Path]:
    """Write one dead letter per failure; files of the same failures are replaced.

    Raises:
        ConfigurationError: the folder or a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot make {folder}: {error.strerror}") from error
    written = []
    for name, content in dead_letters(rows):
        replace_file(folder / name, to_json(content))
        written.append(folder / name)
    return written


def who() -> str:
    """The user of this process, for the record of a decision."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
