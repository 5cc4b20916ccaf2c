"""What follows from people's decisions about sessions.

What belongs here: which decisions stood at a moment, and what they say of findings, bars and
vendors, as frames. What does not: keeping decisions (market_data/ports/annotations.py), making up
missing bars (market_data/curation/imputation.py).

Raw data never changes: a decision is looked up whenever something is judged, curated or read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime

import polars as pl

from market_data.ports.annotations import Annotation, Decision
from market_data.quality.findings import KEY
from market_data.schemas import FINDINGS

UNUSABLE = "unusable"
"""Flag of bars of a session that somebody marked unusable."""
DRIFT_CODES = ("drift", "drift_outlier")
"""Codes that are settled by saying which vendor is right."""

ACCEPTING = (Decision.ACCEPT, Decision.PREFER_VENDOR)
"""Decisions by which findings are accepted."""

ACCEPTED = pl.Schema(
    {**FINDINGS.dtypes, "annotation": pl.Int64(), "author": pl.String(), "reason": pl.String()}
)
"""Columns of accepted findings: the finding, and the decision that accepts it."""

HEARD = pl.Schema({"vendor": pl.String(), "symbol": pl.String(), "session": pl.Date()})
"""Columns of `heard_in`."""

_DAYS = pl.Schema({"annotation": pl.Int64(), "symbol": pl.String(), "session": pl.Date()})


def standing(
    annotations: Iterable[Annotation], known_at: datetime | None = None
) -> list[Annotation]:
    """The decisions that stood at a moment, in their order; those that stand now where None.

    A take-back is no decision of its own, and was not known before it was made.
    """
    known = [a for a in annotations if known_at is None or a.created_at <= known_at]
    gone = {a.takes_back for a in known if a.decision is Decision.TAKE_BACK}
    return [a for a in known if a.decision is not Decision.TAKE_BACK and a.id not in gone]


def heard_in(peers: pl.DataFrame | None, annotations: Iterable[Annotation]) -> pl.DataFrame:
    """In which sessions the vendors that somebody preferred say anything.

    Args:
        peers: vendor, symbol, session: the bars of every vendor; None where there are none.
        annotations: decisions that stand.

    Returns:
        Rows of HEARD, each once.
    """
    preferring = [a for a in annotations if a.decision is Decision.PREFER_VENDOR]
    if peers is None or not preferring:
        return pl.DataFrame(schema=HEARD)
    wanted = pl.col("symbol").is_in([a.symbol for a in preferring]) & pl.col("vendor").is_in(
        [a.vendor for a in preferring]
    )
    return peers.filter(wanted).select(list(HEARD)).unique()


def split_accepted(
    findings: pl.DataFrame,
    annotations: Collection[Annotation],
    *,
    heard: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Findings that are open, and those that somebody accepted.

    Whoever says which vendor is right in a drift of curated bars accepts that drift, in the
    vendors' own bars of the timeframe too: in sessions about which that vendor says anything. A
    drift of others stays open.

    Args:
        findings: rows of FINDINGS.
        annotations: decisions that stand.
        heard: rows of HEARD; None: nobody who is preferred was heard.

    Returns:
        Rows of FINDINGS and rows of ACCEPTED, both in the order given. Of several decisions about
        one finding the newest is named.
    """
    none = pl.DataFrame(schema=ACCEPTED)
    accepting = [a for a in annotations if a.decision in ACCEPTING]
    if not accepting or findings.is_empty():
        return findings, none
    numbered = findings.with_row_index("_row")
    given = _days(accepting, _span(findings)).join(_terms(accepting), on="annotation")
    said = pl.DataFrame(schema=HEARD) if heard is None else heard
    silent = given.filter("settles").join(said, on=list(HEARD), how="anti")
    given = given.join(silent, on=["annotation", *KEY], how="anti")
    matched = (
        numbered.join(given, on=KEY)
        .filter(
            pl.when(pl.col("settles"))
            .then(pl.col("dataset").str.ends_with(pl.col("of")))
            .otherwise(pl.col("dataset") == pl.col("of")),
            (pl.col("codes").list.len() == 0) | pl.col("codes").list.contains(pl.col("code")),
        )
        .sort("annotation")
        .unique("_row", keep="last")
        .sort("_row")
    )
    left = numbered.join(matched.select("_row"), on="_row", how="anti", maintain_order="left")
    accepted = matched.select(pl.col(name).cast(dtype) for name, dtype in ACCEPTED.items())
    return left.drop("_row"), accepted


