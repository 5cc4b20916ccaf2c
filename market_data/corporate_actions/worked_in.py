"""Which splits a vendor had worked into its prices when it gave them, and where nobody can say.

What belongs here: judging that, row by row of a vendor's answers. What does not: multiplying
prices back (undoing.py), what becomes of rows that stay open (market_data/curation).

That a split has traded says nothing about a vendor: some divide their history on the ex-date,
some days later. What a price was divided by is known in two ways only.

A vendor that tells splits with its bars has said so itself: an answer that reaches back to a bar
names every split after that bar that it was divided by. So a bar was divided by what its own
vendor had said by the time of the fetch, and by nothing else; less what it had told and not worked
in yet, as its prices showed when they landed (told_early.py): the bar's basis says so. Where
somebody, the vendor itself later on or another source, states a split that had traded by then, or
another value of it, or that there was none, one of the two is wrong or late, and the price does not
say which: the bar is disputed. So it is where the vendor told a split before it had traded, in the
two days before it, or after it, and its prices did not show whether it was worked in.

Of a vendor that tells none, it is taken that it works a split in within two days of the ex-date,
if the split was known by then. Whatever it gave within those two days, or before the split came to
light, is disputed. Where a person states the day up to which prices are adjusted, as of a file,
the statement holds for splits that came to light later too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import polars as pl

from market_data.basis import bases_of
from market_data.corporate_actions.conflicts import NEAR, ROUNDING
from market_data.corporate_actions.undoing import with_trading_start
from market_data.corporate_actions.withdrawals import NO_ACTION

WORKED_IN_WITHIN = timedelta(days=2)
"""After the opening of the ex-date, for vendors that tell nothing; no vendor is earlier by more."""

_FETCH = ["symbol", "fetched_at"]
_ASKED = [*_FETCH, "basis"]
_NOTES = ("lacks_from", "unclear_from")


def by_own_word(
    rows: pl.DataFrame, said: pl.DataFrame, known: pl.DataFrame, *, calendar: str
) -> pl.DataFrame:
    """What the bars of a vendor that tells splits were divided by.

    Args:
        rows: split-adjusted bars of one vendor: symbol, session, fetched_at (UTC), basis.
        said: rows of CORPORATE_ACTIONS, every statement of that vendor in the order in which they
            were recorded; `known_at` is when it was first asked and said it.
        known: rows of CORPORATE_ACTIONS that stand, whoever stated them.
        calendar: of the symbols.

    Returns:
        Columns symbol, session, fetched_at, basis, factor (what the price as traded was divided
        by) and disputed, one row for each that differs.
    """
    keys = rows.select(*_FETCH, "session", "basis").unique()
    asked = keys.select(_ASKED).unique()
    heard = heard_by(asked, said, calendar=calendar).join(notes_of(asked), on="basis")
    traded = pl.col("traded_from") <= pl.col("fetched_at")
    others = asked.join(_splits(known, calendar), on="symbol")
    same = _same_splits(heard, others)
    unsaid = others.filter(traded).join(same, on=[*_ASKED, "ex_date"], how="anti")
    unsaid_since = heard.join(
        same, left_on=[*_ASKED, "ex_date"], right_on=[*_ASKED, "ex_date_own"], how="anti"
    )
    lacking, unclear = ((pl.col("ex_date") >= pl.col(day)).fill_null(value=False) for day in _NOTES)
    open_questions = [heard.filter(~traded | unclear), unsaid_since.filter(~lacking), unsaid]
    divided = _with_factor(keys, heard.filter(traded, ~lacking))
    return _with_disputes(divided, pl.concat(open_questions, how="diagonal"))


def heard_by(asked: pl.DataFrame, said: pl.DataFrame, *, calendar: str) -> pl.DataFrame:
    """The splits that a vendor had told by the time of a fetch, those that are near or past.

    Args:
        asked: fetches: symbol, fetched_at (UTC), and what else names them.
        said: rows of CORPORATE_ACTIONS, every statement of that vendor in the order in which they
            were recorded.
        calendar: of the symbols.

    Returns:
        The columns of `asked`, and of each split ex_date, value, source, known_at, day_began and
        traded_from (UTC).
    """
    return (
        asked.join(_splits(said, calendar), on="symbol", maintain_order="left_right")
        .filter(pl.col("known_at") <= pl.col("fetched_at"))
        .sort("known_at", maintain_order=True)
        .unique([*asked.columns, "ex_date"], keep="last", maintain_order=True)
        .filter(pl.col("value") != NO_ACTION["split"])
        # Announced weeks ahead, it is in no price yet.
        .filter(pl.col("day_began") - WORKED_IN_WITHIN <= pl.col("fetched_at"))
    )


def notes_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns basis, lacks_from, unclear_from: what each basis of some rows says of its splits."""
    notes = [(text, b.lacks_from, b.unclear_from) for text, b in bases_of(rows).items()]
    columns = {"basis": pl.String(), **dict.fromkeys(_NOTES, pl.Date())}
    return pl.DataFrame(notes, schema=columns, orient="row")


