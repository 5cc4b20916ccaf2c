"""How long markets were in each regime, and what the next bar brought.

One row per symbol, session, timeframe, regime and volatility. All numbers add up, so that mean and
deviation over any sessions follow from the sums; the table of the run shows them for its range.
"""

from datetime import date

import dagster as dg

from emp_assets.features.made import feature_checks, feature_key, shown
from emp_assets.metadata import column_schema, run_range, table
from emp_assets.naming import OWNERS
from emp_assets.noting import noted_features
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from emp_assets.retrying import retried
from emp_assets.run_config import SymbolsConfig
from market_data.features.regime_stats import summary
from market_data.features.registry import FEATURE_TIMEFRAMES, Kind, group_for
from market_data.features.schemas import REGIME_STATS
from market_data.pipeline.feature_context import make_regime_stats
from market_data.pipeline.feature_inspection import inspect_regime_stats
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.universe import Universe
from resources.platform import PlatformResource

KEY = dg.AssetKey(["marts", "regime_stats"])


def regime_stats_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of regime statistics."""

    @dg.asset(
        key=KEY,
        deps=[
            feature_key(group_for(kind, t))
            for t in FEATURE_TIMEFRAMES
            for kind in (Kind.REGIME, Kind.LABELS)
        ],
        group_name="marts",
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        description=__doc__,
        metadata={"dagster/column_schema": column_schema(REGIME_STATS)},
    )
    def regime_stats(
        context: dg.AssetExecutionContext, config: SymbolsConfig, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        sessions = session_range(context.partition_keys)
        with retried(context):
            opened = platform.open()
            symbols = config.choose(tuple(i.symbol for i in opened.universe.instruments))
            with noted_features(context, platform, symbols, sessions):
                stats = make_regime_stats(opened, symbols, *sessions, progress=context.log.info)
        counts = stats.group_by("session").len().iter_rows()
        return shown(
            context,
            KEY,
            sessions,
            numbers={
                **run_range(*sessions, sorted(stats["symbol"].unique())),
                "rows": stats.height,
                "bars": int(stats["bars"].sum()),
            },
            drawings={"by_regime": table(summary(stats), rows=50), "first_rows": table(stats)},
            per={day: {"dagster/partition_row_count": rows} for day, rows in counts},
        )

    return regime_stats


def regime_stats_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of regime statistics."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_regime_stats(platform, first, last)

    return feature_checks(universe, KEY, inspect)
