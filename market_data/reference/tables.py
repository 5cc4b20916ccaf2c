"""Reference tables: instruments, trading sessions and closed days, as frames, and their checks.

What belongs here: the universe and its calendars as rows, what is odd about them, and how two
states of them differ. What does not: where the tables are kept, what a difference puts out of date
(market_data/pipeline/reference_impact.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from market_data.calendars import calendar_name, trading_sessions, versioned
from market_data.errors import ConfigurationError
from market_data.schemas import INSTRUMENTS, TRADING_SESSIONS
from market_data.universe import Instrument, Universe

HOURS = ("open", "close", "break_start", "break_end")
EXPECTATION = ("expected_from", "expected_until")


def instruments_table(universe: Universe) -> pl.DataFrame:
    """Rows of INSTRUMENTS, sorted by symbol."""
    return pl.DataFrame(
        [
            {
                "symbol": i.symbol,
                "name": i.name,
                "asset_class": str(i.asset_class),
                "calendar": calendar_name(i.calendar),
                "currency": i.currency,
                "listed": i.listed,
                "delisted": i.delisted,
                "vendors": ",".join(v.name for v in universe.vendors if universe.serves(v, i)),
                "aliases": ", ".join(f"{v}={s}" for v, s in sorted(i.vendor_symbols.items())),
                "tickers": ", ".join(
                    str(t) for t in sorted(i.tickers, key=lambda t: (t.vendor, t.since))
                ),
                "assumed": i.assumed,
            }
            for i in universe.instruments
        ],
        schema=INSTRUMENTS.dtypes,
    ).sort("symbol")


def calendars_of(universe: Universe) -> list[str]:
    """The calendars of the instruments, and those with hours of their own, in their version."""
    own = [versioned(code, universe.calendars) for code, r in universe.calendars.items() if r.hours]
    return sorted({*own, *(i.calendar for i in universe.instruments)})


def sessions_table(universe: Universe, first: date, last: date) -> pl.DataFrame:
    """Rows of TRADING_SESSIONS of every calendar in use, sorted by calendar and session.

    Raises:
        ConfigurationError: a calendar is unknown.
    """
    tables = [trading_sessions(c, first, last) for c in calendars_of(universe)]
    return pl.concat([TRADING_SESSIONS.empty(), *tables])


def closed_table(universe: Universe, first: date, last: date) -> pl.DataFrame:
    """The days that the configuration closes: calendar, session (Date) and note, sorted."""
    rows = [
        (calendar, day, rule.note)
        for calendar, rules in universe.calendars.items()
        for day, rule in rules.by_date(first, last).items()
        if rule.closed
    ]
    return pl.DataFrame(
        rows,
        schema={"calendar": pl.String, "session": pl.Date, "note": pl.String},
        orient="row",
    ).sort("calendar", "session")


def tickers_table(universe: Universe) -> pl.DataFrame:
    """Names by session: symbol, vendor, ticker, from, to (Date, null where open), sorted."""
    rows = [
        (i.symbol, t.vendor, t.symbol, t.first, t.last)
        for i in universe.instruments
        for t in i.tickers
    ]
    return pl.DataFrame(
        rows,
        schema={
            "symbol": pl.String,
            "vendor": pl.String,
            "ticker": pl.String,
            "from": pl.Date,
            "to": pl.Date,
        },
        orient="row",
    ).sort("symbol", "vendor", "from")


def duplicate_aliases(universe: Universe) -> pl.DataFrame:
    """Names by which one vendor calls two instruments on one day: vendor, name, symbols."""
    named: dict[tuple[str, str], list[tuple[date, date, str]]] = {}
    for i in universe.instruments:
        for vendor, name, since, until in _names(i):
            named.setdefault((vendor, name), []).append((since, until, i.symbol))
    clashes = {
        (*key, *sorted((symbol, other)))
        for key, spans in named.items()
        for number, (since, until, symbol) in enumerate(spans)
        for first, last, other in spans[:number]
        if other != symbol and since <= last and first <= until
    }
    return pl.DataFrame(
        [(vendor, name, f"{a}, {b}") for vendor, name, a, b in sorted(clashes)],
        schema={"vendor": pl.String, "name": pl.String, "symbols": pl.String},
        orient="row",
    )


def _names(instrument: Instrument) -> list[tuple[str, str, date, date]]:
    """Vendor, name, first and last day of every name of an instrument."""
    renamed = {t.vendor for t in instrument.tickers}
    since, until = instrument.listed or date.min, instrument.delisted or date.max
    steady = [
        (vendor, name, since, until)
        for vendor, name in instrument.vendor_symbols.items()
        if vendor not in renamed
    ]
    return steady + [(t.vendor, t.symbol, t.since, t.until) for t in instrument.tickers]


def unknown_calendars(universe: Universe) -> pl.DataFrame:
    """Calendars that cannot be built: calendar, symbols, problem."""
    rows = []
    for calendar in calendars_of(universe):
        try:
            trading_sessions(calendar, date(2020, 1, 1), date(2020, 1, 31))
        except ConfigurationError as error:
            users = [i.symbol for i in universe.instruments if i.calendar == calendar]
            rows.append((calendar_name(calendar), ", ".join(users), str(error)))
    schema = {"calendar": pl.String, "symbols": pl.String, "problem": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def unnamed_sessions(universe: Universe, first: date, last: date) -> pl.DataFrame:
    """Sessions between listing and delisting on which a vendor has no name of an instrument.

    Returns:
        symbol, vendor, first, last, sessions: one row per gap between or around names.
    """
    rows = []
    for i in universe.instruments:
        sessions = (
            trading_sessions(
                i.calendar, max(first, i.listed or first), min(last, i.delisted or last)
            )["session"]
            if i.tickers
            else pl.Series("session", [], dtype=pl.Date)
        )
        for vendor in sorted({t.vendor for t in i.tickers}):
            named = pl.Series([False] * sessions.len(), dtype=pl.Boolean)
            for ticker in i.tickers_at(vendor):
                named = named | sessions.is_between(ticker.since, ticker.until)
            rows += [
                (i.symbol, vendor, gap.min(), gap.max(), gap.len())
                for gap in _runs_of(sessions, ~named)
            ]
    return pl.DataFrame(
        rows,
        schema={
            "symbol": pl.String,
            "vendor": pl.String,
            "first": pl.Date,
            "last": pl.Date,
            "sessions": pl.Int64,
        },
        orient="row",
    )


def _runs_of(sessions: pl.Series, wanted: pl.Series) -> list[pl.Series]:
    """The unbroken runs of sessions that are wanted."""
    frame = pl.DataFrame({"session": sessions, "wanted": wanted})
    runs = frame.with_columns(run=pl.col("wanted").rle_id()).filter("wanted")
    return [part["session"] for part in runs.partition_by("run", maintain_order=True)]


def unexplained_sessions(universe: Universe, published: pl.DataFrame) -> pl.DataFrame:
    """Published sessions that differ from the calendar's own on a day that no rule names.

    Calendars with hours of their own have nothing to be compared with.

    Args:
        universe: what the configuration says.
        published: rows of TRADING_SESSIONS.

    Returns:
        Columns of `moved_sessions`.
    """
    parts = []
    for (name,), sessions in published.group_by("calendar"):
        calendar = str(name)
        rules = universe.calendars.get(calendar)
        if sessions.is_empty() or (rules is not None and rules.hours is not None):
            continue
        first, last = sessions.select(
            pl.col("session").min().alias("first"), pl.col("session").max().alias("last")
        ).row(0)
        usual = trading_sessions(calendar, first, last)
        named = list(rules.by_date(first, last)) if rules is not None else []
        parts.append(moved_sessions(usual, sessions).filter(~pl.col("session").is_in(named)))
    return pl.concat([moved_sessions(published.clear(), published.clear()), *parts])


def moved_sessions(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Where two states of TRADING_SESSIONS differ.

    Args:
        before: rows of TRADING_SESSIONS.
        after: the same of the same calendars and span.

    Returns:
        calendar, session, change ("no longer a session", "new session", "other hours", "other bars
        expected"), sorted by calendar and session.
    """
    key = ["calendar", "session"]
    sides = before.select(*key, *HOURS, *EXPECTATION, there=True).join(
        after.select(*key, *HOURS, *EXPECTATION, there=True), on=key, how="full", coalesce=True
    )
    change = (
        pl.when(pl.col("there_right").is_null())
        .then(pl.lit("no longer a session"))
        .when(pl.col("there").is_null())
        .then(pl.lit("new session"))
        .when(_differ(HOURS))
        .then(pl.lit("other hours"))
        .when(_differ(EXPECTATION))
        .then(pl.lit("other bars expected"))
    )
    return sides.select(*key, change=change).drop_nulls("change").sort(key)


def _differ(columns: Sequence[str]) -> pl.Expr:
    return pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_right")) for c in columns)
