"""The job `rebuild_curated`: curate sessions again from what is in the raw logs, check and score.

Features that are stored, and in which these bars have a part, are made anew with them; and alone,
where a split changes them and no bar.

What belongs here: what it selects, and the request of one such run. What does not: who asks for it
(sensors), which sessions are outdated (market_data/pipeline/outdated.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import dagster as dg

from emp_assets.naming import QUARANTINE_KEY, SCORES_KEY, curated_key
from jobs.ranged_run import Selection, bars_selection, checks_of, features_selection, range_tags
from market_data.features.registry import FEATURE_TIMEFRAMES
from market_data.pipeline.features_touched import Touched
from market_data.pipeline.outdated import Outdated
from market_data.timeframes import Timeframe

NAME = "rebuild_curated"
_ANY = (date.min, date.max)

rebuild_job = dg.define_asset_job(
    NAME,
    selection=dg.AssetSelection.assets(
        *(curated_key(t) for t in Timeframe),
        QUARANTINE_KEY,
        SCORES_KEY,
        *features_selection(FEATURE_TIMEFRAMES, _ANY, symbols=()).keys,
    ),
    description=__doc__,
)


def rebuild_request(
    checks: Iterable[dg.AssetCheckKey],
    symbol: str,
    found: Outdated,
    *,
    run_key: str,
    limits: Mapping[str, str],
    features: bool = False,
) -> dg.RunRequest:
    """One ranged run that makes a range of one symbol anew.

    Args:
        checks: the checks of the graph.
        symbol: whose bars.
        found: timeframe and sessions.
        run_key: of runs with one key, only the first is launched.
        limits: of `run_limits`.
        features: also those of the bars, and what is made of them.
    """
    sessions = (found.first, found.last)
    chosen = bars_selection(found.timeframe, [], sessions, symbols=[symbol])
    if features:
        more = features_selection([found.timeframe], sessions, symbols=[symbol], macro=False)
        chosen = Selection(chosen.keys | more.keys, {**chosen.ops, **more.ops}, sessions)
    return _request(checks, chosen, sessions, run_key, limits)


def features_request(
    checks: Iterable[dg.AssetCheckKey], found: Touched, *, run_key: str, limits: Mapping[str, str]
) -> dg.RunRequest:
    """One ranged run that makes features of one symbol anew, of bars that stay as they are.

    Args:
        checks: the checks of the graph.
        found: symbol, timeframes and sessions.
        run_key: of runs with one key, only the first is launched.
        limits: of `run_limits`.
    """
    sessions = (found.first, found.last)
    chosen = features_selection(found.timeframes, sessions, symbols=[found.symbol], macro=False)
    return _request(checks, chosen, sessions, run_key, limits)


def _request(
    checks: Iterable[dg.AssetCheckKey],
    chosen: Selection,
    sessions: tuple[date, date],
    run_key: str,
    limits: Mapping[str, str],
) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=run_key,
        run_config={"ops": dict(chosen.ops)},
        asset_selection=sorted(chosen.keys),
        asset_check_keys=sorted(checks_of(checks, chosen)),
        **_where(sessions, limits),
    )


def _where(sessions: tuple[date, date], tags: Mapping[str, str]) -> dict[str, Any]:
    first, last = sessions
    if first == last:
        return {"partition_key": first.isoformat(), "tags": dict(tags)}
    return {"tags": {**tags, **range_tags(sessions)}}
