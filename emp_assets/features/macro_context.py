"""Which macro releases lie behind a session when it opens: how long ago, how many, how important.

One row per symbol and session. Only releases that had happened count, one whose value came late
from when it could be known, in the currencies that the instrument is priced by; where no release of
these is known of the last 30 days the cells are empty.
"""

import dagster as dg

from emp_assets.features.contexts import context_asset, group_checks
from emp_assets.features.made import feature_key
from emp_assets.naming import MACRO_CALENDAR_KEY
from market_data.features.registry import Kind, group_for
from market_data.pipeline.feature_context import make_macro_context
from market_data.universe import Universe

GROUP = group_for(Kind.MACRO_CONTEXT)
KEY = feature_key(GROUP)
STEP = "features_macro_context"


def macro_context_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of the macro context."""
    return context_asset(universe, GROUP, STEP, [MACRO_CALENDAR_KEY], make_macro_context)


def macro_context_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of the macro context."""
    return group_checks(universe, GROUP)
