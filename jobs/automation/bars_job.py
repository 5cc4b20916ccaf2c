"""The job `scheduled_bars`: whatever a schedule brings, from raw bars to scores and features.

What belongs here: which assets it spans; a run takes a part of them. What does not: which part
(requests.py).
"""

from __future__ import annotations

from datetime import date

import dagster as dg

from emp_assets.naming import QUARANTINE_KEY, SCORES_KEY, curated_key, raw_key
from jobs.ranged_run import features_selection
from market_data.features.registry import FEATURE_TIMEFRAMES
from market_data.timeframes import Timeframe
from market_data.universe import Universe

NAME = "scheduled_bars"
_ANY = (date.min, date.min)


def scheduled_bars_job(universe: Universe) -> dg.UnresolvedAssetJobDefinition:
    """The job over every feed of a universe."""
    return dg.define_asset_job(
        NAME,
        selection=dg.AssetSelection.assets(
            *(raw_key(v.name, t) for v in universe.vendors for t in v.timeframes),
            *(curated_key(t) for t in Timeframe),
            QUARANTINE_KEY,
            SCORES_KEY,
            *features_selection(FEATURE_TIMEFRAMES, _ANY, symbols=()).keys,
        ),
        description="What schedules bring: bars of a few days, curated, checked and scored, and "
        "their features.",
    )
