"""Statements that are kept for ever: which one holds, and whether a fetch says anything new.

What belongs here: the rules of logs whose rows are statements about a subject, of which the newest
holds. A dataset's key without `fetched_at` and `fetch_id` names the subject; what is neither key
nor `known_at` is what is said about it.
What does not: revisions of bars (market_data/revisions.py), where statements are kept
(adapters/stores).

Statements stand in the order of `fetched_at`. One that comes now is later than all that a log holds
of a time to come, which a clock wrote that was ahead or was set back since: it is kept one
microsecond behind the newest of its subject, its `known_at` says when it came, and reads give that
as its `fetched_at` (as for bars, market_data/overtaking.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from market_data.datasets import Dataset
from market_data.overtaking import FETCH, STEP, overtaking


def subject_of(dataset: Dataset) -> list[str]:
    """The columns that name what a row speaks of."""
    return [name for name in dataset.key if name not in FETCH]


def said_of(dataset: Dataset) -> list[str]:
    """The columns of what a row says."""
    return [n for n in dataset.schema.names if n not in (*dataset.key, "known_at")]


def holding(rows: pl.DataFrame, dataset: Dataset, known_at: datetime | None = None) -> pl.DataFrame:
    """The newest statement about each subject.

    Args:
        rows: of the dataset.
        dataset: which.
        known_at: only what was known by then; None for everything.
    """
    ordered = _in_order(rows, dataset)
    seen = ordered if known_at is None else ordered.filter(pl.col("known_at") <= known_at)
    return (
        seen.unique(subject_of(dataset), keep="last", maintain_order=True)
        .with_columns(fetched_at=pl.when("_behind").then("known_at").otherwise("fetched_at"))
        .select(dataset.schema.names)
    )


def new_statements(
    incoming: pl.DataFrame, kept: pl.DataFrame, dataset: Dataset, now: datetime | None = None
) -> pl.DataFrame:
    """The statements of one fetch that say anything that is not said already.

    A statement is compared with the one that held when it was fetched; where only later fetches
    spoke of its subject, with the first of those. The same fetch again adds nothing.

    Fetches that are kept in another order than they were made may leave one in between as the
    holding one, where the later one had repeated what came before it; the next fetch settles that.

    Args:
        incoming: rows of the dataset, of one fetch; `known_at` being that of a first sight.
        kept: every row that is kept of these subjects.
        dataset: which.
        now: when the fetch is kept, where it came just now. It is later than every statement of a
            time still to come; the first one after such a statement is kept whatever it says. None
            for a fetch of another time.

    Returns:
        The rows to keep; of a subject that was spoken of before, `known_at` is when it was fetched.
    """
    if incoming.is_empty():
        return incoming
    subject = subject_of(dataset)
    once = incoming.unique(subject, keep="last", maintain_order=True)
    at, fetch_id = once.select(FETCH).row(0)
    own = kept.filter(pl.col("fetch_id") == fetch_id, pl.col("fetched_at") > at)
    once = once.join(own, on=subject, how="anti", maintain_order="left")
    ahead = None if now is None else _ahead(kept, dataset, at, now)
    if ahead is None or ahead.is_empty():
        return _in_turn(once, kept, dataset)
    rest = once.join(ahead, on=subject, how="anti", maintain_order="left")
    return pl.concat([_behind(once, ahead, dataset), _in_turn(rest, kept, dataset)])


def _in_order(rows: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """The rows sorted by subject and fetch, with `_behind`: kept behind one of a time to come."""
    subject = subject_of(dataset)
    ordered = rows.sort(*subject, *FETCH)
    same = ordered.select(
        pl.all_horizontal(pl.col(c).eq_missing(pl.col(c).shift()) for c in subject)
    ).to_series()
    behind = overtaking(ordered, same if same.any() else None, subject)
    return ordered.with_columns(_behind=pl.lit(value=False) if behind is None else behind)


def _ahead(kept: pl.DataFrame, dataset: Dataset, at: datetime, now: datetime) -> pl.DataFrame:
    """The newest statements of subjects where those are of a time to come, or kept behind such.

    Not those that a fetch after `at` has left behind meanwhile: they are later indeed.
    """
    later = pl.col("_behind") & pl.col("known_at").is_between(at, now, closed="right")
    return (
        _in_order(kept, dataset)
        .unique(subject_of(dataset), keep="last", maintain_order=True)
        .filter(pl.col("fetched_at") > now, ~later)
    )


def _behind(once: pl.DataFrame, ahead: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """What a fetch says anew of subjects whose newest statement is of a time to come."""
    subject, said = subject_of(dataset), said_of(dataset)
    last = ahead.select(
        *subject, "_behind", *(pl.col(c).alias(f"{c}_kept") for c in said), _last="fetched_at"
    )
    return (
        once.join(last, on=subject, maintain_order="left")
        .filter(~(pl.col("_behind") & _same(said)))
        .with_columns(known_at="fetched_at", fetched_at=pl.col("_last") + STEP)
        .select(dataset.schema.names)
    )


def _in_turn(once: pl.DataFrame, kept: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """What a fetch says anew, by the order of `fetched_at`."""
    if once.is_empty():
        return once
    subject, said = subject_of(dataset), said_of(dataset)
    at, fetch_id = once.select(FETCH).row(0)
    earlier = (pl.col("fetched_at") < at) | (
        (pl.col("fetched_at") == at) & (pl.col("fetch_id") <= fetch_id)
    )
    marked = kept.sort(*subject, *FETCH).with_columns(_before=earlier)
    before = marked.filter("_before").unique(subject, keep="last", maintain_order=True)
    after = marked.filter(~pl.col("_before")).unique(subject, keep="first", maintain_order=True)
    known = pl.concat([before, after.join(before, on=subject, how="anti")])
    joined = once.join(
        known.select(*subject, "_before", *(pl.col(c).alias(f"{c}_kept") for c in said)),
        on=subject,
        how="left",
        maintain_order="left",
    )
    spoken = pl.col("_before").is_not_null()
    return (
        joined.filter(~(spoken & _same(said)))
        .with_columns(
            known_at=pl.when(pl.col("_before").fill_null(value=False))
            .then("fetched_at")
            .otherwise("known_at")
        )
        .select(dataset.schema.names)
    )


def _same(said: Sequence[str]) -> pl.Expr:
    """Whether a statement says what the one that it is compared with says."""
    return pl.all_horizontal(pl.col(c).eq_missing(pl.col(f"{c}_kept")) for c in said)
