"""Runs of the graph that commands ask for, in this process.

What belongs here: what a command selects, who hears of its run.
What does not: how a run is executed (jobs/ranged_run.py), what it tells on its way
(emp/hearing.py), what a person is shown afterwards (emp/summary.py).
"""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from emp.hearing import Listener, RunRecord
from emp.narration import Narrator
from market_data.errors import ConfigurationError
from market_data.pipeline.feed import Feed
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    from adapters.settings import Settings
    from jobs.ranged_run import Selection
    from market_data.exports.jobs import ExportJob


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
    quiet_dagster()
    from jobs.ranged_run import bars_selection

    symbols = list(dict.fromkeys(s for feed in feeds for s in feed.symbols))
    chosen = bars_selection(timeframe, feeds, (first, last), symbols=symbols, also=also)
    return _run(settings, chosen, narrator)


def run_curation(
    settings: Settings,
    timeframe: Timeframe,
    symbols: Sequence[str],
    first: date,
    last: date,
    *,
    narrator: Narrator,
) -> RunRecord:
    """Curate, check and score a range of sessions anew as one run; nobody is asked for bars."""
    quiet_dagster()
    from jobs.ranged_run import bars_selection

    chosen = bars_selection(timeframe, [], (first, last), symbols=symbols)
    return _run(settings, chosen, narrator)


def run_reference(settings: Settings, narrator: Narrator) -> RunRecord:
    """Publish the reference tables as one run."""
    quiet_dagster()
    from emp_assets.naming import ACTIONS_KEY, INSTRUMENTS_KEY, SESSIONS_KEY
    from jobs.ranged_run import Selection

    keys = frozenset({INSTRUMENTS_KEY, SESSIONS_KEY, ACTIONS_KEY})
    return _run(settings, Selection(keys), narrator)


def run_macro(settings: Settings, first: date, last: date, narrator: Narrator) -> RunRecord:
    """Fetch and curate the macro releases of a range of days, with their checks, as one run."""
    quiet_dagster()
    from jobs.macro_run import macro_selection

    return _run(settings, macro_selection((first, last)), narrator)


def run_features(
    settings: Settings,
    timeframes: Sequence[Timeframe],
    symbols: Sequence[str],
    first: date,
    last: date,
    narrator: Narrator,
) -> RunRecord:
    """Make the features of a range of sessions, with their checks, as one run.

    Args:
        settings: of the installation.
        timeframes: of the bars.
        symbols: which; none for all.
        first: first session.
        last: last session, included.
        narrator: told what is going on.
    """
    quiet_dagster()
    from jobs.ranged_run import features_selection

    return _run(settings, features_selection(timeframes, (first, last), symbols=symbols), narrator)


def renew_features(
    settings: Settings, symbol: str, changed: Iterable[tuple[date, date]], narrator: Narrator
) -> bool:
    """Make the stored features anew in which some sessions have a part; whether that succeeded.

    Args:
        settings: of the installation.
        symbol: whose bars, splits or decisions are others than they were.
        changed: first and last session of each range.
        narrator: told what is going on.
    """
    from adapters.backend import open_platform
    from market_data.pipeline.features_touched import touched

    done = True
    for found in touched(open_platform(settings), symbol, changed):
        named = ", ".join(found.timeframes)
        narrator.say(f"making {named} features of {symbol} from {found.first} to {found.last} anew")
        quiet_dagster()
        from jobs.ranged_run import features_selection

        chosen = features_selection(
            found.timeframes, (found.first, found.last), symbols=[symbol], macro=False
        )
        done &= _run(settings, chosen, narrator).succeeded
    return done


def run_exports(
    settings: Settings,
    jobs: Sequence[ExportJob],
    sessions: tuple[date, date],
    narrator: Narrator,
    *,
    anew: bool = False,
) -> RunRecord:
    """Write some exports of a range of sessions, with their checks, as one run."""
    quiet_dagster()
    from jobs.exports import exports_selection

    return _run(settings, exports_selection(jobs, sessions, anew=anew), narrator)


def coarser(timeframe: Timeframe) -> tuple[Timeframe, ...]:
    """The timeframes that are resampled from bars of this one: from 1m all the others.

    Raises:
        ConfigurationError: nothing is resampled from it.
    """
    if timeframe is not Timeframe.M1:
        raise ConfigurationError(f"--resample makes coarser bars of 1m bars, not of {timeframe}")
    return tuple(t for t in Timeframe if t is not Timeframe.M1)


def quiet_dagster() -> None:
    """Dagster warns of features that it may still change; tests/compat watches those."""
    warnings.filterwarnings("ignore", module=r"dagster\b")
    import dagster as dg

    for category in (dg.BetaWarning, dg.PreviewWarning, dg.SupersessionWarning):
        warnings.filterwarnings("ignore", category=category)


def _run(settings: Settings, selection: Selection, narrator: Narrator) -> RunRecord:
    from definitions import build_definitions
    from emp.instance import open_instance
    from jobs.ranged_run import execute

    record = RunRecord(str(uuid.uuid4()))
    with open_instance(settings) as instance:
        record.succeeded = execute(
            build_definitions(settings),
            instance,
            selection,
            run_id=record.run_id,
            hear=Listener(record, narrator).hear,
            log_level=narrator.dagster_level,
        )
    return record
