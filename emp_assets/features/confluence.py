"""Which way the six timeframes of a symbol point, and whether they agree.

One row per bar of the shortest timeframe that a symbol-session has. A timeframe speaks through its
newest bar that had ended by then. The weights are 1d 40, 4h 25, 1h 15, 15m 10, 5m 5, 1m 5; more
than 60 points on one side are a signal.
"""

from datetime import date

import dagster as dg

from emp_assets.features.made import feature_checks, feature_key, result, spec
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from emp_assets.retrying import retried
from emp_assets.run_config import SymbolsConfig
from market_data.features.registry import FEATURE_TIMEFRAMES, Kind, group_for
from market_data.pipeline.feature_context import make_confluence
from market_data.pipeline.feature_inspection import inspect_features
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.universe import Universe
from resources.platform import PlatformResource

GROUP = group_for(Kind.CONFLUENCE)
KEY = feature_key(GROUP)
STEP = "features_confluence"


def confluence_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of confluence."""
    regimes = [feature_key(group_for(Kind.REGIME, t)) for t in FEATURE_TIMEFRAMES]

    @dg.multi_asset(
        name=STEP,
        specs=[spec(universe, GROUP, regimes)],
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
    )
    def confluence(
        context: dg.AssetExecutionContext, config: SymbolsConfig, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        sessions = session_range(context.partition_keys)
        with retried(context):
            opened = platform.open()
            symbols = config.choose(tuple(i.symbol for i in opened.universe.instruments))
            report = make_confluence(opened, symbols, *sessions, progress=context.log.info)
        return result(context, KEY, sessions, report)

    return confluence


def confluence_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of confluence."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_features(platform, GROUP, first, last)

    return feature_checks(universe, KEY, inspect)
