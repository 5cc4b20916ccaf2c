"""The whole graph: every asset and every check, from the universe's vendors and timeframes.

A process that loads the graph again, for the next piece of a backfill for instance, gets the parts
that it has made before, where what they are made of is the same: making all of them takes longer
than a short run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

import dagster as dg

from adapters.vendors.table import VendorTable
from emp_assets.curated.bars import curated_bars_asset, curated_bars_checks
from emp_assets.curated.macro_calendar import macro_calendar_asset, macro_calendar_checks
from emp_assets.curated.quarantine import quarantine_asset, quarantine_checks
from emp_assets.exports.all_exports import exports_assets, exports_checks
from emp_assets.features.bar_features import bar_features_assets, bar_features_checks
from emp_assets.features.confluence import confluence_asset, confluence_checks
from emp_assets.features.macro_context import macro_context_asset, macro_context_checks
from emp_assets.features.predictions import predictions_asset, predictions_checks
from emp_assets.marts.regime_stats import regime_stats_asset, regime_stats_checks
from emp_assets.operations.daily_checklist import daily_checklist
from emp_assets.operations.data_retention import data_retention
from emp_assets.operations.export_drill import export_drill
from emp_assets.operations.failed_sessions import failed_sessions_asset
from emp_assets.operations.failover_drill import failover_drill
from emp_assets.operations.ingest_reports import ingest_reports
from emp_assets.operations.readiness import readiness
from emp_assets.operations.slo_report import slo_report
from emp_assets.quality.scores import scores_asset, scores_checks
from emp_assets.raw.bars import raw_bars_asset, raw_bars_checks
from emp_assets.raw.fred_observations import fred_observations_asset, fred_observations_checks
from emp_assets.raw.fred_releases import fred_releases_asset, fred_releases_checks
from emp_assets.reference.checks import reference_checks
from emp_assets.reference.corporate_actions import corporate_actions
from emp_assets.reference.instruments import instruments
from emp_assets.reference.trading_sessions import trading_sessions
from market_data.features.registry import FEATURE_TIMEFRAMES
from market_data.timeframes import Timeframe
from market_data.universe import Universe, VendorConfig

Part = TypeVar("Part")
MOST_PARTS = 1024
"""Of all graphs of a process; one graph has about a hundred."""


def all_assets(universe: Universe, terms: VendorTable) -> list[dg.AssetsDefinition]:
    """Every asset, upstream first; `terms` are those of the vendors."""
    begins = universe.first_session
    found = [
        instruments,
        trading_sessions,
        corporate_actions,
        *(_raw(universe, v, t, terms) for v in universe.vendors for t in v.timeframes),
        *(_curated(universe, t) for t in Timeframe),
        *_made_once(lambda: _of_curated(universe), "of curated", begins),
        ingest_reports,
        slo_report,
        data_retention,
        failover_drill,
        export_drill,
        readiness,
        daily_checklist,
    ]
    known = frozenset(key for asset in found for key in asset.keys)
    found += _made_once(lambda: exports_assets(universe, known), "exports", begins, known)
    sessions = [key for asset in found if asset.partitions_def for key in asset.keys]
    return [*found, failed_sessions_asset(sessions)]


def all_checks(universe: Universe) -> list[dg.AssetChecksDefinition]:
    """The checks of the reference tables and of every dataset that has sessions."""
    return [
        *(_raw_checks(universe, v, t) for v in universe.vendors for t in v.timeframes),
        *_made_once(lambda: _other_checks(universe), "checks", universe.first_session),
    ]


def _raw(
    universe: Universe, vendor: VendorConfig, timeframe: Timeframe, table: VendorTable
) -> dg.AssetsDefinition:
    terms = table.of(vendor.name, vendor.reader)
    return _made_once(
        lambda: raw_bars_asset(universe, vendor, timeframe, terms),
        "raw",
        universe.first_session,
        (vendor.name, vendor.reader),
        timeframe,
        terms,
    )


def _raw_checks(
    universe: Universe, vendor: VendorConfig, timeframe: Timeframe
) -> dg.AssetChecksDefinition:
    return _made_once(
        lambda: raw_bars_checks(universe, vendor, timeframe),
        "checks of raw",
        universe.first_session,
        vendor.name,
        timeframe,
    )


def _curated(universe: Universe, timeframe: Timeframe) -> dg.AssetsDefinition:
    feeds = [[v.name for v in universe.vendors_of(t)] for t in (timeframe, Timeframe.M1)]
    return _made_once(
        lambda: curated_bars_asset(universe, timeframe),
        "curated",
        universe.first_session,
        timeframe,
        *map(tuple, feeds),
    )


def _of_curated(universe: Universe) -> list[dg.AssetsDefinition]:
    """What is the same whoever the vendors are."""
    return [
        quarantine_asset(universe),
        fred_releases_asset(universe),
        fred_observations_asset(universe),
        macro_calendar_asset(universe),
        scores_asset(universe),
        *(bar_features_assets(universe, t) for t in FEATURE_TIMEFRAMES),
        confluence_asset(universe),
        macro_context_asset(universe),
        regime_stats_asset(universe),
        predictions_asset(universe),
    ]


def _other_checks(universe: Universe) -> list[dg.AssetChecksDefinition]:
    return [
        *reference_checks(),
        *(curated_bars_checks(universe, t) for t in Timeframe),
        quarantine_checks(universe),
        scores_checks(universe),
        *(checks for t in FEATURE_TIMEFRAMES for checks in bar_features_checks(universe, t)),
        confluence_checks(universe),
        macro_context_checks(universe),
        regime_stats_checks(universe),
        predictions_checks(universe),
        *exports_checks(universe),
        fred_releases_checks(universe),
        fred_observations_checks(universe),
        macro_calendar_checks(universe),
    ]


@dataclass(frozen=True)
class _Asked:
    """A part of the graph: all that it is made of, which tells it from others, and its making."""

    of: tuple[Hashable, ...]
    make: Callable[[], Any] = field(compare=False)


def _made_once(make: Callable[[], Part], *of: Hashable) -> Part:
    """A part of the graph, or the one that was made of the same before.

    Args:
        make: makes it.
        of: everything that the part depends on.
    """
    part: Part = _made(_Asked(of, make))
    return part


@lru_cache(maxsize=MOST_PARTS)
def _made(asked: _Asked) -> Any:
    return asked.make()
