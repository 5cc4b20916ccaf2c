"""Which macro releases lie behind a session when it opens: how long ago, how many, how important.

One row per symbol and session. Only releases that had happened count, one whose value came late
from when it could be known, in the currencies that the instrument is priced by; where no release of
these is known of the last 30 days the cells are empty.
"""

from datetime import date

import dagster as dg

from emp_assets.features.made import feature_checks, feature_key, result, spec
from emp_assets.naming import MACRO_CALENDAR_KEY
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from emp_assets.retrying import retried
from emp_assets.run_config import SymbolsConfig
from market_data.features.registry import Kind, group_for
from market_data.pipeline.feature_context import make_macro_context
from market_data.pipeline.feature_inspection import inspect_features
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.universe import Universe
from resources.platform import PlatformResource

GROUP = group_for(Kind.MACRO_CONTEXT)
KEY = feature_key(GROUP)
STEP = "features_macro_context"


def macro_context_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of the macro context."""

    @dg.multi_asset(
        name=STEP,
        specs=[spec(universe, GROUP, [MACRO_CALENDAR_KEY])],
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
    )
    def macro_context(
        context: dg.AssetExecutionContext, config: SymbolsConfig, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        sessions = session_range(context.partition_keys)
        with retried(context):
            opened = platform.open()
            symbols = config.choose(tuple(i.symbol for i in opened.universe.instruments))
            report = make_macro_context(opened, symbols, *sessions, progress=context.log.info)
        return result(context, KEY, sessions, report)

    return macro_context


def macro_context_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of the macro context."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_features(platform, GROUP, first, last)

    return feature_checks(universe, KEY, inspect)
