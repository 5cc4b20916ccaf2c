"""What an answer takes back by no longer naming it.

What belongs here: when the silence of a vendor that tells splits is believed. What does not: the
form of what takes an action back (withdrawals.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from market_data.basis import Adjustment, bases_of
from market_data.corporate_actions.carried import with_carried
from market_data.corporate_actions.conflicts import NEAR
from market_data.corporate_actions.withdrawals import NO_ACTION, is_withdrawal
from market_data.corporate_actions.worked_in import notes_of
from market_data.schemas import CORPORATE_ACTIONS, UTC

_MOVED = {"split": timedelta(days=10), "dividend": NEAR}
"""By how many days at most one vendor moves an action. Nobody splits twice within ten days, which
hold two sessions whatever the closures are; some funds pay dividends every week."""
SAME_PRICE = 0.02
"""Relative: prices of a bar that a vendor has mended, and not divided by anything new."""


def no_longer_told(
    statements: pl.DataFrame,
    told: pl.DataFrame,
    bars: pl.DataFrame,
    kept: pl.DataFrame,
    *,
    now: datetime,
) -> pl.DataFrame:
    """What a vendor takes back: an answer covers the ex-date, and does not name it any more.

    It covers an ex-date where it holds bars from before it, and of it or from after it. Silence
    alone may be an answer that lacks its events, of prices that are divided all the same. It is
    believed where the answer names a like action a few days off instead, and of a split where its
    prices of before are as traded again; and of any action whose step its adjusted closes lack,
    while the answer names, or its adjusted closes carry, another one of the symbol, or its closes
    as traded know nothing of a split either. Where nothing shows that they were adjusted at all
    they say nothing, of one dividend as of several: an answer that came without its events looks
    just like that. What is kept though it was none is found by its adjusted closes
    (market_data/quality/consistency.py); what was taken back though it was true, by nothing. A
    longer answer, which reaches another action, settles it, and so does a person.

    Args:
        statements: rows of CORPORATE_ACTIONS: what the vendor has said last, from before.
        told: columns symbol, ex_date, kind: what the answer names, also what was refused of it.
        bars: columns symbol, session, ts, close, adj_close, basis of the answer.
        kept: columns symbol, ts, close, basis, fetched_at: what was known of these bars before.
        now: the time of asking.

    Returns:
        Rows of CORPORATE_ACTIONS, known at `now`.
    """
    covered = bars.group_by("symbol").agg(
        _first=pl.col("session").min(), _last=pl.col("session").max()
    )
    gone = (
        statements.filter(~is_withdrawal(), pl.col("known_at") < now)
        .join(covered, on="symbol")
        .filter(pl.col("_first") < pl.col("ex_date"), pl.col("ex_date") <= pl.col("_last"))
        .join(told, on=["symbol", "ex_date", "kind"], how="anti")
    )
    key = ["symbol", "ex_date", "kind"]
    shown = (
        _moved(gone, told),
        _restored(gone, bars, kept),
        _lacking(with_carried(gone, bars, statements), told.join(covered, on="symbol")),
    )
    believed = pl.concat(part.select(key) for part in shown)
    gone = gone.join(believed, on=key, how="semi")
    return CORPORATE_ACTIONS.conform(
        gone.with_columns(
            value=pl.col("kind").replace_strict(NO_ACTION, return_dtype=pl.Float64),
            known_at=pl.lit(now, dtype=UTC),
        )
    )


def _moved(gone: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Actions in whose place one of the same kind is named, a few days off."""
    others = told.select("symbol", "kind", other="ex_date")
    apart = (pl.col("other") - pl.col("ex_date")).abs()
    most = pl.col("kind").replace_strict(_MOVED, return_dtype=pl.Duration)
    return gone.join(others, on=["symbol", "kind"]).filter(apart <= most)


def _lacking(gone: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """Actions that adjusted closes lack which are adjusted, or splits that all closes lack.

    Args:
        gone: what the answer does not name, with `carried` and `untraded`.
        named: what it names, with `_first` and `_last` of its sessions.
    """
    within = named.filter(
        pl.col("_first") < pl.col("ex_date"), pl.col("ex_date") <= pl.col("_last")
    )
    adjusted = pl.col("symbol").is_in(within.get_column("symbol").unique().to_list())
    adjusted |= pl.col("carried").any().over("symbol")
    return gone.filter((adjusted | pl.col("untraded")) & ~pl.col("carried"))


def _restored(gone: pl.DataFrame, bars: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """Splits before which the answer's prices are those that were traded, as far as is known.

    What was kept since the vendor told the split counts as divided by it, what was kept before and
    what lacks it not; what may lack it says nothing.
    """
    was = kept.select("symbol", "ts", "fetched_at", "basis", was="close")
    before = (
        gone.filter(pl.col("kind") == "split")
        .join(_divided(bars).select("symbol", "session", "ts", "close"), on="symbol")
        .filter(pl.col("session") < pl.col("ex_date"))
        .join(was, on=["symbol", "ts"])
        .join(notes_of(was), on="basis")
        .filter((pl.col("ex_date") < pl.col("unclear_from")).fill_null(value=True))
    )
    lacks = (pl.col("ex_date") >= pl.col("lacks_from")).fill_null(value=False)
    told = (pl.col("fetched_at") >= pl.col("known_at")) & ~lacks
    divided = pl.when(told).then("value").otherwise(1.0)
    shares = before.group_by("symbol", "ex_date", "kind").agg(
        restored=(pl.col("close") / (pl.col("was") * divided)).median()
    )
    return shares.filter((pl.col("restored") - 1).abs() <= SAME_PRICE)


def _divided(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars whose prices a vendor divides by splits: others are as traded, whatever it tells."""
    return bars.filter(pl.col("basis").is_in(list(bases_of(bars, Adjustment.SPLITS))))
