"""What 'emp features' shows: the groups, how a range stands, what a run made.

What belongs here: from the registry, the checks and a run's record to tables and JSON. What does
not: frames for models (features.py), the words of the command (emp/commands/features.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from emp.hearing import RunRecord
from emp.platforms import platform_of
from market_data.datasets import FEATURES
from market_data.features.registry import GROUPS, FeatureGroup, group_of
from market_data.pipeline.feature_inspection import inspect_features

if TYPE_CHECKING:
    from adapters.settings import Settings


def groups_table() -> pl.DataFrame:
    """Every group: key, columns (how many), definition."""
    return pl.DataFrame(
        [(g.key, len(g.features), g.definition) for g in GROUPS],
        schema={"group": pl.String, "columns": pl.Int64, "definition": pl.String},
        orient="row",
    )


def columns_table(name: str) -> pl.DataFrame:
    """The columns of a group: name, unit, warm_up, text, source.

    Raises:
        ConfigurationError: there is no such group.
    """
    return pl.DataFrame(
        [(f.name, f.unit, f.warm_up, f.text, f.source) for f in group_of(name).features],
        schema=["feature", "unit", "warm_up", "meaning", "source"],
        orient="row",
    )


def status_of(
    settings: Settings, groups: Sequence[FeatureGroup], first: date, last: date
) -> list[dict[str, Any]]:
    """How each group stands over a range: rows, symbols, what its checks find now."""
    platform = platform_of(settings)
    told = []
    for group in groups:
        stored = platform.store.scan(
            FEATURES[group.key], sessions=(first, last), columns=["symbol", "session"]
        )
        found = inspect_features(platform, group, first, last).findings
        counts = found.group_by("code").agg(pl.col("rows").sum()).sort("code")
        told.append(
            {
                "group": group.key,
                "rows": stored.height,
                "symbols": stored["symbol"].n_unique(),
                "sessions": stored["session"].n_unique(),
                "findings": dict(counts.iter_rows()),
            }
        )
    return told


def made(
    settings: Settings, record: RunRecord, groups: Sequence[FeatureGroup], first: date, last: date
) -> dict[str, Any]:
    """What a run left: the rows of the range by group, and how the run went."""
    store = platform_of(settings).store
    rows = {
        g.key: store.scan(FEATURES[g.key], sessions=(first, last), columns=["session"]).height
        for g in groups
    }
    return {
        "run_id": record.run_id,
        "succeeded": record.succeeded,
        "sessions": {"first": str(first), "last": str(last)},
        "rows": rows,
        "failures": [{"step": f.step, "message": f.message} for f in record.failures],
    }
