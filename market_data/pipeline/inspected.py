"""Inspected: what the checks find in a dataset that is called by its name.

What belongs here: which inspection belongs to which name. What does not: inspecting (inspection.py
and its neighbours), what follows from findings (health.py).
"""

from __future__ import annotations

from datetime import date

from market_data.datasets import (
    FEATURES,
    PREDICTIONS_DATASET,
    REGIME_STATS_DATASET,
    SCORES_DATASET,
    curated_bars,
    raw_bars,
)
from market_data.errors import ConfigurationError
from market_data.features.registry import group_of
from market_data.pipeline.feature_inspection import inspect_features, inspect_regime_stats
from market_data.pipeline.inspection import (
    Inspection,
    inspect_curated,
    inspect_raw,
    inspect_scores,
)
from market_data.pipeline.macro_health import MACRO
from market_data.pipeline.platform import Platform
from market_data.pipeline.prediction_inspection import inspect_predictions
from market_data.pipeline.quarantine_inspection import inspect_quarantine
from market_data.quality.quarantine_checks import DATASET as QUARANTINE
from market_data.timeframes import Timeframe

_WHOLE = {
    **MACRO,
    QUARANTINE: inspect_quarantine,
    SCORES_DATASET.name: inspect_scores,
    PREDICTIONS_DATASET.name: inspect_predictions,
    REGIME_STATS_DATASET.name: inspect_regime_stats,
}
"""Datasets that are of no single timeframe."""
_FEATURES = {dataset.name: key for key, dataset in FEATURES.items()}


def inspected(
    platform: Platform, dataset: str, first: date, last: date
) -> tuple[Timeframe, Inspection]:
    """What the checks find in a range of sessions of a dataset, and whose limits hold.

    Raises:
        ConfigurationError: there is no such dataset.
    """
    if dataset in _WHOLE:
        return Timeframe.D1, _WHOLE[dataset](platform, first, last)
    if dataset in _FEATURES:
        group = group_of(_FEATURES[dataset])
        return group.timeframe or Timeframe.D1, inspect_features(platform, group, first, last)
    for timeframe in Timeframe:
        if dataset == curated_bars(timeframe).name:
            return timeframe, inspect_curated(platform, timeframe, first, last)
    for vendor in platform.universe.vendors:
        for timeframe in vendor.timeframes:
            if dataset == raw_bars(vendor.name, timeframe).name:
                return timeframe, inspect_raw(platform, vendor.name, timeframe, first, last)
    raise ConfigurationError(
        f"no dataset {dataset!r} is checked; there are curated/bars_<timeframe>, "
        "raw/<vendor>_bars_<timeframe>, features/<group>_<timeframe>_v<n> and "
        f"{', '.join(_WHOLE)}"
    )
