"""`emp reference`: instruments, calendars and tickers: what the files say, and what they change."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emp.commands.options import JsonOption
from emp.invocation import settings_of
from emp.output import print_json, print_line, records, table
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    import polars as pl

    from adapters.settings import Settings

app = typer.Typer(
    help="Instruments, trading calendars and tickers.", no_args_is_help=True, rich_markup_mode=None
)

SHOWN_ROWS = 40
Shown = Literal["instruments", "sessions", "holidays", "tickers"]

CHECK_EXAMPLES = """
Examples:\n
  emp reference check\n
  emp reference check --json
"""
SHOW_EXAMPLES = """
Examples:\n
  emp reference show instruments\n
  emp reference show sessions --calendar fx --start 2016-12-23 --end 2017-01-03\n
  emp reference show holidays --start 2024-01-01 --end 2025-12-31 --json
"""
IMPORT_EXAMPLES = """
Example:\n
  emp reference import-map map_files/fb.csv --symbol META --vendor lean
"""


@app.command("check", epilog=CHECK_EXAMPLES)
def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say whether the files are right, and what they put out of date; exit 1 if they are wrong.

    Out of date are stored sessions of days that moved since the tables were published, and those
    curated under another vendor priority or other limits: materialise them again. Gaps are sessions
    that the store should hold and that no vendor has sent, whatever the partitions show.
    """
    from adapters.clock import SystemClock
    from emp.reference import impact_of, universe_of
    from market_data.calendars import check_calendars
    from market_data.reference.tables import duplicate_aliases, unknown_calendars, unnamed_sessions

    settings = settings_of(context)
    universe = universe_of(settings, refresh=True)
    check_calendars(universe.calendars)
    today = SystemClock().now().date()
    parts: dict[str, pl.DataFrame] = {
        "unknown_calendars": unknown_calendars(universe),
        "duplicate_aliases": duplicate_aliases(universe),
        "sessions_without_ticker": unnamed_sessions(universe, universe.first_session, today),
    }
    wrong = parts["unknown_calendars"].height
    if not wrong:
        impact = impact_of(settings)
        parts |= {
            "changed_instruments": impact.symbols,
            "moved_sessions": impact.moved,
            "sessions_out_of_date": impact.outdated,
            "gaps": impact.gaps,
        }
    if as_json:
        print_json({"ok": not wrong, **{name: records(part) for name, part in parts.items()}})
    else:
        for name, part in parts.items():
            _print_part(name.replace("_", " "), part)
        print_line("the files are wrong" if wrong else "the files are right")
    if wrong:
        raise typer.Exit(1)


def _print_part(title: str, frame: pl.DataFrame) -> None:
    if frame.is_empty():
        return
    print_line(f"{title}: {frame.height}")
    print_line(table(frame.head(SHOWN_ROWS)))
    if frame.height > SHOWN_ROWS:
        print_line(f"{frame.height - SHOWN_ROWS} more; --json prints all")
    print_line()


@app.command("show", epilog=SHOW_EXAMPLES)
def show(
    context: typer.Context,
    what: Annotated[Shown, typer.Argument(help="What to show.")] = "instruments",
    calendar: Annotated[str | None, typer.Option(help="Only this calendar.")] = None,
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="First day; this year's first unless given.")
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="DATE", help="Last day; this year's last unless given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show instruments, sessions, days that the configuration closes or changes, or tickers."""
    frame = _frame(settings_of(context), what, calendar, start, end)
    if as_json:
        print_json(records(frame))
    else:
        print_line(table(frame))


def _frame(
    settings: Settings, what: Shown, calendar: str | None, start: str | None, end: str | None
) -> pl.DataFrame:
    import polars as pl

    from adapters.clock import SystemClock
    from emp.moments import day
    from emp.reference import get_instruments, get_trading_sessions, universe_of
    from market_data.calendars import calendar_name
    from market_data.reference.tables import calendars_of, closed_table, tickers_table

    universe = universe_of(settings, refresh=True)
    if calendar and what in ("instruments", "tickers"):
        raise ConfigurationError(f"--calendar is about sessions and holidays, not about {what}")
    if what == "instruments":
        return get_instruments(settings=settings)
    if what == "tickers":
        return tickers_table(universe)
    year = SystemClock().now().year
    first = date(year, 1, 1) if start is None else day(start, "--start")
    last = date(year, 12, 31) if end is None else day(end, "--end")
    names = [calendar] if calendar else [calendar_name(c) for c in calendars_of(universe)]
    sessions = pl.concat(get_trading_sessions(c, first, last, settings=settings) for c in names)
    if what == "sessions":
        return sessions
    closed = closed_table(universe, first, last).filter(pl.col("calendar").is_in(names))
    changed = sessions.filter(pl.col("changed").is_not_null())
    return pl.concat(
        [
            closed.select("calendar", "session", change=pl.lit("closed"), note="note"),
            changed.select(
                "calendar", "session", change=pl.lit("other hours or bars"), note="changed"
            ),
        ]
    ).sort("calendar", "session")


@app.command("import-map", epilog=IMPORT_EXAMPLES)
def import_map(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A LEAN map file.")],
    symbol: Annotated[str, typer.Option(help="Platform symbol of the instrument.")],
    vendor: Annotated[str, typer.Option(help="Whose names they are.")],
) -> None:
    """Take the ticker history of a map file: the vendor is asked with the name of each session.

    Kept beside the data; tickers that config/universe.yaml or config/reference/instruments.yaml
    give for the vendor go first.
    """
    from adapters.configuration import register
    from emp.reference import universe_of
    from market_data.errors import SchemaError
    from market_data.reference.lean_maps import parse_map_file
    from market_data.universe import Instrument

    settings = settings_of(context)
    universe = universe_of(settings)
    known = universe.instrument(symbol)
    universe.vendor(vendor)
    try:
        tickers = parse_map_file(file.read_text(encoding="utf-8"), vendor)
    except (OSError, UnicodeDecodeError, SchemaError) as error:
        raise ConfigurationError(f"{file}: {error}") from error
    entry = Instrument(
        symbol=symbol,
        asset_class=known.asset_class,
        calendar=known.calendar,
        currency=known.currency,
        tickers=tickers,
    )
    register(settings, instruments=[entry])
    kept = universe_of(settings, refresh=True).instrument(symbol).tickers_at(vendor)
    if kept != tickers:
        raise ConfigurationError(
            f"the configuration gives tickers of {symbol} at {vendor}, which go first: change them "
            "there"
        )
    print_json({"symbol": symbol, "vendor": vendor, "tickers": [str(t) for t in kept]})
