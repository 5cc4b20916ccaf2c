"""What all feature assets share: names, what a run shows of what it made, their checks.

What belongs here: from a report to materialisations, per-session numbers included. What does not:
what each asset makes (the files beside this one).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import dagster as dg

from emp_assets.bar_checks import session_checks
from emp_assets.metadata import PER_SESSION_LIMIT, column_schema, run_range, table
from emp_assets.naming import OWNERS
from emp_assets.partitions import session_partitions
from market_data.datasets import FEATURES
from market_data.features.checks import CHECKS
from market_data.features.registry import FeatureGroup, Kind
from market_data.pipeline.features import FeatureReport
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe
from market_data.universe import Universe

PAGE = "features"
"""The runbook of their checks."""
_PURPOSES = {
    Kind.PRICE: "Returns, means and deviations of closes.",
    Kind.VOLUME: "How a volume compares to those before it.",
    Kind.INDICATORS: "Indicators with names, as TA-Lib computes them.",
    Kind.REGIME: "Whether the market trends or ranges, and how much it moves.",
    Kind.LABELS: "What came after each bar. Labels look ahead: they are never features.",
    Kind.CONFLUENCE: "Which way the six timeframes point, and whether they agree.",
    Kind.MACRO_CONTEXT: "Which macro releases lie behind a session when it opens.",
}


def feature_key(group: FeatureGroup) -> dg.AssetKey:
    """Key of a group's asset."""
    return dg.AssetKey(["features", group.key])


def step_name(timeframe: Timeframe) -> str:
    """Name of the step that makes the features of a timeframe; its configuration goes by it."""
    return f"features_{timeframe}"


def described(group: FeatureGroup) -> str:
    """The description in the UI: the purpose, and every column with its meaning."""
    when = (
        "Every row is known when its session opens."
        if group.kind is Kind.MACRO_CONTEXT
        else "No cell of a row needs anything that came after its bar ended."
    )
    lines = [_PURPOSES[group.kind]]
    if group.kind is not Kind.LABELS:
        lines.append(when)
    lines.append(f"Definition {group.definition}; docs/features.md says more.")
    return "\n\n".join(lines)


def spec(
    universe: Universe, group: FeatureGroup, deps: list[dg.AssetKey], *, skippable: bool = False
) -> dg.AssetSpec:
    """The asset of a group."""
    return dg.AssetSpec(
        feature_key(group),
        deps=deps,
        group_name="features",
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        description=described(group),
        metadata={"dagster/column_schema": column_schema(FEATURES[group.key].schema)},
        code_version=group.definition,
        partitions_def=session_partitions(universe.first_session),
        skippable=skippable,
    )


def result(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    sessions: tuple[date, date],
    report: FeatureReport,
) -> dg.MaterializeResult[None]:
    """What a run shows of a group."""
    first, last = sessions
    numbers: dict[str, Any] = {
        **run_range(first, last, report.symbols),
        "rows": report.rows,
        "rows_beside_the_range": report.beside,
        "null_rate": report.null_rate,
        "definition": report.group.definition,
    }
    rates = (
        {name: round(empty / report.rows, 4) for name, empty in report.empty_cells.items()}
        if report.rows
        else {}
    )
    drawings = {
        "null_rates": dg.MetadataValue.json(rates),
        "last_rows": table(report.preview),
    }
    per_session = {
        day: {"dagster/partition_row_count": rows} for day, rows in report.per_session.items()
    }
    return shown(context, key, sessions, numbers=numbers, drawings=drawings, per=per_session)


def shown(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    sessions: tuple[date, date],
    *,
    numbers: Mapping[str, Any],
    drawings: Mapping[str, Any],
    per: Mapping[date, Mapping[str, Any]],
) -> dg.MaterializeResult[None]:
    """Numbers on every session; tables where they fit, see `emp_assets.metadata.materialised`."""
    first, last = sessions
    if (last - first).days + 1 <= PER_SESSION_LIMIT:
        for day, values in per.items():
            if first <= day <= last:
                context.add_asset_metadata(
                    dict(values), asset_key=key, partition_key=day.isoformat()
                )
        return dg.MaterializeResult(asset_key=key, metadata={**numbers, **drawings})
    context.add_asset_metadata(dict(drawings), asset_key=key, partition_key=last.isoformat())
    note = f"tables of this run are shown on session {last}"
    return dg.MaterializeResult(asset_key=key, metadata={**numbers, "details": note})


def feature_checks(
    universe: Universe,
    key: dg.AssetKey,
    inspect: Callable[[Platform, date, date], Inspection],
) -> dg.AssetChecksDefinition:
    """The checks of a feature dataset."""
    return session_checks(key, session_partitions(universe.first_session), inspect, CHECKS, PAGE)
