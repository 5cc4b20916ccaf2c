"""Every export of the graph: assets, checks, and those that a daily run feeds.

What belongs here: the list. What does not: an export (bars.py, features.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import dagster as dg

from emp_assets.exports.bars import bars_export_asset, bars_export_checks
from emp_assets.exports.features import features_export_asset, features_export_checks
from market_data.exports.jobs import ExportJob, bars_job, features_jobs
from market_data.features.registry import FEATURE_TIMEFRAMES
from market_data.timeframes import Timeframe
from market_data.universe import Universe


def exports_assets(universe: Universe, known: Collection[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    """The assets; `known` are those that the graph has besides."""
    return [
        *(bars_export_asset(universe, timeframe) for timeframe in Timeframe),
        *(features_export_asset(universe, t, known) for t in FEATURE_TIMEFRAMES),
    ]


def exports_checks(universe: Universe) -> list[dg.AssetChecksDefinition]:
    """Their checks."""
    return [
        *(bars_export_checks(universe, timeframe) for timeframe in Timeframe),
        *(features_export_checks(universe, timeframe) for timeframe in FEATURE_TIMEFRAMES),
    ]


def wanted_jobs(timeframes: Iterable[Timeframe]) -> list[ExportJob]:
    """The exports that follow a daily run of some timeframes; from 1m all others are made."""
    listed = set(timeframes)
    made = set(Timeframe) if Timeframe.M1 in listed else listed
    features = [job for t in FEATURE_TIMEFRAMES if t in made for job in features_jobs(t)]
    return [*(bars_job(timeframe) for timeframe in Timeframe if timeframe in made), *features]
