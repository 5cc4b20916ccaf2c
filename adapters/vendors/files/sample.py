"""The first lines of a file, and bars read from them.

What belongs here: what sniffing needs of a file, read once. What does not: guesses (guesses.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl

from adapters.vendors.files.blocks import REPLACEMENT, Block, line_blocks
from adapters.vendors.files.discovery import discover
from adapters.vendors.files.layout import read_layout
from adapters.vendors.files.parse import parse_block
from adapters.vendors.files.source import Source
from adapters.vendors.files.spec import FormatSpec
from market_data.errors import MalformedAnswerError

SIZE = 256 * 1024
"""Bytes of text that are looked at."""

_NAME = "SAMPLE"
_ANY = FormatSpec.model_validate(
    {
        "name": "any",
        "description": "stands in where only the packing of a file matters",
        "vendor": "any",
        "asset_class": "equity",
        "calendar": "XNYS",
        "timeframe": "1m",
        "columns": {c: c for c in ("symbol", "time", "open", "high", "low", "close")},
        "time": {"formats": ["epoch_s"]},
        "symbol_from": "column",
    }
)


@dataclass(frozen=True)
class Sample:
    """The lines of a file's first block that are not blank, and their encoding."""

    path: Path
    lines: tuple[str, ...]
    encoding: str


def read_sample(path: Path) -> Sample:
    """Unpack the start of a file and find an encoding that reads it.

    Raises:
        MalformedAnswerError: it is empty, or no text.
        VendorUnavailableError: it does not exist or cannot be read.
    """
    start, whole = _start(path)
    for encoding in ("utf-8", "utf-16", "cp1252"):
        block = next(line_blocks([start], str(path), encoding=encoding), Block(b"", 1))
        text = block.data.decode()
        lines = [line for line in text.split("\n") if line.strip()]
        if not lines:
            raise MalformedAnswerError(f"{path} is empty")
        # The end of a sample that was cut is half a line, or half a letter.
        lines = lines if whole or len(lines) == 1 else lines[:-1]
        if not any("\0" in line or REPLACEMENT in line for line in lines):
            return Sample(path, tuple(lines), encoding)
    raise MalformedAnswerError(f"{path} is no text in UTF-8, UTF-16 or Windows-1252")


def _start(path: Path) -> tuple[bytes, bool]:
    source = Source.of(path, _ANY)
    for _, chunks in source.chunks(_ANY):
        first = next(chunks, b"")
        whole = len(first) <= SIZE and next(chunks, None) is None
        return first[:SIZE], whole
    return b"", True


def sample_bars(sample: Sample, spec: FormatSpec) -> tuple[pl.DataFrame, int]:
    """Bars that a spec reads from a sample, whosever they are, and the lines that it rejects.

    Raises:
        MalformedAnswerError: the sample has not the columns that the spec promises.
    """
    columns = {role: names for role, names in spec.columns.items() if role != "symbol"}
    alone = spec.but(columns=columns, symbol_from="argument")
    (found,) = discover(sample.path, spec)
    if spec.time.date_from == "filename" and found.day is None:
        raise MalformedAnswerError(f"schema: the name of {sample.path} holds no day")
    block = Block(("\n".join(sample.lines) + "\n").encode(), 1)
    layout, rows = read_layout(block, alone, str(sample.path))
    parsed = parse_block(
        rows,
        layout,
        alone,
        names={_NAME: (_NAME, _NAME)},
        file_symbol=_NAME,
        file_day=found.day,
    )
    return parsed.bars, len(parsed.rejected)


def spacing(bars: pl.DataFrame) -> timedelta | None:
    """The commonest distance between neighbouring bar starts; None for a single bar."""
    steps = bars["ts"].unique().sort().diff().drop_nulls().to_list()
    return Counter(steps).most_common(1)[0][0] if steps else None
