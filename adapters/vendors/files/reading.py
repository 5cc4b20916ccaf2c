"""One file from its bytes to bars.

What belongs here: the order of the steps, slices, whose bars a file holds if no row says it.
What does not: the steps themselves (source.py, blocks.py, layout.py, parse.py), which files are
read (vendor.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from adapters.vendors.files.blocks import BLOCK, line_blocks
from adapters.vendors.files.discovery import FoundFile
from adapters.vendors.files.layout import Layout, read_layout
from adapters.vendors.files.parse import Parsed, parse_block
from adapters.vendors.files.source import Source
from adapters.vendors.files.spec import FormatSpec
from market_data.errors import MalformedAnswerError, VendorError, VendorUnavailableError
from market_data.ports import FetchResult

SLICE_ROWS = 500_000
"""Most rows of one slice."""

Names = Mapping[str, tuple[str, str]]
"""Vendor symbol in capitals to (platform symbol, vendor symbol)."""


Hear = Callable[[Parsed, Layout], None]
"""Takes what was read of a block, and the columns of its text."""


def read_file(
    found: FoundFile, spec: FormatSpec, names: Names, hear: Hear | None = None
) -> Iterator[FetchResult]:
    """Everything that one file holds for some symbols: its payload, then its rows.

    Args:
        found: the file.
        spec: its format.
        names: vendor symbol in capitals to (platform symbol, vendor symbol).
        hear: told of each block before its rows are handed over.

    Raises:
        VendorError: as `FilesVendor.fetch` says.
    """
    try:
        source = Source.of(found.path, spec)
        yield FetchResult(payloads=(source.payload(),))
        yield from read_source(source, found, spec, names, hear)
    except OSError as error:
        raise VendorUnavailableError(f"cannot read {found.path}: {error}") from error


def read_source(
    source: Source, found: FoundFile, spec: FormatSpec, names: Names, hear: Hear | None = None
) -> Iterator[FetchResult]:
    """The rows of a file that was opened."""
    for parsed, layout in parsed_blocks(source, found, spec, names):
        if hear is not None:
            hear(parsed, layout)
        # With each slice: those before it may lie outside of what was asked for.
        shapes = {_speaks_for(layout, names): layout.shape}
        for bars in parsed.bars.iter_slices(SLICE_ROWS):
            yield FetchResult(frame=bars, shapes=shapes)
        if not parsed.rejected.is_empty():
            yield FetchResult(rejected=parsed.rejected)


def parsed_blocks(
    source: Source, found: FoundFile, spec: FormatSpec, names: Names, *, block_size: int = BLOCK
) -> Iterator[tuple[Parsed, Layout]]:
    """The blocks of every text in a file, parsed, each with the columns of its text."""
    if spec.time.date_from == "filename" and found.day is None and source.size:
        raise MalformedAnswerError(
            f"schema: the name of {found.path} holds no day like {spec.time.date_pattern!r}"
        )
    for label, chunks in source.chunks(spec):
        layout: Layout | None = None
        symbol: str | None = None
        for block in line_blocks(chunks, label, encoding=spec.encoding, size=block_size):
            rows = block
            if layout is None:
                layout, rows = read_layout(block, spec, label)
                symbol = _whole_file_symbol(layout, names, label)
            parsed = parse_block(
                rows, layout, spec, names=names, file_symbol=symbol, file_day=found.day
            )
            yield parsed, layout


def _speaks_for(layout: Layout, names: Names) -> str:
    """The one platform symbol that a text is about; empty where its rows may be of several."""
    if "symbol" in layout.roles or len(names) != 1:
        return ""
    return next(iter(names.values()))[0]


def _whole_file_symbol(layout: Layout, names: Names, label: str) -> str | None:
    """Whose bars a text holds; None where its rows say, which goes before its name."""
    if "symbol" in layout.roles:
        return None
    if len(names) > 1:
        raise VendorError(
            f"neither the name nor the rows of {label} tell a symbol: ask for one symbol at a "
            "time, or use a format with symbol_from: stem, parent, regex or column"
        )
    return next(iter(names))
