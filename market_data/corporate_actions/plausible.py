"""Splits and dividends that cannot be, whoever tells them.

What belongs here: the rule that every source of actions passes, and the reasons of refusal.
What does not: reading a source (the vendors, csv_text.py, lean_factors.py), sources that contradict
each other (conflicts.py), keeping actions (adapters/operations/actions.py).

A split that is wrong by its value rescales the whole history before it, so that what cannot be is
refused before it is believed. The bounds let through what has happened: reverse splits of 1:500,
special dividends of most of a share's price.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from market_data.schemas import CORPORATE_ACTIONS, REJECTED_ROWS, UTC

MOST_SPLIT = 1_000.0
"""Shares after a split per share before; its inverse is the least."""
MOST_DIVIDEND = 1_000_000.0
"""Cash per share; no share that pays one is dearer."""
_KINDS = ("split", "dividend")
_LONGEST_CLOSURE = timedelta(days=14)
"""A close this much older than an ex-date is not the close of the session before it."""


def implausible(kind: pl.Expr, value: pl.Expr) -> dict[str, pl.Expr]:
    """By reason, which values cannot be, whatever the price: null where kind or value is null.

    Args:
        kind: split or dividend.
        value: as in CORPORATE_ACTIONS.
    """
    return {
        "implausible_split": (kind == "split")
        & value.is_finite()
        & (value > 0)
        & ~value.is_between(1 / MOST_SPLIT, MOST_SPLIT),
        "implausible_dividend": (kind == "dividend") & value.is_finite() & (value > MOST_DIVIDEND),
    }


def plausible_actions(
    actions: pl.DataFrame, closes: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Tell actions that can be from those that cannot.

    Args:
        actions: the columns of CORPORATE_ACTIONS; ex_date, kind and value may be null. Equal rows
            are one.
        closes: unadjusted daily closes in the unit of the dividends, columns symbol, session,
            close, where they are known: a dividend is below the close of the session before.

    Returns:
        Rows of CORPORATE_ACTIONS in the order given, and rows of REJECTED_ROWS whose `ts` is the
        ex-date at 00:00 UTC. Reasons: bad_date, bad_kind, bad_value (no positive number, or a
        split of 1), implausible_split (beyond 1,000 for 1 or 1 for 1,000), implausible_dividend
        (a million and more, or not below the close before), contradiction (the source says two
        values of one action at one time).
    """
    told = actions.unique(maintain_order=True)
    kind, value = pl.col("kind"), pl.col("value")
    usable = value.is_finite() & (value > 0) & ~((kind == "split") & (value == 1.0))
    values = value.n_unique().over("symbol", "ex_date", "kind", "source", "known_at")
    above = (kind == "dividend") & value.is_finite() & (value >= pl.col("before"))
    bounds = implausible(kind, value)
    bounds["implausible_dividend"] = bounds["implausible_dividend"] | above.fill_null(value=False)
    reasons = {
        "bad_date": pl.col("ex_date").is_null(),
        "bad_kind": ~kind.is_in(_KINDS).fill_null(value=False),
        "bad_value": ~usable.fill_null(value=False),
        **bounds,
        "contradiction": values > 1,
    }
    found = [
        pl.when(broken.fill_null(value=False)).then(pl.lit(name))
        for name, broken in reasons.items()
    ]
    judged = _with_close_before(told, closes).with_columns(
        reasons=pl.concat_str(found, separator=",", ignore_nulls=True)
    )
    good, bad = judged.filter(pl.col("reasons") == ""), judged.filter(pl.col("reasons") != "")
    row = pl.struct(pl.col(CORPORATE_ACTIONS.names).cast(pl.String)).struct.json_encode()
    return CORPORATE_ACTIONS.conform(good), REJECTED_ROWS.conform(
        bad.with_columns(ts=pl.col("ex_date").cast(UTC), row=row)
    )


def _with_close_before(actions: pl.DataFrame, closes: pl.DataFrame | None) -> pl.DataFrame:
    """Adds `before`: the close of the session before the ex-date, null where it is not known."""
    if closes is None or closes.is_empty():
        return actions.with_columns(before=pl.lit(None, dtype=pl.Float64))
    known = closes.select("symbol", "session", before="close").drop_nulls().sort("session")
    numbered = actions.with_row_index("number")
    return (
        numbered.sort("ex_date", nulls_last=True)
        .join_asof(
            known,
            left_on="ex_date",
            right_on="session",
            by="symbol",
            allow_exact_matches=False,
            tolerance=_LONGEST_CLOSURE,
            check_sortedness=False,
        )
        .sort("number")
        .drop("number", "session", strict=False)
    )
