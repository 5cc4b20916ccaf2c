"""One ranged run of the graph in this process: raw, curated, quarantine, scores and their checks.

What belongs here: which assets and checks a command selects, their run configuration, how the run
is launched.
What does not: what the assets do (emp_assets), what a run tells on its way (emp/hearing.py), what
a person is shown afterwards (emp/summary.py).
"""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from emp.hearing import Listener, RunRecord
from emp.narration import Narrator
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    import dagster as dg

    from adapters.settings import Settings

SUMMARY_CHECK = "run_summary"


@dataclass(frozen=True)
class Feed:
    """What a run asks one vendor for.

    Attributes:
        vendor: who is asked.
        symbols: for what.
        path: the files, of a vendor that reads files.
        spec: their format.
        refetch: ask again for what the ledger has an answer to.
        prices_as_of: day on which split-adjusted files were exported.
        spans: first and last session of symbols that are asked for less than the whole range.
    """

    vendor: str
    symbols: tuple[str, ...]
    path: str | None = None
    spec: str | None = None
    refetch: bool = False
    prices_as_of: str | None = None
    spans: Mapping[str, tuple[date, date]] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """The run configuration of the vendor's raw bars."""
        given = {"path": self.path, "spec": self.spec, "prices_as_of": self.prices_as_of}
        return {
            "symbols": list(self.symbols),
            "refetch": self.refetch,
            "spans": {s: [day.isoformat() for day in span] for s, span in self.spans.items()},
            **{name: value for name, value in given.items() if value is not None},
        }


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
    from emp_assets.naming import raw_key

    symbols = list(dict.fromkeys(s for feed in feeds for s in feed.symbols))
    raws = {raw_key(feed.vendor, timeframe): feed.config for feed in feeds}
    return _run_bars(settings, raws, (timeframe, *also), symbols, (first, last), narrator)


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
    _quiet_dagster()
    return _run_bars(settings, {}, (timeframe,), symbols, (first, last), narrator)


def _run_bars(
    settings: Settings,
    raws: Mapping[dg.AssetKey, dict[str, Any]],
    curated: Sequence[Timeframe],
    symbols: Sequence[str],
    sessions: tuple[date, date],
    narrator: Narrator,
) -> RunRecord:
    """Raw bars as configured, the curated ones, quarantine, scores and the checks of them all."""
    from emp_assets.naming import QUARANTINE_KEY, SCORES_KEY, curated_key, op_name

    chosen = {"symbols": list(symbols)}
    configured: dict[dg.AssetKey, dict[str, Any]] = {
        **raws,
        **{curated_key(timeframe): chosen for timeframe in curated},
        SCORES_KEY: chosen,
    }
    ops = {op_name(key): {"config": config} for key, config in configured.items()}
    ops |= {f"{op_name(key)}__checks": {"config": chosen} for key in configured}
    return _execute(
        settings, {*configured, QUARANTINE_KEY}, ops, sessions=sessions, narrator=narrator
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
        listener = Listener(record, narrator)
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


def _quiet_dagster() -> None:
    """Dagster warns of features that it may still change; tests/compat watches those."""
    warnings.filterwarnings("ignore", module=r"dagster\b")
    import dagster as dg

    for category in (dg.BetaWarning, dg.PreviewWarning, dg.SupersessionWarning):
        warnings.filterwarnings("ignore", category=category)
