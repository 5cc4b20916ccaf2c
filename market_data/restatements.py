"""Restatements: the same bar on another basis is no revision of it.

What belongs here: which bars of an answer say what is known already, though their numbers differ
since the vendor has worked in a split or a dividend that came in between.
What does not: real revisions (market_data/revisions.py), arithmetic
(market_data/corporate_actions).

A vendor that adjusts for splits divides its whole history by every new one, and one that tells an
adjusted close restates that with every dividend too. Kept as revisions, each such event would
double the raw log, and the day of the refetch would pass for the day on which prices were known.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from market_data.basis import Adjustment, bases_of
from market_data.curation.split_evidence import SplitsTold
from market_data.curation.undone_splits import DISPUTED, Splits
from market_data.ordering import KEY
from market_data.price_steps import price_step
from market_data.revisions import newest
from market_data.schemas import PRICES

_PRICE_ROUNDING = 1e-6
"""Relative. A vendor divides numbers of single precision, which hold seven digits; whoever rounds
to decimals is allowed half a step of them too."""

_UNCHANGED = 1e-9
"""Relative. Products of the same splits differ by less."""

_SAME_PRODUCT = (pl.col("product") - pl.col("product_known")).abs() <= (
    pl.col("product_known") * _UNCHANGED
)

_WHOLE = 1.0
"""Volumes are whole numbers of the shares of their day: rounded to one, a volume after a reverse
split of 1:30 tells the number of shares before it to thirty."""

_SPARE = timedelta(days=2)
"""An answer of two days after an ex-date may still be without it, and so is each one until the
action is known."""


def may_restate(raw: pl.DataFrame, actions: pl.DataFrame, seen: pl.DataFrame) -> bool:
    """Whether an answer can hold bars that are known on another basis; cheap, before any reading.

    Args:
        raw: rows of RAW_BARS of one fetch.
        actions: rows of CORPORATE_ACTIONS, whatever anybody ever said: what is no longer so, too.
        seen: columns symbol, session, asked_at: what was answered before.
    """
    if raw.is_empty() or actions.is_empty() or seen.is_empty():
        return False
    if not bases_of(raw, Adjustment.SPLITS):
        return False
    first = raw.group_by("symbol").agg(first=pl.col("session").min())
    before = seen.group_by("symbol").agg(asked=pl.col("asked_at").min())
    between = (
        actions.join(first, on="symbol")
        .join(before, on="symbol")
        .filter(
            pl.col("ex_date") > pl.col("first"),
            (pl.col("asked").dt.date() <= pl.col("ex_date") + _SPARE)
            | (pl.col("asked") < pl.col("known_at")),
        )
    )
    return not between.is_empty()


def without_restated(
    raw: pl.DataFrame,
    known: pl.DataFrame,
    actions: pl.DataFrame,
    *,
    calendar: str,
    told: SplitsTold | None = None,
) -> pl.DataFrame:
    """The bars of an answer without those that only stand on another basis than before.

    A bar is left out when, both turned back into prices as traded, its open, high, low, close,
    vwap, volume and trades are those of the newest revision known, within rounding: half a step of
    the decimals that the vendor gives, as often as the splits multiply it. The adjusted
    close is not compared: it follows from actions, which are kept for themselves. A bar that was
    still running when it was last fetched stays, and so does one that a fetch tells twice, and one
    that is disputed in either form (market_data/corporate_actions/worked_in.py).

    Args:
        raw: rows of RAW_BARS of one fetch.
        known: every revision kept of those symbols and sessions.
        actions: rows of CORPORATE_ACTIONS, those that came with the answer among them.
        calendar: of the symbols.
        told: what the vendors said themselves; None where `actions` hold for all of them.

    Returns:
        Rows of `raw`, in their order.
    """
    before = _before(raw, known)
    if before.is_empty():
        return raw
    splits = Splits(actions, None, raw.item(0, "fetched_at"), calendar, told)
    given, last = (
        _as_traded(frame.filter(~frame.select(KEY).is_duplicated()), splits)
        for frame in (
            raw.filter(pl.col("basis").is_in(list(bases_of(raw, Adjustment.SPLITS)))),
            before,
        )
    )
    pairs = given.join(last, on=[*KEY, "meaning"], suffix="_known")
    same = pl.all_horizontal(
        *(_near(c, _rounding("step")) for c in PRICES),
        _near("vwap", _rounding("vwap_step")),
        _near("volume", pl.max_horizontal("share", "share_known")),
        pl.col("trades").eq_missing(pl.col("trades_known")),
    )
    completed = (pl.col("fetched_at_known") < pl.col("known_at")) & (
        pl.col("known_at") < pl.col("fetched_at")
    )
    disputed = pl.col(DISPUTED) | pl.col(f"{DISPUTED}_known")
    restated = pairs.filter(same & ~completed & ~disputed).select(KEY)
    return raw.join(restated, on=KEY, how="anti", maintain_order="left")


def settled(
    raw: pl.DataFrame,
    known: pl.DataFrame,
    actions: pl.DataFrame,
    *,
    calendar: str,
    told: SplitsTold,
) -> pl.DataFrame:
    """Bars of an answer that are divided by other splits than what is known of them.

    Or that are no longer disputed, while what is known of them is. It is news that the vendor
    gives them now, be the values the same: now it is known which splits they are divided by.

    Args:
        raw: rows of RAW_BARS of one fetch.
        known: every revision kept of those symbols and sessions.
        actions: rows of CORPORATE_ACTIONS, those that came with the answer among them.
        calendar: of the symbols.
        told: what the vendors said themselves.

    Returns:
        Columns symbol, ts.
    """
    splits = Splits(actions, None, raw.item(0, "fetched_at"), calendar, told)
    given, before = (_as_traded(frame, splits) for frame in (raw, _before(raw, known)))
    pairs = given.filter(~pl.col(DISPUTED)).join(before, on=KEY, suffix="_known")
    return pairs.filter(pl.col(f"{DISPUTED}_known") | ~_SAME_PRODUCT).select(KEY).unique()


def _before(raw: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The newest revisions before an answer."""
    return newest(known.filter(pl.col("fetched_at") < raw.get_column("fetched_at").max()))


