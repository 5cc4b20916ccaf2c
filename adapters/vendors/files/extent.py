"""Which symbols a path holds, and from when to when.

What belongs here: a scan of times alone, for a command line that was given no dates.
What does not: the sessions that the times belong to, which depend on the instrument's calendar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from adapters.vendors.files.blocks import line_blocks
from adapters.vendors.files.discovery import FoundFile, discover
from adapters.vendors.files.layout import Layout, read_layout
from adapters.vendors.files.parse import split_lines
from adapters.vendors.files.source import BrokenStreamError, Source
from adapters.vendors.files.spec import FormatSpec
from adapters.vendors.files.times import bar_starts
from adapters.vendors.files.vendor import Paths
from market_data.errors import ConfigurationError, VendorUnavailableError


@dataclass(frozen=True)
class FileExtent:
    """What a path holds of one symbol.

    Attributes:
        symbol: the vendor's name, in capitals.
        first_ts: start of the first bar, UTC.
        last_ts: start of the last bar, UTC.
        files: the files that speak for it.
    """

    symbol: str
    first_ts: datetime
    last_ts: datetime
    files: tuple[Path, ...]


def extent(
    path: Paths,
    spec: FormatSpec,
    symbols: Sequence[str] | None = None,
    *,
    within: tuple[datetime, datetime] | None = None,
) -> list[FileExtent]:
    """Scan the times of a path, block by block.

    Of files that hold one day each, the first and the last of a symbol are read. Lines without a
    readable time are passed over; a file that breaks in the middle counts up to the break.

    Args:
        path: file, folder, glob, or several.
        spec: its format.
        symbols: vendor symbols of interest, letters of either case; None for all. The one symbol
            of files that do not say whose they are.
        within: times before the first or at or after the second instant are passed over, so that
            one absurd time does not make the extent endless.

    Returns:
        One per symbol that has bars, sorted by symbol.

    Raises:
        ConfigurationError: files do not name their symbol and `symbols` is not one name.
        VendorError: a file cannot be read, or is not what the spec says.
    """
    wanted = None if symbols is None else {s.upper() for s in symbols}
    inside = pl.lit(value=True)
    if within is not None:
        inside = pl.col("ts").is_between(*within, closed="left")
    scans = [
        _scan(found, spec, wanted, inside).with_columns(pl.lit(str(found.path)).alias("file"))
        for found in _worth_reading(discover(path, spec), spec)
        if wanted is None or found.symbol is None or found.symbol in wanted
    ]
    if not scans:
        return []
    found_symbols = (
        pl.concat(scans)
        .group_by("symbol")
        .agg(
            pl.min("first_ts"),
            pl.max("last_ts"),
            pl.col("file").unique().sort().alias("files"),
        )
        .sort("symbol")
    )
    return [
        FileExtent(**{**row, "files": tuple(Path(f) for f in row["files"])})
        for row in found_symbols.iter_rows(named=True)
    ]


def _worth_reading(files: list[FoundFile], spec: FormatSpec) -> list[FoundFile]:
    if spec.time.date_from != "filename":
        return files
    days: dict[str | None, list[FoundFile]] = defaultdict(list)
    for found in files:
        days[found.symbol].append(found)
    ends = []
    for same in days.values():
        ordered = sorted(same, key=lambda f: (f.day or date.min, f.path))
        ends += ordered if len(ordered) < 3 else [ordered[0], ordered[-1]]
    return ends


def _scan(
    found: FoundFile, spec: FormatSpec, wanted: set[str] | None, inside: pl.Expr
) -> pl.DataFrame:
    """First and last time of each symbol in a file."""
    try:
        parts = [
            rows.filter(inside)
            .group_by("symbol")
            .agg(pl.min("ts").alias("first_ts"), pl.max("ts").alias("last_ts"))
            for rows in _times(found, spec, wanted)
        ]
    except OSError as error:
        raise VendorUnavailableError(f"cannot read {found.path}: {error}") from error
    empty = pl.DataFrame(
        schema={"symbol": pl.String(), **dict.fromkeys(_SPAN, pl.Datetime("us", "UTC"))}
    )
    return pl.concat([empty, *parts])


_SPAN = ("first_ts", "last_ts")


def _times(found: FoundFile, spec: FormatSpec, wanted: set[str] | None) -> Iterator[pl.DataFrame]:
    source = Source.of(found.path, spec)
    for label, chunks in source.chunks(spec):
        layout: Layout | None = None
        blocks = line_blocks(chunks, label, encoding=spec.encoding)
        while True:
            try:
                block = next(blocks, None)
            except BrokenStreamError:
                if layout is None:
                    raise
                # The lines before the break were scanned; reading the file will report it.
                break
            if block is None:
                break
            if layout is None:
                layout, block = read_layout(block, spec, label)
            yield _rows(split_lines(block, layout, spec), layout, spec, found, wanted)


def _rows(
    frame: pl.DataFrame,
    layout: Layout,
    spec: FormatSpec,
    found: FoundFile,
    wanted: set[str] | None,
) -> pl.DataFrame:
    """Columns symbol and ts of the lines that tell both."""
    cells = {
        role: frame.to_series(layout.roles[role]).str.strip_chars(' \t"')
        for role in ("time", "date", "symbol")
        if role in layout.roles
    }
    ts = bar_starts(cells.get("time"), cells.get("date"), spec, found.day).ts
    if "symbol" in cells:
        symbol = cells["symbol"].str.to_uppercase()
    else:
        name = _one_name(found, wanted)
        symbol = pl.repeat(name, len(ts), dtype=pl.String(), eager=True)
    rows = pl.DataFrame({"symbol": symbol, "ts": ts}).drop_nulls()
    if wanted is not None:
        rows = rows.filter(pl.col("symbol").is_in(list(wanted)))
    return rows


def _one_name(found: FoundFile, wanted: set[str] | None) -> str:
    if found.symbol is not None:
        return found.symbol
    if wanted is None or len(wanted) != 1:
        raise ConfigurationError(
            f"the name of {found.path} tells no symbol: name the one that it holds"
        )
    return next(iter(wanted))
