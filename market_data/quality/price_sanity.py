"""Price sanity of daily bars: an overnight step that looks like a split of which nobody told.

What belongs here: telling such a step from a crash. What does not: adjustment
(market_data/corporate_actions), where actions come from.

Judged are unadjusted daily bars of instruments that can be split. A split by k shows as an opening
at 1/k of the close before (or k times, for a reverse split) while k times as many (1/k as many)
shares change hands. A crash or a takeover may land near such a ratio, but its volume rises without
regard to it. The ratios are those that companies use; 3:2 is not among them, since a fall by a
third is no rarity. A step that recorded actions explain is none. How near is near enough, and how
much volume too much, is in config/quality.yaml (`split_tolerance`, `split_same_day`,
`split_volume`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from math import sqrt

import polars as pl

from market_data.corporate_actions.conflicts import NEAR
from market_data.quality.findings import KEY, SAMPLE_ROWS, WARN, CheckOutcome, findings
from market_data.quality.thresholds import Rules, Thresholds
from market_data.timeframes import Timeframe
from market_data.universe import Instrument

CHECK = "price_sanity"
RATIOS = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50)
"""Shares after per share before. Beyond 5 a real step of that size is all but impossible."""
USUAL_SESSIONS = 20
FEWEST_SESSIONS = 5
"""Sessions before that tell the usual volume: so many at most, and at least."""
LOOK_BACK = timedelta(days=45)
"""Calendar days that hold the sessions before."""
_LONGEST_GAP = timedelta(days=14)


def check_missing_split(
    bars: pl.DataFrame,
    actions: pl.DataFrame,
    instruments: Sequence[Instrument],
    *,
    thresholds: Thresholds,
    dataset: str,
    sessions: tuple[date, date],
) -> CheckOutcome:
    """Report sessions that open like after a split, with none recorded.

    Args:
        bars: daily unadjusted bars: symbol, session, open, close, volume (null where unknown);
            from LOOK_BACK before the first session on.
        actions: rows of CORPORATE_ACTIONS that are known.
        instruments: of the symbols; only adjustable ones are judged.
        thresholds: limits of daily bars, per asset class.
        dataset: name of the dataset.
        sessions: first and last session that is judged.

    Returns:
        Findings suspected_missing_split (warn): `value` is the opening over the close before,
        with recorded actions taken out, `threshold` the ratio of the split that it looks like.
    """
    classes = {i.symbol: i.asset_class for i in instruments if i.asset_class.is_adjustable}
    steps = _steps(bars.filter(pl.col("symbol").is_in(list(classes))), actions).filter(
        pl.col("session").is_between(*sessions)
    )
    # Nothing where no class can be split.
    ratio = pl.lit(None, dtype=pl.Float64)
    for asset_class in sorted(set(classes.values())):
        its_own = pl.col("symbol").is_in([s for s, c in classes.items() if c is asset_class])
        rules = thresholds.rule(asset_class, Timeframe.D1)
        ratio = pl.when(its_own).then(_ratio(rules)).otherwise(ratio)
    suspected = _with_recorded_near(
        steps.with_columns(ratio=ratio).drop_nulls("ratio"), actions
    ).sort("session", "symbol")
    judged = suspected.with_columns(
        code=pl.lit("suspected_missing_split"),
        severity=pl.lit(WARN),
        value="at_open",
        threshold="ratio",
        rows=pl.lit(1, dtype=pl.Int64),
        detail=_sentence(),
    )
    shown = ("close_before", "open", "close", "volume", "usual_volume")
    return CheckOutcome(
        findings(judged, check=CHECK, dataset=dataset),
        suspected.select(*KEY, *shown).head(SAMPLE_ROWS),
    )


def _steps(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Each session against the one before, what recorded actions explain taken out.

    Columns at_open and at_close (against the close before), volume_shift (against the median of
    the sessions before, per share of today), and what they are made of.
    """
    before = pl.col("session").shift(1).over("symbol")
    usual = (
        pl.col("volume")
        .rolling_median(USUAL_SESSIONS, min_samples=FEWEST_SESSIONS)
        .shift(1)
        .over("symbol")
    )
    ordered = bars.sort("symbol", "session").with_columns(
        before=before, close_before=pl.col("close").shift(1).over("symbol"), usual_volume=usual
    )
    near = ordered.filter(pl.col("session") - pl.col("before") <= _LONGEST_GAP)
    recorded = _recorded(near, actions)
    split, cash = pl.col("split"), pl.col("cash")
    return (
        near.join(recorded, on=KEY, how="left")
        .with_columns(pl.col("split").fill_null(1.0), pl.col("cash").fill_null(0.0))
        .with_columns(
            at_open=(pl.col("open") * split + cash) / pl.col("close_before"),
            at_close=(pl.col("close") * split + cash) / pl.col("close_before"),
            volume_shift=pl.col("volume") / split / pl.col("usual_volume"),
        )
    )


