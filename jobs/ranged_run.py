"""One ranged run of the graph in this process: raw, curated, quarantine, scores, their checks.

What belongs here: which assets and checks such a run selects, how they are configured, how it is
executed and recorded.
What does not: what the assets do (emp_assets), who asks for a run and is told of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg

from emp_assets.bar_checks import RUN_SUMMARY
from emp_assets.features.confluence import KEY as CONFLUENCE_KEY
from emp_assets.features.confluence import STEP as CONFLUENCE_STEP
from emp_assets.features.macro_context import KEY as MACRO_CONTEXT_KEY
from emp_assets.features.macro_context import STEP as MACRO_CONTEXT_STEP
from emp_assets.features.made import feature_key, step_name
from emp_assets.marts.regime_stats import KEY as REGIME_STATS_KEY
from emp_assets.metadata import PER_SESSION_LIMIT
from emp_assets.naming import QUARANTINE_KEY, SCORES_KEY, curated_key, op_name, raw_key
from market_data.exports.checks import MANIFEST
from market_data.features.registry import FEATURE_TIMEFRAMES, bar_groups
from market_data.pipeline.feed import Feed
from market_data.timeframes import Timeframe
from resources.event_batches import in_batches
from resources.run_processes import end_lost_runs, process_tags

Hear = Callable[[dg.EventLogEntry], None]
"""Takes every event of a run, while it happens."""
_OF_LONG_RUNS = (RUN_SUMMARY, MANIFEST)
"""Checks of a run as a whole."""
Sessions = tuple[date, date]
"""First and last session, both included."""


@dataclass(frozen=True)
class Selection:
    """What a run makes.

    Attributes:
        keys: of the assets.
        ops: run configuration by the name of a step.
        sessions: the range; None for assets without sessions.
    """

    keys: frozenset[dg.AssetKey]
    ops: Mapping[str, Any] = field(default_factory=dict)
    sessions: Sessions | None = None


def bars_selection(
    timeframe: Timeframe,
    feeds: Sequence[Feed],
    sessions: Sessions,
    *,
    symbols: Sequence[str],
    also: Sequence[Timeframe] = (),
    features: bool = False,
    features_of: Sequence[Timeframe] = (),
) -> Selection:
    """Raw bars of some feeds, the curated ones, quarantine, scores and the checks of them all.

    Args:
        timeframe: of the feeds.
        feeds: one per vendor; none to curate what is there.
        sessions: the range.
        symbols: what is curated and scored.
        also: coarser timeframes to curate from the same bars.
        features: also the features of these timeframes, and what is made of them.
        features_of: only of bars of these; none for all.
    """
    chosen = {"symbols": list(symbols)}
    configured: dict[dg.AssetKey, dict[str, Any]] = {
        **{raw_key(feed.vendor, timeframe): feed.config for feed in feeds},
        **{curated_key(made): chosen for made in (timeframe, *also)},
        SCORES_KEY: chosen,
    }
    ops = {op_name(key): {"config": config} for key, config in configured.items()}
    ops |= {f"{op_name(key)}__checks": {"config": chosen} for key in configured}
    made = Selection(frozenset({*configured, QUARANTINE_KEY}), ops, sessions)
    if not features:
        return made
    bars = features_of or (timeframe, *also)
    # Of each day once: the run of daily bars.
    macro = Timeframe.D1 in bars
    more = features_selection(bars, sessions, symbols=symbols, macro=macro)
    return Selection(made.keys | more.keys, {**made.ops, **more.ops}, sessions)


def features_selection(
    timeframes: Sequence[Timeframe],
    sessions: Sessions,
    *,
    symbols: Sequence[str],
    macro: bool = True,
) -> Selection:
    """The features of some timeframes, what is made of them, and the checks of them all.

    Args:
        timeframes: of the bars; those that have no features are left out.
        sessions: the range.
        symbols: of which instruments.
        macro: also the macro context, which is made of no bars.
    """
    chosen = {"config": {"symbols": list(symbols)}}
    made = [t for t in timeframes if t in FEATURE_TIMEFRAMES]
    keys = [feature_key(group) for t in made for group in bar_groups(t)]
    steps = [step_name(t) for t in made]
    if made:
        keys += [CONFLUENCE_KEY, REGIME_STATS_KEY]
        steps += [CONFLUENCE_STEP, op_name(REGIME_STATS_KEY)]
    if macro:
        keys.append(MACRO_CONTEXT_KEY)
        steps.append(MACRO_CONTEXT_STEP)
    steps += [f"{op_name(key)}__checks" for key in keys]
    return Selection(frozenset(keys), dict.fromkeys(steps, chosen), sessions)


def execute(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    selection: Selection,
    *,
    run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    hear: Hear | None = None,
    log_level: str = "CRITICAL",
) -> bool:
    """Make a selection as one run in this process; whether it succeeded.

    Runs whose processes on this machine were killed are recorded as failed first.

    Args:
        definitions: the graph and its resources.
        instance: records the run, where the UI shows it.
        selection: what is made.
        run_id: of the run; a new one where None.
        tags: of the run.
        hear: takes its events.
        log_level: from which on Dagster logs to stderr.
    """
    sessions = selection.sessions
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(selection.keys),
        asset_check_selection=checks_of(
            definitions.resolve_asset_graph().asset_check_keys, selection
        ),
    )
    wanted = run_id or str(uuid.uuid4())
    # Whoever called sits before it and may call again; the daemon cannot.
    tags = {"dagster/max_retries": "0", **process_tags(), **(tags or {})}
    end_lost_runs(instance)
    if hear is not None:
        instance.add_event_listener(wanted, hear)
    ops = {name: config for name, config in selection.ops.items() if job.has_node_named(name)}
    with in_batches():
        result = job.execute_in_process(
            instance=instance,
            run_id=wanted,
            run_config={
                "ops": ops,
                "loggers": {"console": {"config": {"log_level": log_level}}},
            },
            raise_on_error=False,
            **_partitions(sessions, tags),
        )
    return result.success


def _partitions(sessions: Sessions | None, tags: Mapping[str, str]) -> dict[str, Any]:
    if sessions is None:
        return {"tags": dict(tags)}
    first, last = sessions
    if first == last:
        return {"partition_key": first.isoformat(), "tags": dict(tags)}
    return {"tags": {**tags, **range_tags(sessions)}}


def range_tags(sessions: Sessions) -> dict[str, str]:
    """The tags by which Dagster knows a ranged run."""
    first, last = sessions
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }


def checks_of(known: Iterable[dg.AssetCheckKey], selection: Selection) -> set[dg.AssetCheckKey]:
    """All checks of a short run, of a long one those of the run; see emp_assets/check_states.

    Args:
        known: the checks of the graph.
        selection: what is made.
    """
    if selection.sessions is None:
        return set()
    return {
        key
        for key in known
        if key.asset_key in selection.keys
        and (not _is_long(selection.sessions) or key.name in _OF_LONG_RUNS)
    }


def _is_long(sessions: Sessions | None) -> bool:
    return sessions is not None and (sessions[1] - sessions[0]).days + 1 > PER_SESSION_LIMIT
