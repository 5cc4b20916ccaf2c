"""The registry of stored datasets: name, columns, key, layout.

What belongs here: one `Dataset` per table that a `BarStore` or a `RawLog` keeps. Stores take
identifiers from here and from nowhere else, so that no name from outside reaches a path or a
statement.
What does not: how an engine stores it (adapters/stores).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from market_data.features.registry import GROUPS, FeatureGroup, Kind
from market_data.features.schemas import PREDICTIONS, REGIME_STATS
from market_data.macro.schemas import FRED_OBSERVATIONS, FRED_RELEASES, MACRO_EVENTS
from market_data.schemas import CURATED_BARS, KEPT_FLAGS, RAW_BARS, SCORES, FrameSchema
from market_data.timeframes import Timeframe


class Layout(StrEnum):
    """How finely a dataset is cut into files or chunks, by how many rows a year of it holds."""

    MONTH_BUCKET = "month and symbol bucket"
    YEAR = "year"


@dataclass(frozen=True)
class Dataset:
    """One stored table.

    Attributes:
        name: "layer/table", the same as the asset key.
        schema: its columns.
        key: columns that name a row once.
        layout: how finely it is cut.
    """

    name: str
    schema: FrameSchema
    key: tuple[str, ...]
    layout: Layout

    @property
    def time_column(self) -> str:
        """The column that start and end of a scan apply to."""
        return "ts" if "ts" in self.schema.names else "session"

    @property
    def sort(self) -> tuple[str, ...]:
        """The order in which rows are stored and returned."""
        rest = (c for c in self.key if c not in ("symbol", self.time_column))
        return ("symbol", self.time_column, *rest)


def _layout(timeframe: Timeframe) -> Layout:
    fine = (Timeframe.M1, Timeframe.M5, Timeframe.M15)
    return Layout.MONTH_BUCKET if timeframe in fine else Layout.YEAR


def raw_bars(vendor: str, timeframe: Timeframe) -> Dataset:
    """The raw log of one vendor and timeframe: every revision of every bar."""
    return Dataset(
        f"raw/{vendor}_bars_{timeframe}",
        RAW_BARS,
        ("symbol", "ts", "fetched_at", "fetch_id"),
        _layout(timeframe),
    )


def curated_bars(timeframe: Timeframe) -> Dataset:
    """The trusted series of one timeframe."""
    return Dataset(f"curated/bars_{timeframe}", CURATED_BARS, ("symbol", "ts"), _layout(timeframe))


SCORES_DATASET = Dataset("quality/scores", SCORES, ("symbol", "session", "dataset"), Layout.YEAR)

FLAGS_DATASET = Dataset(
    "quality/bar_flags",
    KEPT_FLAGS,
    ("symbol", "session", "dataset", "bar", "code"),
    Layout.YEAR,
)

MACRO_CALENDAR = Dataset("curated/macro_calendar", MACRO_EVENTS, ("symbol", "ts"), Layout.YEAR)

FRED_RELEASE_DATES = Dataset(
    "raw/fred_releases",
    FRED_RELEASES,
    ("symbol", "session", "fetched_at", "fetch_id"),
    Layout.YEAR,
)
FRED_VINTAGES = Dataset(
    "raw/fred_observations",
    FRED_OBSERVATIONS,
    ("symbol", "session", "period", "fetched_at", "fetch_id"),
    Layout.YEAR,
)


def _features(group: FeatureGroup) -> Dataset:
    fine = group.kind is Kind.CONFLUENCE
    timeframe = Timeframe.M1 if fine else group.timeframe or Timeframe.D1
    return Dataset(group.dataset, group.schema, ("symbol", "ts"), _layout(timeframe))


FEATURES = {group.key: _features(group) for group in GROUPS}
"""The dataset of each feature group, by its key."""

PREDICTIONS_DATASET = Dataset(
    "features/predictions",
    PREDICTIONS,
    ("symbol", "ts", "timeframe", "model", "model_version", "output"),
    Layout.YEAR,
)

REGIME_STATS_DATASET = Dataset(
    "marts/regime_stats",
    REGIME_STATS,
    ("symbol", "session", "timeframe", "regime", "volatility"),
    Layout.YEAR,
)

STORED = (
    *(curated_bars(t) for t in Timeframe),
    SCORES_DATASET,
    FLAGS_DATASET,
    MACRO_CALENDAR,
    *FEATURES.values(),
    PREDICTIONS_DATASET,
    REGIME_STATS_DATASET,
)
"""Every dataset that a `BarStore` keeps."""