def _recorded(steps: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Columns symbol, session, split, cash: actions since the session before, up to each one."""
    known = actions.join(steps.select(*KEY, "before"), on="symbol").filter(
        pl.col("ex_date") > pl.col("before"), pl.col("ex_date") <= pl.col("session")
    )
    value, kind = pl.col("value"), pl.col("kind")
    return known.group_by(KEY).agg(
        split=value.filter(kind == "split").product(), cash=value.filter(kind == "dividend").sum()
    )


def _with_recorded_near(suspected: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Adds near_date and near_value: the nearest split that is recorded within a few days."""
    splits = actions.filter(pl.col("kind") == "split").select(
        "symbol", near_date="ex_date", near_value="value"
    )
    away = (pl.col("near_date") - pl.col("session")).abs()
    nearest = (
        suspected.select(KEY)
        .join(splits, on="symbol")
        .filter(away <= NEAR)
        .sort(*KEY, away, "near_date")
        .unique(KEY, keep="first", maintain_order=True)
    )
    return suspected.join(nearest, on=KEY, how="left")


def _ratio(rules: Rules) -> pl.Expr:
    """The split's ratio as a factor of the price (1/k or k); null where it looks like none."""
    factors = [factor for k in RATIOS for factor in (1 / k, float(k))]
    return pl.coalesce(*(pl.when(_looks_like(f, rules)).then(pl.lit(f)) for f in factors))


def _looks_like(factor: float, rules: Rules) -> pl.Expr:
    """Whether prices step by a factor, and volumes by its inverse rather than not at all."""
    steps = [(pl.col(name) / factor - 1.0).abs() for name in ("at_open", "at_close")]
    # Neither may stray far: a single bad print is no split.
    priced = pl.any_horizontal(s <= rules.split_tolerance for s in steps) & pl.all_horizontal(
        s <= rules.split_same_day for s in steps
    )
    shift, shares = pl.col("volume_shift"), 1 / factor
    # Nearer to the split's own shift than to none, on a scale of ratios.
    shifted = (shift >= sqrt(shares)) if shares > 1 else (shift <= sqrt(shares))
    # On its first day a split share is traded more, a crashing one out of all proportion.
    most = rules.split_volume
    within = shift.is_between(shares / most, shares * most)
    return (priced & shifted & within).fill_null(value=False)


def _sentence() -> pl.Expr:
    k = pl.when(pl.col("ratio") < 1).then(1 / pl.col("ratio")).otherwise("ratio").round(0)
    number = k.cast(pl.Int64)
    named = (
        pl.when(pl.col("ratio") < 1)
        .then(pl.format("{}:1", number))
        .otherwise(pl.format("1:{} reverse", number))
    )
    seen = pl.format(
        "opens at {} times the close before on {} times the usual volume, like a {} split, ",
        pl.col("at_open").round(4),
        pl.col("volume_shift").round(2),
        named,
    )
    # With one on record the bars may be divided by it or not, or its day is wrong; a second
    # record of the same split would only spoil more.
    recorded = pl.format(
        "with recorded actions taken out, and one of {} is recorded on {}: ask for the bars again "
        "('emp ingest ... --refetch'), or correct the record ('emp actions import')",
        "near_value",
        "near_date",
    )
    none = pl.lit("and none is recorded; 'emp actions import' adds it")
    return seen + pl.when(pl.col("near_date").is_not_null()).then(recorded).otherwise(none)
