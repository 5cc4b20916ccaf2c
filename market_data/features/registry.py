"""The registry of feature groups: which there are, of which timeframe, in which version.

What belongs here: `FeatureGroup`, the list of all, names and digests. What does not: the columns
(definitions.py), the arithmetic (compute.py), storage (market_data/datasets.py).

A group's version is part of its key, so that old and new rows can be kept side by side. Its
definition is a digest over all that its rows depend on besides the bars; each row carries it, and a
row with another one is out of date.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

from market_data.errors import ConfigurationError
from market_data.features import definitions
from market_data.features.definitions import Feature
from market_data.schemas import UTC, Column, FrameSchema
from market_data.timeframes import Timeframe

WARM_UP = 512
"""Bars before a stretch that its features are made of, where there are so many. What lies further
back weighs less than 1e-15 in the slowest average (Wilder's of 14, twice)."""

FEATURE_TIMEFRAMES = (
    Timeframe.M1,
    Timeframe.M5,
    Timeframe.M15,
    Timeframe.H1,
    Timeframe.H4,
    Timeframe.D1,
)


class Kind(StrEnum):
    """What a group is about; the first part of its key."""

    PRICE = "price"
    VOLUME = "volume"
    INDICATORS = "indicators"
    REGIME = "regime"
    LABELS = "labels"
    CONFLUENCE = "confluence"
    MACRO_CONTEXT = "macro_context"


BAR_KINDS = (Kind.PRICE, Kind.VOLUME, Kind.INDICATORS, Kind.REGIME, Kind.LABELS)
"""Kinds that are made of the bars of one timeframe."""


@dataclass(frozen=True)
class FeatureGroup:
    """One dataset of features.

    Attributes:
        kind: what it is about.
        timeframe: of its bars; None where a row is not a bar of one timeframe.
        features: its columns.
        version: part of the key; another one for columns that mean something else.
        revision: goes up when the arithmetic changes and the texts do not.
    """

    kind: Kind
    timeframe: Timeframe | None
    features: tuple[Feature, ...] = field(repr=False)
    version: int = 1
    revision: int = 1

    @property
    def key(self) -> str:
        """Name in assets, tables and files: indicators_1d_v1."""
        parts = (self.kind, self.timeframe, f"v{self.version}")
        return "_".join(str(part) for part in parts if part)

    @property
    def dataset(self) -> str:
        """Name of the dataset: features/indicators_1d_v1."""
        return f"features/{self.key}"

    @property
    def names(self) -> list[str]:
        """Names of the feature columns, in order."""
        return [feature.name for feature in self.features]

    @property
    def definition(self) -> str:
        """Digest of the columns, their texts, the revision and the warm-up: 12 digits."""
        parts = [self.key, str(self.revision), str(WARM_UP)]
        for f in self.features:
            parts += [f.name, str(f.dtype), f.text, f.source, str(f.warm_up), f.unit]
        return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=6).hexdigest()

    @property
    def schema(self) -> FrameSchema:
        """The columns of its rows."""
        text = (
            "start of the session"
            if self.kind is Kind.MACRO_CONTEXT
            else "start of the bar that the row is about, UTC"
        )
        when = (
            "start of the session, at which all of this was known"
            if self.kind is Kind.MACRO_CONTEXT
            else "end of the bar, UTC: no sooner is any of this known"
        )
        if self.kind is Kind.LABELS:
            when = "end of the bar, UTC; the labels are known later, at their own ends"
        return FrameSchema(
            f"features {self.key}",
            (
                Column("symbol", pl.String(), "permanent instrument id"),
                Column("ts", UTC, text),
                Column("session", pl.Date(), "date of the trading session"),
                Column("available_at", UTC, when),
                *(Column(f.name, f.dtype, _told(f), nullable=True) for f in self.features),
                Column("definition", pl.String(), "digest of the definition that made the row"),
            ),
        )


def _told(feature: Feature) -> str:
    return f"{feature.text} ({feature.unit}; {feature.source})"


_FEATURES = {
    Kind.PRICE: definitions.PRICES,
    Kind.VOLUME: definitions.VOLUMES,
    Kind.INDICATORS: definitions.INDICATORS,
    Kind.REGIME: definitions.REGIMES,
    Kind.LABELS: definitions.LABELS,
    Kind.CONFLUENCE: definitions.CONFLUENCE,
    Kind.MACRO_CONTEXT: definitions.MACRO_CONTEXT,
}


def _revision(kind: Kind, timeframe: Timeframe) -> int:
    """1d, 3: bars over a vendor's own day are known when that has ended, as its basis tells.

    All but labels, one more: windows carry no rounding along; other last digits.
    """
    return 1 + 2 * (timeframe is Timeframe.D1) + (kind is not Kind.LABELS)


GROUPS = (
    *(
        FeatureGroup(k, t, _FEATURES[k], revision=_revision(k, t))
        for t in FEATURE_TIMEFRAMES
        for k in BAR_KINDS
    ),
    FeatureGroup(Kind.CONFLUENCE, None, _FEATURES[Kind.CONFLUENCE], revision=3),
    FeatureGroup(Kind.MACRO_CONTEXT, None, _FEATURES[Kind.MACRO_CONTEXT], revision=2),
)
"""Every group, those of short timeframes first."""

_BY_KEY = {group.key: group for group in GROUPS}


def group_of(key: str) -> FeatureGroup:
    """The group of a key, with or without its layer.

    Raises:
        ConfigurationError: there is no such group.
    """
    found = _BY_KEY.get(key.removeprefix("features/"))
    if found is None:
        raise ConfigurationError(
            f"there is no feature group {key!r}; there are: {', '.join(_BY_KEY)}"
        )
    return found


def bar_groups(timeframe: Timeframe) -> tuple[FeatureGroup, ...]:
    """The groups that are made of the bars of a timeframe, in the order of BAR_KINDS."""
    return tuple(group for group in GROUPS if group.timeframe is timeframe)


def group_for(kind: Kind, timeframe: Timeframe | None = None) -> FeatureGroup:
    """The group of a kind and timeframe.

    Raises:
        ConfigurationError: there is none.
    """
    for found in GROUPS:
        if found.kind is kind and found.timeframe is timeframe:
            return found
    raise ConfigurationError(f"there are no {kind} features of {timeframe or 'no timeframe'}")