def unusable(annotations: Iterable[Annotation], sessions: tuple[date, date]) -> pl.DataFrame:
    """The days of a range that are marked unusable: symbol, session, each once, sorted."""
    marked = [a for a in annotations if a.decision is Decision.UNUSABLE]
    return _days(marked, sessions).select(KEY).unique().sort(KEY)


def marked_by(annotations: Iterable[Annotation], sessions: tuple[date, date]) -> pl.DataFrame:
    """Who marked days unusable: symbol, session, by (authors, comma-separated), sorted."""
    marked = [a for a in annotations if a.decision is Decision.UNUSABLE]
    authors = pl.DataFrame(
        [(a.id, a.author) for a in marked],
        schema={"annotation": pl.Int64, "author": pl.String},
        orient="row",
    )
    who = pl.col("author").unique().sort().str.join(", ")
    days = _days(marked, sessions).join(authors, on="annotation")
    return days.group_by(KEY).agg(by=who).sort(KEY)


def preferences(annotations: Iterable[Annotation], sessions: tuple[date, date]) -> pl.DataFrame:
    """Whose bars go first: symbol, session, vendor; of several decisions the newest stands."""
    return _newest(annotations, sessions, Decision.PREFER_VENDOR, "vendor")


def imputations(annotations: Iterable[Annotation], sessions: tuple[date, date]) -> pl.DataFrame:
    """How missing bars are made up: symbol, session, imputation; the newest decision stands."""
    return _newest(annotations, sessions, Decision.IMPUTE, "imputation")


def _newest(
    annotations: Iterable[Annotation], sessions: tuple[date, date], decision: Decision, what: str
) -> pl.DataFrame:
    chosen = [a for a in annotations if a.decision is decision]
    said = pl.DataFrame(
        [(a.id, getattr(a, what)) for a in chosen],
        schema={"annotation": pl.Int64, what: pl.String},
        orient="row",
    )
    return (
        _days(chosen, sessions)
        .join(said, on="annotation")
        .sort(*KEY, "annotation")
        .unique(KEY, keep="last", maintain_order=True)
        .select(*KEY, what)
    )


def _days(annotations: Collection[Annotation], sessions: tuple[date, date]) -> pl.DataFrame:
    """One row per annotation and day of the range that it is about."""
    first, last = sessions
    spans = [
        (a.id, a.symbol, max(a.first_session, first), min(a.last_session, last))
        for a in annotations
        if a.first_session <= last and a.last_session >= first
    ]
    if not spans:
        return pl.DataFrame(schema=_DAYS)
    schema = {"annotation": pl.Int64, "symbol": pl.String, "_a": pl.Date, "_b": pl.Date}
    return (
        pl.DataFrame(spans, schema=schema, orient="row")
        .with_columns(session=pl.date_ranges("_a", "_b"))
        .explode("session")
        .select(list(_DAYS))
    )


def _terms(annotations: Iterable[Annotation]) -> pl.DataFrame:
    """What each annotation accepts: annotation, of, settles, vendor, codes, author, reason."""
    rows = [
        (
            a.id,
            f"bars_{a.dataset.rpartition('bars_')[2]}" if settles else a.dataset,
            settles,
            a.vendor,
            list(DRIFT_CODES if settles else a.codes),
            a.author,
            a.reason,
        )
        for a in annotations
        for settles in [a.decision is Decision.PREFER_VENDOR]
    ]
    return pl.DataFrame(
        rows,
        schema={
            "annotation": pl.Int64,
            "of": pl.String,
            "settles": pl.Boolean,
            "vendor": pl.String,
            "codes": pl.List(pl.String),
            "author": pl.String,
            "reason": pl.String,
        },
        orient="row",
    )


def _span(findings: pl.DataFrame) -> tuple[date, date]:
    first, last = findings.select(a=pl.col("session").min(), b=pl.col("session").max()).row(0)
    return first, last
