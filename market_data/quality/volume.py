"""Volume: sessions in which nothing was traded, far more or less than usual, or nobody says what.

What belongs here: a session's volume against those before. What does not: negative volumes, which
are no bars at all (market_data/validation.py).

Only classes whose volume means traded units are judged: a dealer's count of quotes does not.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from market_data.ordering import by_runs
from market_data.quality.findings import KEY, SAMPLE_ROWS, WARN, CheckOutcome, findings
from market_data.universe import AssetClass

CHECK = "volume"
TRADED = frozenset({AssetClass.EQUITY, AssetClass.FUTURE, AssetClass.CRYPTO})
USUAL_SESSIONS = 20
FEWEST_SESSIONS = 5
"""Sessions before that tell the usual volume: so many at most, and at least."""
LOOK_BACK = timedelta(days=45)
"""Calendar days that hold the sessions before; what is older tells nothing, so that a session is
judged alike however many sessions before it are at hand."""
_TOTAL = pl.when(pl.col("volume").is_not_null().any()).then(pl.col("volume").sum())
"""A session's volume, null where nobody knows it."""


def check_volume(
    bars: pl.DataFrame,
    limits: pl.DataFrame,
    *,
    actions: pl.DataFrame,
    dataset: str,
    sessions: tuple[date, date],
) -> CheckOutcome:
    """Report sessions without volume, those whose volume is far from the usual, or is not known.

    Args:
        bars: symbol, session, volume (null where unknown) of sessions that are over, sorted by
            (symbol, session). With sessions before the first one, their median is the usual
            volume; without, only a volume of zero can be told.
        limits: see `BarsView.limits`.
        actions: rows of CORPORATE_ACTIONS that are known: splits change what is usual.
        dataset: name of the dataset.
        sessions: first and last session that is judged.

    Returns:
        Findings zero_volume, volume and volume_missing (warn), one per symbol-session at most:
        `value` is the volume as a multiple of the usual one (0 where there is none, null where
        nobody knows it).
    """
    judged = find_volumes(bars, limits, actions=actions).filter(
        pl.col("session").is_between(*sessions)
    )
    found = judged.drop_nulls("code")
    told = found.with_columns(
        severity=pl.lit(WARN),
        value=pl.when(pl.col("volume") == 0).then(0.0).otherwise("shift"),
        threshold=pl.when(pl.col("volume") == 0)
        .then(0.0)
        .when(pl.col("volume").is_not_null())
        .then("volume_shift"),
        rows="bars",
        detail=_sentence(),
    )
    return CheckOutcome(
        findings(told, check=CHECK, dataset=dataset),
        found.select(*KEY, "volume", "usual", "shift", "bars").head(SAMPLE_ROWS),
        judged.select(*KEY, "volume", "shift"),
    )


def with_sessions_before(
    series: pl.DataFrame, before: pl.DataFrame | None, first: date
) -> pl.DataFrame:
    """Volumes of a slice, and of the sessions that tell what is usual in it.

    Args:
        series: symbol, session, volume of the slice and of bars around it, sorted by session for
            each symbol.
        before: the same of the sessions before it; None: the bars around it are enough.
        first: first session of the slice.

    Returns:
        symbol, session, volume, sorted by session for each symbol.
    """
    own = series.select(*KEY, "volume")
    if before is None:
        return own
    within = own.filter(pl.col("session") >= first)
    # A row per session before: fewer to put in order.
    totals = before.group_by(KEY, maintain_order=True).agg(volume=_TOTAL)
    return pl.concat([totals, within]).sort(KEY, maintain_order=True)


def find_volumes(
    bars: pl.DataFrame, limits: pl.DataFrame, *, actions: pl.DataFrame
) -> pl.DataFrame:
    """Each session's volume beside the usual one, where the class has traded units.

    Args:
        bars: as of `check_volume`.
        limits: see `BarsView.limits`.
        actions: rows of CORPORATE_ACTIONS that are known.

    Returns:
        symbol, session, volume, bars, volume_shift (the limit), usual (in today's shares), shift
        (the volume as a multiple of it) and code: zero_volume, volume, volume_missing (no bar
        has a volume, and those of sessions before are known), or null.
    """
    traded = limits.filter(pl.col("asset_class").is_in([str(c) for c in TRADED]))
    if traded.is_empty():
        bars = bars.clear()
    totals = (
        by_runs(bars)
        .agg(pl.col(KEY).first(), volume=_TOTAL, bars=pl.len().cast(pl.Int64))
        .drop("run")
        .join(traded.select("symbol", "volume_shift"), on="symbol", maintain_order="left")
    )
    shift, limit = pl.col("shift"), pl.col("volume_shift")
    far = (shift > limit) | (shift < 1 / limit)
    return _against_usual(totals, actions).with_columns(
        code=pl.when(pl.col("volume") == 0)
        .then(pl.lit("zero_volume"))
        .when(far)
        .then(pl.lit("volume"))
        .when(pl.col("volume").is_null() & pl.col("usual").is_not_null())
        .then(pl.lit("volume_missing"))
    )


def _against_usual(totals: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Adds `usual` (in today's shares) and `shift` (the volume as a multiple of it)."""
    shares = _shares(totals, actions)
    per_share = pl.col("volume") / pl.col("shares")
    near = pl.col("session").shift(USUAL_SESSIONS) >= pl.col("session") - LOOK_BACK
    # Where fewer of them are near enough, those that are must do.
    usual = (
        pl.when(near)
        .then(per_share.rolling_median(USUAL_SESSIONS, min_samples=FEWEST_SESSIONS).shift())
        .otherwise(
            per_share.rolling_median_by(
                "session", LOOK_BACK, min_samples=FEWEST_SESSIONS, closed="left"
            )
        )
    )
    return (
        totals.join(shares, on=KEY, how="left", maintain_order="left")
        .with_columns(usual=usual.over("symbol") * pl.col("shares"))
        .with_columns(shift=pl.when(pl.col("usual") > 0).then(pl.col("volume") / pl.col("usual")))
    )


def _shares(totals: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """How many shares one of the slice's first session has become: symbol, session, shares."""
    splits = actions.filter(pl.col("kind") == "split").select("symbol", "ex_date", "value")
    if splits.is_empty():
        return totals.select(*KEY, shares=pl.lit(1.0))
    since = (
        totals.select(KEY)
        .join(splits, on="symbol")
        .filter(pl.col("ex_date") <= pl.col("session"))
        .group_by(KEY)
        .agg(shares=pl.col("value").product())
    )
    return (
        totals.select(KEY)
        .join(since, on=KEY, how="left", maintain_order="left")
        .with_columns(pl.col("shares").fill_null(1.0))
    )


def _sentence() -> pl.Expr:
    unusual = pl.format(
        "{} units were traded, {} times the median of the {} sessions before",
        pl.col("volume").round(2),
        pl.col("shift").round_sig_figs(3),
        pl.lit(USUAL_SESSIONS),
    )
    none = pl.format("nothing was traded in {} bars of an open session", "bars")
    missing = pl.format(
        "no bar has a volume; the median of the {} sessions before is {} units",
        pl.lit(USUAL_SESSIONS),
        pl.col("usual").round(2),
    )
    return (
        pl.when(pl.col("volume") == 0)
        .then(none)
        .when(pl.col("volume").is_null())
        .then(missing)
        .otherwise(unusual)
    )
