"""Runs while the warehouse is away, and runs that make what it missed.

What belongs here: what is left of a selection while the warehouse is away, noting the rest, the
request of a run that makes a missed slice, and the comparison afterwards. What does not: who asks
for it (sensors/failover.py, emp/failover.py), when the warehouse is away (market_data/failover).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import dagster as dg

from emp_assets.naming import curated_key, op_name
from jobs.ranged_run import (
    Selection,
    Sessions,
    bars_selection,
    checks_of,
    features_selection,
    range_tags,
)
from market_data.failover.policy import FailoverPolicy
from market_data.failover.state import MissedSlice, Standing
from market_data.features.registry import FEATURE_TIMEFRAMES
from market_data.pipeline.missed import Reconciled, Tables, reconcile
from market_data.pipeline.missed_features import features_of, is_features
from market_data.pipeline.platform import Platform
from market_data.ports.failover import Failover
from market_data.timeframes import Timeframe

TAG_MISSED = "emp/missed_slice"
"""Number of the slice that a run makes."""
_GOING = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def reduced(selection: Selection, standing: Standing) -> Selection:
    """What a run makes: while the warehouse is away, raw assets alone."""
    if standing is not Standing.AWAY:
        return selection
    raw = frozenset(key for key in selection.keys if key.path[0] == "raw")
    steps = {name for key in raw for name in (op_name(key), f"{op_name(key)}__checks")}
    ops = {name: config for name, config in selection.ops.items() if name in steps}
    return replace(selection, keys=raw, ops=ops)


def note_left_out(
    failover: Failover,
    timeframes: Sequence[Timeframe],
    symbols: Sequence[str],
    sessions: Sessions,
    *,
    at: datetime,
    run_id: str = "",
    features: bool = False,
) -> None:
    """Note what a reduced run leaves out; its scores are made with its bars.

    Args:
        failover: takes the notes.
        timeframes: whose curated bars are left out.
        symbols: of the run.
        sessions: of the run.
        at: the moment, aware.
        run_id: of the run, where it is known.
        features: the run would also have made the features of the bars.
    """
    for timeframe in timeframes:
        dataset = curated_key(timeframe).to_user_string()
        failover.note(MissedSlice(dataset, timeframe, tuple(symbols), *sessions, run_id, at))
        if features and timeframe in FEATURE_TIMEFRAMES:
            made = features_of(timeframe)
            failover.note(MissedSlice(made, timeframe, tuple(symbols), *sessions, run_id, at))


def replay_selection(missed: MissedSlice) -> Selection:
    """What the run for a missed slice makes: its bars with their checks, and the scores.

    Of features: those of the bars of a timeframe, and all that is made of them.
    """
    if is_features(missed.dataset) and missed.timeframe is not None:
        daily = missed.timeframe is Timeframe.D1
        return features_selection(
            [missed.timeframe], missed.sessions, symbols=missed.symbols, macro=daily
        )
    made = [missed.timeframe] if missed.timeframe else list(Timeframe)
    return bars_selection(made[0], [], missed.sessions, symbols=missed.symbols, also=made[1:])


def replay_request(
    checks: Iterable[dg.AssetCheckKey], missed: MissedSlice, limits: Mapping[str, str]
) -> dg.RunRequest:
    """The run for a missed slice.

    Args:
        checks: the checks of the graph.
        missed: the slice, with the attempts that were made before.
        limits: of `run_limits`; one that dies is asked for anew by the sensor.
    """
    chosen = replay_selection(missed)
    tags = {TAG_MISSED: str(missed.number), **limits}
    placed: dict[str, Any] = (
        {"partition_key": missed.first.isoformat(), "tags": tags}
        if missed.first == missed.last
        else {"tags": {**tags, **range_tags(missed.sessions)}}
    )
    return dg.RunRequest(
        run_key=f"missed {missed.number} {missed.noted_at.isoformat()} {missed.attempts} "
        f"{missed.first} {missed.last} {len(missed.symbols)}",
        run_config={"ops": dict(chosen.ops)},
        asset_selection=sorted(chosen.keys),
        asset_check_keys=sorted(checks_of(checks, chosen)),
        **placed,
    )


def going(instance: dg.DagsterInstance) -> set[int]:
    """Numbers of the slices whose runs are not over."""
    runs = instance.get_runs(dg.RunsFilter(tags={}, statuses=_GOING))
    return {int(run.tags[TAG_MISSED]) for run in runs if TAG_MISSED in run.tags}


def settle(
    platform: Platform,
    failover: Failover,
    missed: MissedSlice,
    policy: FailoverPolicy,
    tell: Callable[[str], object],
    *,
    tables: Tables,
) -> bool:
    """Compare a slice with the lake, and close it where it is whole; whether it is.

    A slice whose bars are the same and whose scores stay away after every attempt is closed with a
    remark: its checks hold it back, as they would have without an outage.

    Raises:
        StoreUnavailableError: the warehouse does not answer.
    """
    found = reconcile(platform, missed, tables)
    held = found.same_bars and missed.attempts >= policy.replay.attempts
    if not (found.whole or held):
        tell(f"missed slice {missed.number}: {told(found)}")
        return False
    remark = "" if found.whole else f"{found.unscored} sessions without a score of their bars"
    settled = failover.settle(
        missed,
        platform.clock.now(),
        digests=(found.digest_lake, found.digest_store),
        rows=found.rows_store,
        remark=remark,
    )
    if settled:
        tell(f"missed slice {missed.number} is whole: {found.rows_store} rows")
    return settled


def told(found: Reconciled) -> str:
    """A comparison in a sentence."""
    if not found.same_bars:
        return (
            f"the warehouse has {found.rows_store} rows, the lake gives {found.rows_lake}; "
            "their digests differ"
        )
    return f"{found.rows_store} rows, {found.unscored} sessions without a score of them"
