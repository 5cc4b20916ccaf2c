"""The work behind `emp quarantine`: replaying refused rows, and their export.

What belongs here: running the curations of a replay as runs of the graph, and writing files.
What does not: what is tried and judged (market_data/pipeline/replay.py), printing (emp/commands).
"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from emp.output import replace_file, to_json
from market_data.dead_letters import dead_letters
from market_data.errors import ConfigurationError
from market_data.pipeline.platform import Platform
from market_data.pipeline.replay import Replay, plan_replay, rehearse, reread, verdicts
from market_data.ports import Refused

if TYPE_CHECKING:
    from adapters.settings import Settings
    from emp.narration import Narrator


def replay(
    settings: Settings,
    platform: Platform,
    wanted: Refused,
    narrator: Narrator,
    *,
    spec: str | None = None,
) -> tuple[pl.DataFrame, bool]:
    """Try rows again, and write down those that are accepted now.

    Returns:
        Rows of VERDICTS, and whether no run broke; one that checks hold back did its work.
    """
    plan = reread(platform, plan_replay(platform, wanted, spec=spec), keep=True)
    done = _curate(settings, plan, narrator)
    judged = verdicts(platform, plan)
    accepted = judged.filter(pl.col("verdict") == "accepted")["row_id"].to_list()
    if accepted and done:
        platform.quarantine.decide(
            accepted,
            "replayed",
            at=platform.clock.now(),
            by=who(),
            reason="accepted when it was tried again",
        )
    return judged, done


def would_replay(platform: Platform, wanted: Refused, *, spec: str | None = None) -> pl.DataFrame:
    """What `replay` would come to, in rows of VERDICTS; nothing is written."""
    return rehearse(
        platform, reread(platform, plan_replay(platform, wanted, spec=spec), keep=False)
    )


def _curate(settings: Settings, plan: Replay, narrator: Narrator) -> bool:
    from emp.run import run_curation

    done = True
    for span in plan.spans:
        narrator.say(
            f"curating {span.timeframe} bars of {span.symbol} again, {span.first} to {span.last}"
        )
        record = run_curation(
            settings, span.timeframe, [span.symbol], span.first, span.last, narrator=narrator
        )
        # A check that holds a session back since its rows are refused again is no failure here.
        done &= record.succeeded or record.stopped_by_checks_alone
    return done


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
