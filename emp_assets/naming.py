"""Asset keys: layer and dataset, and the names that follow from them."""

from __future__ import annotations

import dagster as dg

from market_data.timeframes import Timeframe

OWNERS = ["team:market-data"]


def raw_key(vendor: str, timeframe: Timeframe) -> dg.AssetKey:
    """Key of one vendor's raw bars."""
    return dg.AssetKey(["raw", f"{vendor}_bars_{timeframe}"])


def curated_key(timeframe: Timeframe) -> dg.AssetKey:
    """Key of the curated bars of a timeframe."""
    return dg.AssetKey(["curated", f"bars_{timeframe}"])


def export_key(name: str) -> dg.AssetKey:
    """Key of an export: spark_bars_1d."""
    return dg.AssetKey(["exports", name])


def vendor_pool(vendor: str) -> str:
    """The pool of whatever asks a vendor; dagster.yaml says how many runs may at once."""
    return f"vendor_{vendor}"


EXPORTS_POOL = "exports"
"""The pool of every export: a machine has the memory for one Spark session."""


SCORES_KEY = dg.AssetKey(["quality", "scores"])
QUARANTINE_KEY = dg.AssetKey(["curated", "quarantine"])
INSTRUMENTS_KEY = dg.AssetKey(["reference", "instruments"])
SESSIONS_KEY = dg.AssetKey(["reference", "trading_sessions"])
READINESS_KEY = dg.AssetKey(["operations", "readiness"])
EXPORT_DRILL_KEY = dg.AssetKey(["operations", "export_drill"])
FAILOVER_DRILL_KEY = dg.AssetKey(["operations", "failover_drill"])
INGEST_METRICS_KEY = dg.AssetKey(["operations", "ingest_metrics"])
INGEST_HEALTH_KEY = dg.AssetKey(["operations", "ingest_health"])
INGEST_OBSERVABILITY_KEY = dg.AssetKey(["operations", "ingest_observability"])
INGEST_TRENDS_KEY = dg.AssetKey(["operations", "ingest_trends"])
SLO_REPORT_KEY = dg.AssetKey(["operations", "slo_report"])
FAILED_SESSIONS_KEY = dg.AssetKey(["operations", "failed_sessions"])
DAILY_CHECKLIST_KEY = dg.AssetKey(["operations", "daily_checklist"])
DATA_RETENTION_KEY = dg.AssetKey(["operations", "data_retention"])
FRED_RELEASES_KEY = dg.AssetKey(["raw", "fred_releases"])
FRED_OBSERVATIONS_KEY = dg.AssetKey(["raw", "fred_observations"])
MACRO_CALENDAR_KEY = dg.AssetKey(["curated", "macro_calendar"])
ACTIONS_KEY = dg.AssetKey(["reference", "corporate_actions"])


def op_name(key: dg.AssetKey) -> str:
    """Name of the step that makes an asset; run configuration goes by it."""
    return "__".join(key.path)
