"""Bias and confidence: what the releases around a moment say for or against an instrument.

What belongs here: the formula, and which currencies an instrument speaks of.
What does not: which events there are (calendar.py), reading them (market_data/pipeline).

The formula is that of the macro event service of the alignment brief of September 2025: weights
1.0, 0.65 and 0.4 of high, medium and low importance and 0.5 of any other, a window of 5 days back
and 7 days ahead, at most 250 events. Per event

    score = weight * effect * clamp((value - previous) / abs(previous)) * decay
    decay = clamp(exp(-2 * distance / 7 days), 0.3, 1)

and a currency's score is the mean over its events, those ahead, which have no value yet, counted as
0. The bias of a pair is clamp(base - quote), of anything else that of its currency, each clamp to
[-1, 1]. Confidence is 0.2 + min(0.6, events / 10) + min(0.2, mean of weight * decay), without any
event 0.1. Two things are our own: `effect`, so that a rise of unemployment speaks against the
currency, and the absolute value below the line, so that a smaller deficit is a rise. FRED knows no
forecasts, so that a value is always held against the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from market_data.macro.calendar import WITHDRAWN
from market_data.schemas import UTC
from market_data.universe import AssetClass, Instrument

LOOKBACK, LOOKAHEAD = timedelta(days=5), timedelta(days=7)
MOST_EVENTS = 250
WEIGHTS = {"high": 1.0, "medium": 0.65, "low": 0.4}
OTHER_WEIGHT = 0.5
_HORIZON = max(LOOKBACK, LOOKAHEAD).total_seconds()
_LEAST_DECAY = 0.3

BIAS = {
    "symbol": pl.String(),
    "at": UTC,
    "base": pl.String(),
    "quote": pl.String(),
    "bias": pl.Float64(),
    "confidence": pl.Float64(),
    "events": pl.Int64(),
}
"""Columns of `macro_bias`: instrument, moment, currency for and against (null where there is none),
bias (-1 to 1, above 0 speaks for the instrument), confidence (0 to 1), events that it rests on."""


def currencies_of(instrument: Instrument) -> tuple[str, str | None]:
    """The currency for and the one against an instrument: EURUSD is EUR against USD.

    Of an instrument that is no pair the bias is that of its currency.
    """
    letters = "".join(c for c in instrument.symbol.upper() if c.isalpha())
    is_pair = instrument.asset_class in (AssetClass.FX, AssetClass.CRYPTO)
    if is_pair and letters.endswith(instrument.currency) and len(letters) >= 6:
        return letters.removesuffix(instrument.currency)[-3:], instrument.currency
    return instrument.currency, None


def macro_bias(
    events: pl.DataFrame,
    effects: pl.DataFrame,
    pairs: Mapping[str, tuple[str, str | None]],
    *,
    at: datetime,
) -> pl.DataFrame:
    """Bias and confidence per instrument.

    Args:
        events: rows of MACRO_EVENTS as they were known at the moment.
        effects: symbol and effect of each event.
        pairs: instrument to its currencies, see `currencies_of`.
        at: the moment, UTC.

    Returns:
        Columns of BIAS, one row per instrument, in the order of `pairs`.
    """
    scores = _by_currency(_scored(events, effects, at))
    wanted = pl.DataFrame(
        [(symbol, base, quote) for symbol, (base, quote) in pairs.items()],
        schema={"symbol": pl.String, "base": pl.String, "quote": pl.String},
        orient="row",
    )
    joined = wanted
    for side in ("base", "quote"):
        named = scores.rename(lambda name, side=side: f"{side}_{name}")  # type: ignore[misc]
        joined = joined.join(
            named, left_on=side, right_on=f"{side}_currency", how="left", maintain_order="left"
        ).with_columns(pl.col(f"^{side}_(score|events|weight)$").fill_null(0))
    events_of = pl.col("base_events") + pl.col("quote_events")
    mean_weight = (pl.col("base_weight") + pl.col("quote_weight")) / events_of
    confidence = 0.2 + (events_of * 0.1).clip(upper_bound=0.6) + mean_weight.clip(upper_bound=0.2)
    return joined.select(
        "symbol",
        pl.lit(at, dtype=UTC).alias("at"),
        "base",
        "quote",
        (pl.col("base_score") - pl.col("quote_score")).clip(-1.0, 1.0).alias("bias"),
        pl.when(events_of > 0).then(confidence.clip(0.0, 1.0)).otherwise(0.1).alias("confidence"),
        events_of.cast(pl.Int64).alias("events"),
    )


def _scored(events: pl.DataFrame, effects: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Columns currency, score, weight of the events around the moment."""
    moment = pl.lit(at, dtype=UTC)
    near = (
        events.filter(pl.col("ts").is_between(moment - LOOKBACK, moment + LOOKAHEAD))
        .sort("ts", "symbol")
        .head(MOST_EVENTS)
        .join(effects, on="symbol", how="left", maintain_order="left")
    )
    change = (pl.col("published") - pl.col("previous")) / pl.col("previous").abs()
    # A value that is withdrawn by then speaks for nothing.
    stands = change.is_finite() & (pl.col("status") != WITHDRAWN)
    delta = pl.when(stands).then(change.clip(-1.0, 1.0)).fill_null(0.0)
    away = (pl.col("ts") - moment).dt.total_seconds().abs()
    decay = (-away / (_HORIZON / 2)).exp().clip(_LEAST_DECAY, 1.0)
    weight = pl.col("importance").replace_strict(
        WEIGHTS, default=OTHER_WEIGHT, return_dtype=pl.Float64
    )
    return near.select(
        "currency",
        score=weight * pl.col("effect").fill_null(1) * delta * decay,
        weight=weight * decay,
    )


def _by_currency(scored: pl.DataFrame) -> pl.DataFrame:
    return scored.group_by("currency").agg(
        score=pl.col("score").mean().clip(-1.0, 1.0),
        events=pl.len().cast(pl.Int64),
        weight=pl.col("weight").sum(),
    )
