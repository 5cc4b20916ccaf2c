"""Features of the bars of one timeframe: price, volume, indicators, regime, and labels.

One step makes them all from one read of the curated bars, on prices adjusted for splits to the
session of each row. Any of them can be made alone. A range is one run; rows beside it that its bars
have a part in are made anew with it.
"""

from collections.abc import Iterator

import dagster as dg

from emp_assets.features.contexts import group_checks
from emp_assets.features.made import feature_key, result, spec, step_name
from emp_assets.naming import SCORES_KEY, curated_key
from emp_assets.noting import noted_features
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from emp_assets.retrying import retried
from emp_assets.run_config import EngineConfig
from market_data.features.registry import bar_groups
from market_data.pipeline.features import make_features
from market_data.timeframes import Timeframe
from market_data.universe import Universe
from resources.platform import PlatformResource
from resources.spark import SparkResource


def bar_features_assets(universe: Universe, timeframe: Timeframe) -> dg.AssetsDefinition:
    """The features of the bars of a timeframe; they follow the scores, which flag single bars."""
    groups = bar_groups(timeframe)
    deps = [curated_key(timeframe), SCORES_KEY]

    @dg.multi_asset(
        name=step_name(timeframe),
        specs=[spec(universe, group, deps, skippable=True) for group in groups],
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        can_subset=True,
    )
    def bar_features(
        context: dg.AssetExecutionContext,
        config: EngineConfig,
        platform: PlatformResource,
        spark: SparkResource,
    ) -> Iterator[dg.MaterializeResult[None]]:
        sessions = session_range(context.partition_keys)
        chosen = [g for g in groups if feature_key(g) in context.selected_asset_keys]
        with retried(context):
            opened = platform.open()
            symbols = config.choose(tuple(i.symbol for i in opened.universe.instruments))
            with noted_features(context, platform, symbols, sessions):
                reports = make_features(
                    opened,
                    chosen,
                    symbols,
                    *sessions,
                    progress=context.log.info,
                    work=spark.features(config.engine),
                )
        for group in chosen:
            yield result(context, feature_key(group), sessions, reports[group.kind])

    return bar_features


def bar_features_checks(universe: Universe, timeframe: Timeframe) -> list[dg.AssetChecksDefinition]:
    """The checks of each group of a timeframe."""
    return [group_checks(universe, group) for group in bar_groups(timeframe)]
