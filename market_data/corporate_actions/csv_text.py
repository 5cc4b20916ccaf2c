"""Corporate actions out of a CSV file: columns symbol, ex_date, kind, value, and known_at or not.

What belongs here: reading the text, and every reason to refuse a row.
What does not: opening files, keeping actions, factor files (lean_factors.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from market_data.calendars import trading_sessions
from market_data.corporate_actions.plausible import implausible
from market_data.errors import SchemaError
from market_data.schemas import CORPORATE_ACTIONS, REJECTED_ROWS, UTC
from market_data.universe import Instrument

REQUIRED = ("symbol", "ex_date", "kind", "value")
OPTIONAL = ("known_at",)


def parse_actions_csv(
    text: str, instruments: Sequence[Instrument], *, source: str, now: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read splits and dividends.

    `ex_date` and `known_at` are days (2020-08-31), `kind` is split or dividend, `value` of a split
    the shares after per share before (2:1 is 2, 3-for-2 is 1.5), of a dividend the cash per share
    in the instrument's currency. A row without `known_at` counts as known at the start of its
    ex-date, UTC. Other columns are passed over.

    Args:
        text: the file, with a header.
        instruments: those of the universe.
        source: what `source` says.
        now: nothing can be known later.

    Returns:
        Rows of CORPORATE_ACTIONS sorted by (symbol, ex_date, kind), and of REJECTED_ROWS (`ts` is
        the ex-date) in the order of the file. Reasons: unknown_symbol, not_adjustable, bad_date,
        not_a_session, bad_kind, bad_value (no positive number, or a split of 1), implausible_split,
        implausible_dividend (see plausible.py), bad_known_at, contradiction (the file says two
        values of one action), repeated (it says one action again: the first row counts).

    Raises:
        SchemaError: the text is no CSV, or a column is missing.
    """
    try:
        rows = pl.read_csv(text.encode(), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise SchemaError(f"not a CSV file of corporate actions: {error}") from error
    rows = rows.rename({name: name.strip().lower() for name in rows.columns})
    if absent := [name for name in REQUIRED if name not in rows.columns]:
        raise SchemaError(
            f"a file of corporate actions has the columns {', '.join(REQUIRED)}; this one lacks "
            f"{', '.join(absent)}"
        )
    judged = _judged(_parsed(rows), {i.symbol: i for i in instruments}, now)
    good = judged.filter(pl.col("reasons") == "").with_columns(source=pl.lit(source))
    bad = judged.filter(pl.col("reasons") != "")
    return (
        CORPORATE_ACTIONS.conform(good).sort("symbol", "ex_date", "kind"),
        REJECTED_ROWS.conform(
            bad.with_columns(
                pl.col("symbol").fill_null(""),
                ts=pl.col("ex_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            )
        ),
    )


def _parsed(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns of CORPORATE_ACTIONS, null where a cell cannot be read, and the row as JSON."""
    given = [name for name in (*REQUIRED, *OPTIONAL) if name in rows.columns]
    known = (
        pl.col("known_at").str.strip_chars().replace("", None)
        if "known_at" in given
        else pl.lit(None, dtype=pl.String)
    )
    ex_date = pl.col("ex_date").str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
    return rows.select(
        pl.col("symbol").str.strip_chars(),
        ex_date=ex_date,
        kind=pl.col("kind").str.strip_chars().str.to_lowercase(),
        value=pl.col("value").str.strip_chars().cast(pl.Float64, strict=False),
        known_at=pl.coalesce(known.str.to_date("%Y-%m-%d", strict=False), ex_date)
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC"),
        unread_known_at=known.is_not_null() & known.str.to_date("%Y-%m-%d", strict=False).is_null(),
        row=pl.struct(given).struct.json_encode(),
    )


def _judged(
    rows: pl.DataFrame, instruments: Mapping[str, Instrument], now: datetime
) -> pl.DataFrame:
    """The rows with `reasons`, comma-separated, empty where all is well."""
    adjustable = [s for s, i in instruments.items() if i.asset_class.is_adjustable]
    known = pl.col("symbol").is_in(list(instruments)).fill_null(value=False)
    good_value = pl.col("value").is_finite() & (pl.col("value") > 0)
    no_split = (pl.col("kind") == "split") & (pl.col("value") == 1.0)
    # A cell that cannot be read is bad for that alone.
    bounds = implausible(pl.col("kind"), pl.col("value")).items()
    cannot_be = {name: broken.fill_null(value=False) for name, broken in bounds}
    values = pl.col("value").n_unique().over("symbol", "ex_date", "kind")
    reasons = {
        "unknown_symbol": ~known,
        "not_adjustable": known & ~pl.col("symbol").is_in(adjustable),
        "bad_date": pl.col("ex_date").is_null(),
        "not_a_session": known & ~pl.col("is_session") & pl.col("ex_date").is_not_null(),
        "bad_kind": ~pl.col("kind").is_in(["split", "dividend"]),
        "bad_value": ~good_value | no_split,
        **cannot_be,
        "bad_known_at": pl.col("unread_known_at")
        | (pl.col("known_at") > pl.lit(now, dtype=UTC)).fill_null(value=False),
        "contradiction": known & (values > 1),
    }
    found = [
        pl.when(broken.fill_null(value=True)).then(pl.lit(name)) for name, broken in reasons.items()
    ]
    statement = pl.struct("symbol", "ex_date", "kind", "reasons")
    again = (pl.col("reasons") == "") & ~statement.is_first_distinct()
    return (
        rows.with_row_index("line")
        .join(_sessions(rows, instruments), on=["symbol", "ex_date"], how="left", nulls_equal=True)
        .with_columns(pl.col("is_session").fill_null(value=False))
        .with_columns(
            unread_known_at=pl.col("unread_known_at").fill_null(value=False),
        )
        .with_columns(reasons=pl.concat_str(found, separator=",", ignore_nulls=True))
        .sort("line")
        .with_columns(reasons=pl.when(again).then(pl.lit("repeated")).otherwise("reasons"))
    )


def _sessions(rows: pl.DataFrame, instruments: Mapping[str, Instrument]) -> pl.DataFrame:
    """Columns symbol, ex_date, is_session: the ex-dates that are sessions of their exchange."""
    parts = [
        pl.DataFrame(schema={"symbol": pl.String, "ex_date": pl.Date, "is_session": pl.Boolean})
    ]
    for (symbol,), group in rows.drop_nulls(["symbol", "ex_date"]).group_by("symbol"):
        instrument = instruments.get(str(symbol))
        if instrument is None:
            continue
        days = group.select("symbol", "ex_date").unique()
        first, last = days["ex_date"].min(), days["ex_date"].max()
        sessions = trading_sessions(instrument.calendar, first, last)  # type: ignore[arg-type]
        opened = sessions.select(ex_date="session", is_session=pl.lit(value=True)).unique()
        parts.append(days.join(opened, on="ex_date", how="inner"))
    return pl.concat(parts)
