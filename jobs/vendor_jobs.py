"""One job per vendor and timeframe: its raw bars and what is made of them; one for macro releases.

Partitioned by session like the assets, so that a range can be launched from the UI as one run.
"""

from __future__ import annotations

import dagster as dg

from emp_assets.naming import (
    FRED_OBSERVATIONS_KEY,
    FRED_RELEASES_KEY,
    MACRO_CALENDAR_KEY,
    QUARANTINE_KEY,
    SCORES_KEY,
    curated_key,
    raw_key,
)
from market_data.universe import Universe

MACRO_JOB = "ingest_macro_releases"
MACRO = (FRED_RELEASES_KEY, FRED_OBSERVATIONS_KEY, MACRO_CALENDAR_KEY)


def vendor_jobs(universe: Universe) -> list[dg.UnresolvedAssetJobDefinition]:
    """'ingest_<vendor>_<timeframe>' for every configured feed, and 'ingest_macro_releases'."""
    macro = dg.define_asset_job(
        MACRO_JOB,
        selection=dg.AssetSelection.assets(*MACRO),
        description="Fetch announced dates and values of macro releases, and make the calendar.",
    )
    feeds = [
        dg.define_asset_job(
            f"ingest_{vendor.name}_{timeframe}",
            selection=dg.AssetSelection.assets(
                raw_key(vendor.name, timeframe), curated_key(timeframe), QUARANTINE_KEY, SCORES_KEY
            ),
            description=f"Fetch {timeframe} bars of {vendor.name}, curate, check and score them.",
        )
        for vendor in universe.vendors
        for timeframe in vendor.timeframes
    ]
    return [*feeds, macro]
