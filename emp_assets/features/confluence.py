"""Which way the six timeframes of a symbol point, and whether they agree.

One row per bar of the shortest timeframe that a symbol-session has. A timeframe speaks through its
newest bar that had ended by then. The weights are 1d 40, 4h 25, 1h 15, 15m 10, 5m 5, 1m 5; more
than 60 points on one side are a signal.
"""

import dagster as dg

from emp_assets.features.contexts import context_asset, group_checks
from emp_assets.features.made import feature_key
from market_data.features.registry import FEATURE_TIMEFRAMES, Kind, group_for
from market_data.pipeline.feature_context import make_confluence
from market_data.universe import Universe

GROUP = group_for(Kind.CONFLUENCE)
KEY = feature_key(GROUP)
STEP = "features_confluence"


def confluence_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of confluence."""
    regimes = [feature_key(group_for(Kind.REGIME, t)) for t in FEATURE_TIMEFRAMES]
    return context_asset(universe, GROUP, STEP, regimes, make_confluence)


def confluence_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of confluence."""
    return group_checks(universe, GROUP)