def _as_traded(frame: pl.DataFrame, splits: Splits) -> pl.DataFrame:
    """The rows with what their prices are meant to be, and what a unit of the numbers comes to.

    `share`: how many shares as traded stand for one as the vendor counted them. `product`: of the
    splits that prices were divided by. `step` and `vwap_step`: of the prices as they came.
    """
    steps = {"step": price_step(PRICES), "vwap_step": price_step(["vwap"])}
    meanings = {text: str(basis.as_asked) for text, basis in bases_of(frame).items()}
    stated = frame.with_columns(
        stated=pl.col("volume"),
        stated_close=pl.col("close"),
        meaning=pl.col("basis").replace(meanings),
    ).join(frame.group_by("symbol").agg(**steps), on="symbol", how="left", maintain_order="left")
    return splits.multiplied(stated, splits.actions).with_columns(
        share=_ratio("volume", "stated").clip(lower_bound=_WHOLE),
        product=_ratio("close", "stated_close"),
    )


def _ratio(column: str, stated: str) -> pl.Expr:
    return (pl.col(column) / pl.col(stated)).fill_nan(1.0).fill_null(1.0)


def _rounding(step: str) -> pl.Expr:
    """How far two roundings of one price may lie apart; none where both divide by the same."""
    product, known = pl.col("product"), pl.col("product_known")
    apart = (pl.col(step) * product + pl.col(f"{step}_known") * known) / 2
    return pl.when(_SAME_PRODUCT).then(0.0).otherwise(apart)


def _near(column: str, absolute: pl.Expr) -> pl.Expr:
    """Whether a value and the one known agree, absent values with absent ones."""
    value, known = pl.col(column), pl.col(f"{column}_known")
    allowed = pl.max_horizontal(known.abs() * _PRICE_ROUNDING, absolute)
    close = (value - known).abs() <= allowed
    return close.fill_null(value=False) | (value.is_null() & known.is_null())
