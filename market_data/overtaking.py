"""Overtaking: answers that came after those of a clock that was ahead, or was set back since.

What belongs here: finding the bars that such an answer speaks of, and reading its rows again.
What does not: what counts as a revision (market_data/revisions.py), telling people of a clock
(market_data/quality/staleness.py).

The revisions of a bar stand in the order of `fetched_at`. An answer whose time lies before that of
a row which is in the log already, while that row's time is still to come, would be buried by it.
Its rows are kept one microsecond after the newest of their bar instead; their `known_at` says when
they came, and reads give it as their `fetched_at` too. All frames are rows of RAW_BARS, but for
those of `overtaking`, by which other statements are read as well (market_data/statements.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from market_data.ordering import KEY, repeats_key, sort_if_needed

FETCH = ("fetched_at", "fetch_id")
STEP = timedelta(microseconds=1)
"""So far behind the newest row of its subject, which is of a time to come, a row is kept."""
CLOCKS_APART = timedelta(minutes=5)
"""Clocks of several machines may differ by that much."""


def overtaking(
    rows: pl.DataFrame, same: pl.Series | None, subject: Sequence[str] = KEY
) -> pl.Series | None:
    """Which rows are kept behind one whose time was still to come; None where none is.

    Args:
        rows: `known_at` and the columns that they are sorted by: the subject, then FETCH.
        same: which rows have the subject of the row before them, None where no row has.
        subject: what names that of which a row speaks.
    """
    if same is None:
        return None
    early = same & (rows.get_column("known_at") < rows.get_column("fetched_at"))
    if not early.any():
        return None
    before = rows.select(*subject, pl.col("fetched_at") + STEP).unique()
    numbered = rows.select(*subject, "fetched_at").with_row_index("_place").filter(early)
    on = [*subject, "fetched_at"]
    places = numbered.join(before, on=on, how="semi", nulls_equal=True).get_column("_place")
    if places.is_empty():
        return None
    return pl.repeat(value=False, n=rows.height, eager=True).scatter(places, True)


def came(after: str | pl.Series) -> pl.Expr:
    """The time at which rows came, given which of them `overtaking` found."""
    return pl.when(after).then("known_at").otherwise("fetched_at").alias("fetched_at")


def overtaken(incoming: pl.DataFrame, known: pl.DataFrame, now: datetime | None) -> pl.DataFrame:
    """The bars of which an answer that came now is newer than what a log holds of a time to come.

    Args:
        incoming: rows of one fetch, not empty.
        known: every revision kept of its symbols and sessions.
        now: when the answer is appended; None where it came at another time.

    Returns:
        Columns symbol, ts, _last (the `fetched_at` of the newest row) and _behind (whether that
        row itself is kept behind another).
    """
    if now is None or known.filter(pl.col("fetched_at") > now).is_empty():
        return known.clear().select(*KEY, _last="fetched_at", _behind=pl.lit(value=False))
    at, fetch_id = incoming.select(FETCH).row(0)
    rows = sort_if_needed(known, (*KEY, *FETCH))
    after = overtaking(rows, repeats_key(rows))
    behind = pl.lit(value=False) if after is None else after
    return (
        rows.with_columns(_behind=behind)
        .with_columns(_came=pl.when("_behind").then("known_at").otherwise("fetched_at"))
        .unique(KEY, keep="last", maintain_order=True)
        .filter(
            pl.col("fetched_at") > now,
            pl.col("fetched_at") >= at,
            ~pl.col("_behind") | (pl.col("_came") <= at),
            pl.col("fetch_id") != fetch_id,
        )
        .join(incoming.select(KEY).unique(), on=KEY, how="semi", maintain_order="left")
        .select(*KEY, "_behind", _last="fetched_at")
    )


def behind(rows: pl.DataFrame, last: pl.DataFrame) -> pl.DataFrame:
    """Rows of one answer as they are kept behind the newest of their bars.

    Args:
        rows: of bars that `overtaken` found.
        last: what it found.
    """
    return (
        rows.join(last.select(*KEY, "_last"), on=KEY, how="left", maintain_order="left")
        .with_columns(known_at="fetched_at", fetched_at=pl.col("_last") + STEP)
        .select(rows.columns)
    )


def without_overtaken(revisions: pl.DataFrame) -> pl.DataFrame:
    """The revisions less those that were overtaken, each with the time at which it came."""
    rows = sort_if_needed(revisions, (*KEY, *FETCH))
    after = overtaking(rows, repeats_key(rows))
    if after is None:
        return revisions
    marked = rows.with_columns(_after=after)
    since = marked.filter("_after").group_by(KEY).agg(_since=pl.col("known_at").min())
    return (
        marked.join(since, on=KEY, how="left", maintain_order="left")
        .filter(pl.col("_after") | (pl.col("fetched_at") <= pl.col("_since")).fill_null(value=True))
        .with_columns(came("_after"))
        .select(revisions.columns)
    )
