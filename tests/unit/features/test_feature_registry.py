"""The registry: keys, definitions that are noticed when they change, and the page about it all."""

from __future__ import annotations

import hashlib
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from market_data.datasets import FEATURES
from market_data.errors import ConfigurationError
from market_data.features.compute import compute
from market_data.features.registry import (
    FEATURE_TIMEFRAMES,
    GROUPS,
    Kind,
    bar_groups,
    group_for,
    group_of,
)
from market_data.timeframes import Timeframe
from tests.support.feature_series import bars_of, series_of

ROOT = Path(__file__).resolve().parents[3]
D1 = Timeframe.D1

PINNED = {
    Kind.PRICE: "1e285de532ca",
    Kind.VOLUME: "84f07e1d5b43",
    Kind.INDICATORS: "b45cfe6b1f7d",
    Kind.REGIME: "9ed29b69cd3d",
    Kind.LABELS: "a3eb3cced91c",
}
"""Digest of the values of a fixed series, rounded to nine places. Where one changes, the arithmetic
did: raise `revision` of the group, so that stored rows count as redefined, and pin it anew."""


def test_every_kind_has_every_timeframe_of_the_documents() -> None:
    assert [str(t) for t in FEATURE_TIMEFRAMES] == ["1m", "5m", "15m", "1h", "4h", "1d"]
    assert len(GROUPS) == 6 * 5 + 2
    assert group_of("features/indicators_15m_v1") is group_for(Kind.INDICATORS, Timeframe.M15)
    assert FEATURES["regime_4h_v1"].name == "features/regime_4h_v1"
    with pytest.raises(ConfigurationError, match="no feature group 'price_2h_v1'"):
        group_of("price_2h_v1")
    with pytest.raises(ConfigurationError):
        group_for(Kind.PRICE, Timeframe.M30)


def test_a_definition_changes_with_whatever_rows_depend_on() -> None:
    group = group_for(Kind.PRICE, D1)
    first, *rest = group.features
    others = [
        replace(group, revision=group.revision + 1),
        replace(group, version=2),
        replace(group, timeframe=Timeframe.H1),
        replace(group, features=(replace(first, text="other"), *rest)),
        replace(group, features=(replace(first, warm_up=99), *rest)),
        replace(group, features=tuple(rest)),
    ]
    assert len({group.definition, *(g.definition for g in others)}) == 7
    assert len({g.definition for g in GROUPS}) == len(GROUPS)


def test_the_page_about_features_is_written_from_the_registry() -> None:
    scope = runpy.run_path(str(ROOT / "docs" / "make_features.py"))
    assert (ROOT / "docs" / "features.md").read_text() == scope["page"]()


@pytest.mark.parametrize("kind", PINNED)
def test_arithmetic_that_changes_needs_a_new_revision(kind: Kind) -> None:
    group = group_for(kind, D1)
    number = np.arange(120)
    close = 100 + number * 37 % 41 / 4
    prices = (close + number % 3 / 8, close - number % 5 / 8, close)
    rows = compute(series_of(bars_of({"AAA": prices})), bar_groups(D1))[kind]
    text = rows.select(pl.col(pl.Float64).round(9), pl.col(pl.Int64, pl.String)).write_csv()
    digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    assert (group.revision, digest) == (3 if kind is Kind.LABELS else 4, PINNED[kind])
