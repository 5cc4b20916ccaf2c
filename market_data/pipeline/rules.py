"""Which rules are in force for a row: their version by asset class and timeframe.

What belongs here: the version that each row should have. What does not: what makes a version
(adapters/configuration.py), making rows anew (curate.py, score.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from market_data.datasets import curated_bars
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

JUDGING = "flags3"
"""Names how single bars are judged, and that their flags are kept with the scores: to be raised
when a rule of the code changes. Scores from before have another one, or none."""


def rules_of(platform: Platform, timeframe: Timeframe) -> Mapping[AssetClass, str]:
    """The version of the rules of each asset class at a timeframe."""
    return {c: platform.rule_versions[c, timeframe] for c in AssetClass}


def _version(platform: Platform, instrument: Instrument, timeframe: Timeframe) -> str:
    limits = platform.rule_versions[instrument.asset_class, timeframe]
    expected = platform.expectations.version(curated_bars(timeframe).name, instrument.symbol)
    return "+".join(part for part in (limits, JUDGING, expected) if part)


def found_flags() -> pl.Expr:
    """Whether a score was made together with the flags of its bars: some rules kept none."""
    return pl.col("rule_version").str.contains("+flags", literal=True)


def rules_in_force(platform: Platform) -> pl.Expr:
    """The version for scores, by their columns dataset (of curated bars) and symbol.

    What is expected of the symbol's sessions (config/expectations.yaml) is a part of it.
    Rows of a symbol that was taken out of the universe keep what their column rule_version says:
    no rules are in force for them.
    """
    versions = {
        f"{curated_bars(t).name} {i.symbol}": _version(platform, i, t)
        for i in platform.universe.instruments
        for t in Timeframe
    }
    return pl.concat_str("dataset", "symbol", separator=" ").replace_strict(
        versions, default=pl.col("rule_version"), return_dtype=pl.String
    )
