"""Whether anybody could have told the splits that a vendor's prices are divided by.

What belongs here: bars of which nobody has said whether their symbol split. What does not: undoing
splits that are known (undone_splits.py), what follows from not knowing (candidates.py).

Without a split on record, prices that are adjusted for splits look like prices as traded. They are
that only where somebody who would have told a split has been asked.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from market_data.basis import Adjustment, Basis


@dataclass(frozen=True)
class SplitsTold:
    """Who tells splits, and of what they were asked.

    Attributes:
        tellers: vendors whose answers tell every split since the first bar that they hold: their
            own bars need no other evidence.
        answers: columns symbol, session and asked_at (UTC): what those vendors have answered.
    """

    tellers: Collection[str]
    answers: pl.DataFrame


def untold(
    rows: pl.DataFrame,
    actions: pl.DataFrame,
    told: SplitsTold,
    *,
    since: pl.DataFrame | None = None,
    now: datetime,
) -> pl.Series | None:
    """Split-adjusted bars of symbols of whose splits nobody has told.

    Somebody has where any action of the symbol is on record, or where the bar's vendor tells
    splits itself, or where one that does was asked about the bar's session or an earlier one, on
    the day up to which the bar's prices are adjusted or later. Minutes of a session share a fate:
    a bar made of them is one or the other.

    Args:
        rows: bars of one vendor: vendor, symbol, session, fetched_at (UTC), basis.
        actions: rows of CORPORATE_ACTIONS that were known.
        told: the evidence.
        since: rows of CORPORATE_ACTIONS known later; a split among them that had come by `now`
            was not known, whoever was asked since.
        now: the time that `actions` were known at.

    Returns:
        True at such rows; None where there is none.
    """
    if rows.is_empty() or rows.get_column("vendor").first() in told.tellers:
        return None
    bases = {text: Basis.parse(text) for text in rows.get_column("basis").unique()}
    days = {t: b.adjusted_on for t, b in bases.items() if b.adjustment is Adjustment.SPLITS}
    doubtful = pl.col("basis").is_in(list(days)) & ~pl.col("symbol").is_in(
        actions.get_column("symbol").unique().to_list()
    )
    numbered = rows.select("symbol", "session", "fetched_at", "basis").with_row_index("_place")
    few = numbered.filter(doubtful)
    if few.is_empty():
        return None
    stated = pl.col("basis").replace_strict(days, return_dtype=pl.Date)
    needed = few.group_by("symbol", "session").agg(
        _needed=pl.coalesce(stated, pl.col("fetched_at").dt.date()).max()
    )
    unknown = _asked(needed, told.answers).filter(
        (pl.col("_asked") < pl.col("_needed")).fill_null(value=True)
        | pl.col("symbol").is_in(_came_to_light(since, now))
    )
    places = few.join(unknown, on=["symbol", "session"], how="semi").get_column("_place")
    if places.is_empty():
        return None
    return pl.repeat(value=False, n=rows.height, eager=True).scatter(places, True)


def _asked(needed: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """Adds `_asked`, the last day on which somebody was asked about a session or an earlier one."""
    asked = (
        answers.sort("symbol", "session")
        .select("symbol", "session", _asked=pl.col("asked_at").cum_max().over("symbol").dt.date())
        .sort("session")
    )
    return needed.sort("session").join_asof(
        asked, on="session", by="symbol", check_sortedness=False
    )


def _came_to_light(since: pl.DataFrame | None, now: datetime) -> list[str]:
    if since is None:
        return []
    splits = since.filter(pl.col("kind") == "split", pl.col("ex_date") <= now.date())
    return splits.get_column("symbol").unique().to_list()
