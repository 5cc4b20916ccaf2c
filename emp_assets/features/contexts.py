"""What the feature assets share that are made of stored datasets and not of bars: one step each.

What belongs here: the asset of such a group, and its checks. What does not: which groups there are
(the files beside this one), the arithmetic (market_data/features).
"""

from collections.abc import Callable, Sequence
from datetime import date

import dagster as dg

from emp_assets.features.made import feature_checks, feature_key, result, spec
from emp_assets.noting import noted_features
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from emp_assets.retrying import retried
from emp_assets.run_config import SymbolsConfig
from market_data.features.registry import FeatureGroup
from market_data.pipeline.feature_inspection import inspect_features
from market_data.pipeline.features import FeatureReport
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform, Progress
from market_data.universe import Universe
from resources.platform import PlatformResource

Make = Callable[[Platform, Sequence[str], date, date, Progress], FeatureReport]
"""Makes the features of some symbols in a range of sessions, and stores them."""


def context_asset(
    universe: Universe, group: FeatureGroup, step: str, deps: Sequence[dg.AssetKey], make: Make
) -> dg.AssetsDefinition:
    """The asset of a group.

    Args:
        universe: of the installation.
        group: which.
        step: its name in runs, by which it is configured.
        deps: what it is made of.
        make: makes it.
    """

    @dg.multi_asset(
        name=step,
        specs=[spec(universe, group, list(deps))],
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
    )
    def made(
        context: dg.AssetExecutionContext, config: SymbolsConfig, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        sessions = session_range(context.partition_keys)
        with retried(context):
            opened = platform.open()
            symbols = config.choose(tuple(i.symbol for i in opened.universe.instruments))
            with noted_features(context, platform, symbols, sessions):
                report = make(opened, symbols, *sessions, context.log.info)
        return result(context, feature_key(group), sessions, report)

    return made


def group_checks(universe: Universe, group: FeatureGroup) -> dg.AssetChecksDefinition:
    """The checks of a group."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_features(platform, group, first, last)

    return feature_checks(universe, feature_key(group), inspect)
