"""The code location loads anywhere, quickly, and shows what it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from adapters.settings import Settings
from definitions import build_definitions
from market_data.features.checks import CHECKS as FEATURE_CHECKS
from market_data.features.registry import FEATURE_TIMEFRAMES, GROUPS
from market_data.operations.reports import MAKERS
from market_data.timeframes import Timeframe

ROOT = Path(__file__).resolve().parents[2]
HEAVY = [
    "pandas",
    "pyspark",
    "kafka",
    "yfinance",
    "curl_cffi",
    "httpx",
    "ib_async",
    "exchange_calendars",
    "deltalake",
    "sqlalchemy",
]
ALLOWED = 0.9
"""Of what the libraries below cost in the same process."""

IMPORT_COST = f"""
import json, sys, time
started = time.process_time()
import dagster, polars
libraries = time.process_time() - started
import definitions
ours = time.process_time() - started - libraries
print(json.dumps([ours / libraries, [m for m in {HEAVY} if m in sys.modules]]))
"""


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(Settings(data_dir=tmp_path_factory.mktemp("data")))


def bare_environment() -> dict[str, str]:
    """No setting of this platform, no Dagster home."""
    return {k: v for k, v in os.environ.items() if not k.startswith("EMP_") and k != "DAGSTER_HOME"}


def test_definitions_validate_with_no_environment_variable_set():
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=ROOT,
        env=bare_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_importing_the_definitions_is_cheap_and_loads_no_heavy_library(tmp_path: Path):
    """Processor time beside that of the libraries, the best of three: no machine decides.

    The first process compiles into a directory of the test's own, so that the others compare
    imports on a machine that keeps no bytecode, too.
    """
    compiled = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    costs: list[float] = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", IMPORT_COST],
            cwd=ROOT,
            env=bare_environment() | compiled,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        share, heavy = json.loads(done.stdout)
        assert heavy == []
        costs.append(share)
        if share <= ALLOWED:
            break
    assert min(costs) <= ALLOWED, costs


def test_the_graph_has_the_layers_and_datasets_of_the_design(defs: dg.Definitions):
    keys = {s.key.to_user_string() for s in defs.resolve_all_asset_specs()}
    expected = {
        "reference/instruments",
        "reference/trading_sessions",
        "reference/corporate_actions",
        "curated/quarantine",
        "curated/macro_calendar",
        "raw/fred_releases",
        "raw/fred_observations",
        "quality/scores",
        "operations/readiness",
        "operations/failed_sessions",
        "operations/failover_drill",
        "operations/export_drill",
        *(f"operations/{name}" for name in MAKERS),
        *(f"curated/bars_{t}" for t in Timeframe),
        *(group.dataset for group in GROUPS),
        "features/predictions",
        "marts/regime_stats",
        *(f"exports/spark_bars_{t}" for t in Timeframe),
        *(f"exports/spark_features_{t}" for t in FEATURE_TIMEFRAMES),
        *(f"raw/{v}_bars_{t}" for v in ("sample_a", "sample_b") for t in ("1m", "1d")),
        *(
            f"raw/{v}_bars_{t}"
            for v in ("yahoo", "coinbase")
            for t in ("1m", "5m", "15m", "1h", "1d")
        ),
        *(f"raw/alpha_vantage_bars_{t}" for t in ("1m", "5m", "15m", "30m", "1d")),
        *(f"raw/oanda_bars_{t}" for t in Timeframe),
        *(f"raw/tws_bars_{t}" for t in ("1m", "1d")),
        "raw/fred_bars_1d",
    }
    assert keys == expected


def test_every_asset_tells_what_it_is(defs: dg.Definitions):
    for spec in defs.resolve_all_asset_specs():
        name = spec.key.to_user_string()
        assert spec.group_name == spec.key.path[0], name
        assert spec.description, name
        assert len(spec.description) > 60, name
        assert spec.owners, name
        assert spec.kinds, name
        # A report has no columns.
        if spec.group_name != "operations":
            assert "dagster/column_schema" in spec.metadata, name


def test_raw_bars_tell_the_terms_of_their_vendor(defs: dg.Definitions):
    specs = {s.key.to_user_string(): s.metadata for s in defs.resolve_all_asset_specs()}
    assert specs["raw/yahoo_bars_1d"]["tier"] == 0
    assert "2,000 requests per hour" in specs["raw/yahoo_bars_1d"]["limits"]
    assert specs["raw/tws_bars_1m"]["tier"] == 1
    for name, metadata in specs.items():
        if name.startswith("raw/") and "_bars_" in name:
            assert {"tier", "cost", "latency", "entitlement", "limits"} <= set(metadata), name


def test_every_dataset_with_sessions_is_checked(defs: dg.Definitions):
    checked: dict[str, set[str]] = {}
    for key in defs.resolve_asset_graph().asset_check_keys:
        checked.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    every = {"schema", "coverage", "staleness", "drift", "duplicates", "ohlc", "run_summary"}
    bars = {
        s.key.to_user_string()
        for s in defs.resolve_all_asset_specs()
        if s.partitions_def is not None
    }
    features = {name for name in bars if name.startswith(("features/", "marts/"))}
    assert len(features) == len(GROUPS) + 2
    judged = {name: checked.pop(name) for name in features}
    bars -= features
    assert judged == {n: {*FEATURE_CHECKS, "run_summary"} for n in judged}
    assert checked.pop("reference/instruments") == {"current", "aliases", "calendars", "tickers"}
    assert checked.pop("reference/trading_sessions") == {"coverage", "changes"}
    assert checked.pop("operations/readiness") == {"ready", "cache_health", "kafka_readiness"}
    assert checked.pop("operations/failover_drill") == {"failover_drill"}
    assert checked.pop("operations/export_drill") == {"export_drill"}
    assert checked.pop("operations/failed_sessions") == {"no_session_left_failed"}
    judging = (
        *("ingest_health", "ingest_trends", "slo_report", "daily_checklist", "data_retention"),
    )
    assert {n: checked.pop(f"operations/{n}") for n in judging} == {n: {n} for n in judging}
    macro = {"curated/macro_calendar", "raw/fred_releases", "raw/fred_observations"}
    every_macro = every - {"duplicates", "ohlc"}
    assert {name: checked.pop(name) for name in macro} == dict.fromkeys(macro, every_macro)
    assert checked.pop("quality/scores") == every
    every_refused = {"schema", "coverage", "staleness", "drift", "run_summary"}
    assert checked.pop("curated/quarantine") == every_refused
    exports = {name for name in bars if name.startswith("exports/")}
    every_export = {"manifest", "coverage", "staleness", "drift"}
    assert {name: checked.pop(name) for name in exports} == dict.fromkeys(exports, every_export)
    others = {"quality/scores", "curated/quarantine"}
    every_bar = every | {"price_sanity", "false_ticks", "volume", "consistency"}
    assert checked == dict.fromkeys(bars - macro - exports - others, every_bar)
