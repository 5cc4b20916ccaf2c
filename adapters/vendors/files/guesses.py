"""Guesses about an unknown text: delimiter, header, roles of columns, format of times.

What belongs here: what a sample of cells looks like. What does not: the proposal (sniff.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from adapters.vendors.files.spec import MILLISECONDS, ZONE_IN_FORMAT
from market_data.errors import MalformedAnswerError

DELIMITERS = (",", ";", "\t", "|")
HEADER_NAMES: dict[str, tuple[str, ...]] = {
    "time": ("", "ts", "timestamp", "datetime", "date_time", "time", "gmt time", "open_time",
             "opentime", "open time", "local time", "timestamp_utc", "date", "day", "<dtyyyymmdd>"),
    "open": ("open", "o", "<open>", "open_price"),
    "high": ("high", "h", "<high>", "max", "high_price"),
    "low": ("low", "l", "<low>", "min", "low_price"),
    "close": ("close", "c", "<close>", "last", "price", "close/last", "close_price"),
    "adj_close": ("adj close", "adj_close", "adjclose", "adjusted_close", "adjusted close"),
    "volume": ("volume", "v", "vol", "<vol>", "<volume>", "tick_volume", "vol."),
    "vwap": ("vwap", "vw", "average", "wap"),
    "trades": ("trades", "count", "n", "barcount", "number_of_trades", "transactions"),
    "symbol": ("symbol", "ticker", "<ticker>", "instrument", "code"),
}  # fmt: skip
"""Role to the names that vendors give it, the more telling ones first."""

SIDE_NAMES = {
    f"{side}_{price}": (f"{side}_{price}", f"{side}{price}", f"{price}_{side}", f"{price}{side}")
    for side in ("bid", "ask")
    for price in ("open", "high", "low", "close")
}

TIME_FORMATS = (
    "%Y-%m-%d %H:%M:%S%z", "%Y-%m-%dT%H:%M:%S%#z", "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d",
    "%Y%m%d %H%M%S", "%Y%m%d %H:%M:%S", "%Y%m%d %H:%M", "%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d",
    "%Y.%m.%d %H:%M:%S", "%Y.%m.%d %H:%M", "%Y.%m.%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M",
    "%Y/%m/%d", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M", "%d/%m/%Y", "%d.%m.%Y %H:%M:%S%.f", "%d.%m.%Y %H:%M", "%d.%m.%Y",
    "%d-%m-%Y %H:%M", "%d-%m-%Y", "%d-%b-%Y", "%d-%b-%y", "%b %d %Y",
)  # fmt: skip

_READ = 0.95


@dataclass(frozen=True)
class Table:
    """A sample, cut into text columns."""

    delimiter: str
    header: tuple[str, ...] | None
    cells: pl.DataFrame


def table_of(lines: Sequence[str]) -> Table:
    """Cut sample lines at the delimiter that gives all of them one width.

    Raises:
        MalformedAnswerError: none gives three columns or more.
    """
    best = max(DELIMITERS, key=lambda d: _usual_width(lines, d))
    width = _usual_width(lines, best)
    if width < 3:
        raise MalformedAnswerError(
            f"no delimiter of {' '.join(map(repr, DELIMITERS))} cuts the lines into columns: "
            f"{lines[0][:120]!r}"
        )
    rows = [[cell.strip(' \t"') for cell in line.split(best)] for line in lines]
    fitting = [row for row in rows if len(row) == width]
    first = fitting[0]
    header = tuple(first) if sum(_is_number(cell) for cell in first) <= 1 else None
    body = fitting[1:] if header else fitting
    if not body:
        raise MalformedAnswerError("there is no row below the header")
    names = [f"c{i}" for i in range(width)]
    return Table(best, header, pl.DataFrame(body, schema=names, orient="row"))


def _usual_width(lines: Sequence[str], delimiter: str) -> int:
    widths = [line.count(delimiter) + 1 for line in lines]
    usual = max(set(widths), key=widths.count)
    return usual if widths.count(usual) >= len(widths) / 2 else 1


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def columns_of(table: Table) -> tuple[dict[str, int], list[str]]:
    """Role to column index, by the header's names or, without one, by the values.

    Raises:
        MalformedAnswerError: no four columns can be open, high, low and close.
    """
    roles = _by_header(table.header) if table.header else {}
    notes: list[str] = []
    if not _has_prices(roles):
        roles = {k: v for k, v in roles.items() if k in ("time", "date", "symbol", "volume")}
        roles |= _by_values(table, set(roles.values()))
        notes.append("open, high, low, close were told by their values: check their order")
    roles.setdefault("time", 0)
    return roles, notes


def _has_prices(roles: dict[str, int]) -> bool:
    return {"open", "high", "low", "close"} <= set(roles) or set(SIDE_NAMES) <= set(roles)


def _by_header(header: Sequence[str]) -> dict[str, int]:
    lower = [name.lower() for name in header]
    roles: dict[str, int] = {}
    for role, names in {**HEADER_NAMES, **SIDE_NAMES}.items():
        at = next((lower.index(n) for n in names if n in lower), None)
        if at is not None and at not in roles.values():
            roles[role] = at
    if "time" in roles and lower[roles["time"]] == "time" and "date" in lower:
        roles["date"] = lower.index("date")
    return roles


def _by_values(table: Table, taken: set[int]) -> dict[str, int]:
    """The first four neighbouring numeric columns of one size that hold together as bars."""
    numbers = table.cells.select(pl.all().cast(pl.Float64, strict=False))
    width = numbers.width
    for first in range(width - 3):
        block = range(first, first + 4)
        if taken & set(block):
            continue
        four = numbers[:, first : first + 4]
        if four.null_count().transpose().sum().item() > 0.05 * len(four) * 4:
            continue
        high, low = _extremes(four)
        if high is None or low is None:
            continue
        rest = [i for i in range(4) if i not in (high, low)]
        roles = {"open": rest[0], "high": high, "low": low, "close": rest[1]}
        roles = {role: first + i for role, i in roles.items()}
        after = first + 4
        if after < width and numbers.to_series(after).null_count() <= 0.05 * len(numbers):
            roles["volume"] = after
        return roles
    raise MalformedAnswerError("no four columns of the file can be open, high, low and close")


def _extremes(four: pl.DataFrame) -> tuple[int | None, int | None]:
    names = four.columns
    top, bottom = pl.max_horizontal(pl.all()), pl.min_horizontal(pl.all())
    near = four.select(((top - bottom) / top < 0.5).mean()).item()
    is_top = four.select((pl.col(n) == top).mean() for n in names).row(0)
    is_bottom = four.select((pl.col(n) == bottom).mean() for n in names).row(0)
    high = next((i for i, share in enumerate(is_top) if share >= _READ), None)
    low = next((i for i, share in enumerate(is_bottom) if share >= _READ and i != high), None)
    return (high, low) if (near or 0) >= _READ else (None, None)


def time_of(text: pl.Series) -> tuple[str, list[str]]:
    """The format of a column of times.

    Raises:
        MalformedAnswerError: no format reads it.
    """
    text = text.drop_nulls()
    number = text.cast(pl.Float64, strict=False)
    if number.null_count() == 0 and not text.is_empty():
        unit = _number_format(number)
        if unit is not None:
            return unit, []
    fits = [f for f in TIME_FORMATS if _share(text, f) >= _READ]
    if not fits:
        raise MalformedAnswerError(f"no format reads the times, like {text.head(1).to_list()}")
    notes = []
    if fits[0].startswith("%m/") and any(f.startswith("%d/") for f in fits):
        notes.append("month and day could be the other way round")
    return fits[0], notes


def _number_format(number: pl.Series) -> str | None:
    """The unit of a column of numbers, by their size: years 1973 to 2286 for epochs."""
    if number.is_between(19_000_101, 21_001_231).all():
        return None
    largest = float(number.abs().max() or 0)  # type: ignore[arg-type]
    for name, low, high in (
        ("epoch_us", 1e14, 1e16),
        ("epoch_ms", 1e11, 1e13),
        ("epoch_s", 1e8, 1e10),
        (MILLISECONDS, 0, 86_400_000),
    ):
        if low <= largest < high:
            return name
    return None


def _share(text: pl.Series, pattern: str) -> float:
    read = text.str.to_datetime(pattern, strict=False, time_unit="us")
    years = read.dt.year()
    if read.null_count() == len(text) or not years.is_between(1900, 2100).all():
        return 0.0
    return 1 - read.null_count() / len(text)


def has_offset(pattern: str) -> bool:
    """Whether the times of a format say their own offset."""
    return bool(ZONE_IN_FORMAT.search(pattern))