def _same_splits(heard: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """What stands of a fetch's vendor's own word, with `ex_date_own`.

    Sources put one split on neighbouring days; of its own prices the vendor's day counts. Where it
    has moved its own, the day that it said first was wrong.
    """
    own_day = pl.col("ex_date_own")
    return known.join(heard, on=_ASKED, suffix="_own").filter(
        (pl.col("ex_date") - own_day).abs() <= NEAR,
        (pl.col("value") - pl.col("value_own")).abs() <= ROUNDING["split"] * pl.col("value"),
        (pl.col("ex_date") == own_day) | (pl.col("source") != pl.col("source_own")),
    )


def disputed_by_time(
    rows: pl.DataFrame, known: pl.DataFrame, days: Mapping[str, date | None], *, calendar: str
) -> pl.DataFrame:
    """Bars of a vendor that tells no splits, which it may have divided by one or not.

    Args:
        rows: split-adjusted bars of one vendor: symbol, session, fetched_at (UTC), basis.
        known: rows of CORPORATE_ACTIONS that stand.
        days: basis text to the day up to which prices are adjusted; None where the vendor adjusts
            as it answers.
        calendar: of the symbols.

    Returns:
        Columns symbol, session, fetched_at, basis and disputed, one row for each that differs.
    """
    keys = rows.select(*_FETCH, "session", "basis").unique()
    stated = pl.col("basis").replace_strict(days, return_dtype=pl.Date)
    # With the whole of the stated day.
    until = (stated + timedelta(days=1)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    asked = keys.select(_ASKED).unique()
    asked = asked.with_columns(at=pl.coalesce(until, "fetched_at"), stated=stated.is_not_null())
    late = (
        asked.join(_splits(known, calendar), on="symbol")
        .filter(pl.col("traded_from") <= pl.col("at"))
        .filter(
            ((pl.col("known_at") > pl.col("at")) & ~pl.col("stated"))
            | (pl.col("at") < pl.col("traded_from") + WORKED_IN_WITHIN)
        )
    )
    return _with_disputes(keys, late)


def _splits(actions: pl.DataFrame, calendar: str) -> pl.DataFrame:
    columns = ["symbol", "ex_date", "value", "source", "known_at"]
    return with_trading_start(actions.filter(pl.col("kind") == "split").select(columns), calendar)


def _with_factor(keys: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Adds `factor`: the product of the splits of a fetch whose ex_date is after the session."""
    later = (
        splits.sort("ex_date")
        .with_columns(factor=pl.col("value").cum_prod(reverse=True).over(_ASKED))
        .select(*_ASKED, "ex_date", "factor")
    )
    return (
        keys.sort("session")
        .join_asof(
            later,
            left_on="session",
            right_on="ex_date",
            by=_ASKED,
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .drop("ex_date", strict=False)
        .with_columns(pl.col("factor").fill_null(1.0))
    )


def _with_disputes(keys: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Adds `disputed`: whether an open question of its fetch concerns a bar.

    Bars of a session share a fate: a bar made of them is one or the other.
    """
    last = splits.group_by(_ASKED).agg(_before=pl.col("ex_date").max())
    concerned = (pl.col("session") < pl.col("_before")).fill_null(value=False)
    return (
        keys.join(last, on=_ASKED, how="left")
        .with_columns(disputed=concerned.any().over("symbol", "session"))
        .drop("_before")
    )
