"""Features of a timeframe's bars as hive-partitioned Parquet, one folder with a manifest per group.

The groups have columns of their own and lie side by side: spark_features_1d/price_1d_v1,
spark_features_1d/labels_1d_v1 ...; symbol and ts join them. A column that was added later is empty
in older files. Everything else is as with exports of bars.
"""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg

from emp_assets.exports.making import ExportAsset, export_asset, export_checks
from market_data.exports.jobs import features_jobs
from market_data.timeframes import Timeframe
from market_data.universe import Universe


def _described(timeframe: Timeframe, known: Collection[dg.AssetKey] = ()) -> ExportAsset:
    jobs = features_jobs(timeframe)
    sources = [dg.AssetKey(job.dataset.name.split("/")) for job in jobs]
    about = f"Export of the features of {timeframe} bars.\n\n{__doc__}"
    made = tuple(key for key in sources if key in known)
    return ExportAsset(jobs[0].asset, tuple(jobs), made, about)


def features_export_asset(
    universe: Universe, timeframe: Timeframe, known: Collection[dg.AssetKey]
) -> dg.AssetsDefinition:
    """The asset of the export of one timeframe.

    Args:
        universe: says when sessions begin.
        timeframe: of the bars.
        known: assets of the graph; the groups among them come first.
    """
    return export_asset(universe, _described(timeframe, known))


def features_export_checks(universe: Universe, timeframe: Timeframe) -> dg.AssetChecksDefinition:
    """Its checks."""
    return export_checks(universe, _described(timeframe))
