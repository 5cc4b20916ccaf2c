"""The job `rebuild_curated`: curate sessions again from what is in the raw logs, check and score.

What belongs here: what it selects, and the request of one such run. What does not: who asks for it
(sensors), which sessions are outdated (market_data/pipeline/outdated.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from emp_assets.naming import QUARANTINE_KEY, SCORES_KEY, curated_key
from jobs.ranged_run import bars_selection, checks_of, range_tags
from market_data.pipeline.outdated import Outdated
from market_data.timeframes import Timeframe

NAME = "rebuild_curated"

rebuild_job = dg.define_asset_job(
    NAME,
    selection=dg.AssetSelection.assets(
        *(curated_key(t) for t in Timeframe), QUARANTINE_KEY, SCORES_KEY
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
) -> dg.RunRequest:
    """One ranged run that makes a range of one symbol anew.

    Args:
        checks: the checks of the graph.
        symbol: whose bars.
        found: timeframe and sessions.
        run_key: of runs with one key, only the first is launched.
        limits: of `run_limits`.
    """
    chosen = bars_selection(found.timeframe, [], (found.first, found.last), symbols=[symbol])
    return dg.RunRequest(
        run_key=run_key,
        run_config={"ops": dict(chosen.ops)},
        asset_selection=sorted(chosen.keys),
        asset_check_keys=sorted(checks_of(checks, chosen)),
        **_where(found, limits),
    )


def _where(found: Outdated, tags: Mapping[str, str]) -> dict[str, Any]:
    if found.first == found.last:
        return {"partition_key": found.first.isoformat(), "tags": dict(tags)}
    return {"tags": {**tags, **range_tags((found.first, found.last))}}
