"""Statements that are kept for ever: which one holds, and whether a fetch says anything new.

What belongs here: the rules of logs whose rows are statements about a subject, of which the newest
holds. A dataset's key without `fetched_at` and `fetch_id` names the subject; what is neither key
nor `known_at` is what is said about it.
What does not: revisions of bars (market_data/revisions.py), where statements are kept
(adapters/stores).
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.datasets import Dataset

FETCH = ("fetched_at", "fetch_id")


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
    subject = subject_of(dataset)
    seen = rows if known_at is None else rows.filter(pl.col("known_at") <= known_at)
    return (
        seen.sort(*subject, *FETCH)
        .unique(subject, keep="last", maintain_order=True)
        .select(dataset.schema.names)
    )


def new_statements(incoming: pl.DataFrame, kept: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """The statements of one fetch that say anything that is not said already.

    A statement is compared with the one that held when it was fetched; where only later fetches
    spoke of its subject, with the first of those. The same fetch again adds nothing.

    Fetches that are kept in another order than they were made may leave one in between as the
    holding one, where the later one had repeated what came before it; the next fetch settles that.

    Args:
        incoming: rows of the dataset, of one fetch; `known_at` being that of a first sight.
        kept: every row that is kept of these subjects.
        dataset: which.

    Returns:
        The rows to keep; of a subject that was spoken of before, `known_at` is `fetched_at`.
    """
    if incoming.is_empty():
        return incoming
    subject, said = subject_of(dataset), said_of(dataset)
    once = incoming.unique(subject, keep="last", maintain_order=True)
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
    same = pl.all_horizontal(pl.col(c).eq_missing(pl.col(f"{c}_kept")) for c in said)
    spoken = pl.col("_before").is_not_null()
    return (
        joined.filter(~(spoken & same))
        .with_columns(
            known_at=pl.when(pl.col("_before").fill_null(value=False))
            .then("fetched_at")
            .otherwise("known_at")
        )
        .select(dataset.schema.names)
    )
