"""Curated bars as hive-partitioned Parquet with a manifest, for Spark and whoever reads files.

Rows in error and bars of a period that still runs are left out. A run writes whole years or months
(fine bars), whichever its sessions lie in; what counts is what manifest.json names, with the rows,
checksum and content digest of every file. Spark writes them, on this machine or on a cluster;
EMP_EXPORT_ENGINE=polars writes the same without Java.
"""

from __future__ import annotations

import dagster as dg

from emp_assets.exports.making import ExportAsset, export_asset, export_checks
from emp_assets.naming import curated_key
from market_data.exports.jobs import bars_job
from market_data.timeframes import Timeframe
from market_data.universe import Universe


def _described(timeframe: Timeframe) -> ExportAsset:
    job = bars_job(timeframe)
    about = f"Export of curated {timeframe} bars.\n\n{__doc__}"
    return ExportAsset(job.asset, (job,), (curated_key(timeframe),), about)


def bars_export_asset(universe: Universe, timeframe: Timeframe) -> dg.AssetsDefinition:
    """The asset of the export of one timeframe."""
    return export_asset(universe, _described(timeframe))


def bars_export_checks(universe: Universe, timeframe: Timeframe) -> dg.AssetChecksDefinition:
    """Its checks."""
    return export_checks(universe, _described(timeframe))
