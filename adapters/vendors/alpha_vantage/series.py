"""The table of an answer, as CSV or as JSON, in cells of text or numbers.

What belongs here: where each number stands. What does not: times (stamps.py), refusals
(answers.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from adapters.vendors.cells import TIME
from adapters.vendors.http import Answer
from adapters.vendors.json_body import text_column
from market_data.errors import MalformedAnswerError
from market_data.schemas import PRICES

_ROLES = {
    **{name: name for name in (*PRICES, "volume")},
    "adjusted_close": "adj_close",
    "adjusted close": "adj_close",
    "dividend_amount": "dividend",
    "dividend amount": "dividend",
    "split_coefficient": "split",
    "split coefficient": "split",
}
"""Alpha Vantage's name of a column, in CSV and in JSON, to ours."""
_BEYOND = "beyond"
_LINE = "\x1f"
"""A separator that no line holds: each line becomes one cell."""
_NO_LETTER = "\N{REPLACEMENT CHARACTER}".encode()
"""Stands for that separator where a damaged line does hold it; it is no part of a number."""
_NUMBERED = re.compile(r"^\d+[a-z]?\. ")


@dataclass(frozen=True)
class Series:
    """A table as it came, newest row first.

    Attributes:
        cells: `time` as text; the prices and, where the table has them, volume, adj_close,
            dividend and split: numbers where every cell is one, otherwise texts.
        zone: what the answer says of its time zone; empty where it does not.
    """

    cells: pl.DataFrame
    zone: str = ""


def csv_series(answer: Answer) -> Series:
    """The table of a CSV answer; its first column is the time.

    Raises:
        MalformedAnswerError: the first line does not name the prices.
    """
    content = answer.content
    end = content.find(b"\n")
    head = content if end < 0 else content[:end]
    titles = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip().split(",")
    names = [TIME, *(_ROLES.get(title, title) for title in titles[1:])]
    if not set(PRICES) <= set(names) or len(set(names)) < len(names):
        raise MalformedAnswerError(f"Alpha Vantage sent no table of prices: {answer.text}")
    found = _numbers(content, titles, names) if end >= 0 else None
    return Series(_texts(content[len(head) + 1 :], names) if found is None else found)


def _numbers(content: bytes, titles: Sequence[str], names: Sequence[str]) -> pl.DataFrame | None:
    """Lines of numbers alone, fast; None where any line holds anything else."""
    number = dict.fromkeys(_ROLES.values(), pl.Float64())
    types = {t: number.get(n, pl.String()) for t, n in zip(titles, names, strict=True)}
    try:
        found = pl.read_csv(content, schema=types, quote_char=None)
    except pl.exceptions.PolarsError:
        return None
    found.columns = list(names)
    return None if any(found.null_count().row(0)) else found


def _texts(body: bytes, names: Sequence[str]) -> pl.DataFrame:
    """One text per cell; of a line with too many cells no cell is believed."""
    lines = pl.read_csv(
        b"line\n" + body.replace(_LINE.encode(), _NO_LETTER),
        schema={"line": pl.String()},
        separator=_LINE,
        quote_char=None,
        truncate_ragged_lines=True,
        empty_string_is_null=False,
        encoding="utf8-lossy",
    ).filter(pl.col("line").str.strip_chars() != "")
    cells = lines.select(pl.col("line").str.splitn(",", len(names) + 1).alias("cell"))
    frame = cells.unnest("cell")
    frame.columns = [*names, _BEYOND]
    # Which of the cells is one too many, nobody can tell.
    ragged = pl.col(_BEYOND).is_not_null()
    line = pl.concat_str(pl.all(), separator=",", ignore_nulls=True)
    return frame.select(
        pl.when(ragged).then(line if name == TIME else None).otherwise(name).alias(name)
        for name in names
    )


def json_series(body: Mapping[str, Any]) -> Series:
    """The table of a JSON answer: an object per row under "Time Series ...".

    Raises:
        MalformedAnswerError: there is no such object.
    """
    found = next((body[key] for key in body if key.startswith("Time Series")), None)
    meta = body.get("Meta Data")
    if not isinstance(found, dict) or not isinstance(meta, dict):
        raise MalformedAnswerError("Alpha Vantage sent JSON without a time series")
    zone = next((str(meta[key]) for key in meta if key.endswith("Time Zone")), "")
    rows = [row if isinstance(row, dict) else {} for row in found.values()]
    keys = dict.fromkeys(key for row in rows[:1] for key in row)
    roles = {_ROLES.get(_NUMBERED.sub("", key), ""): key for key in keys}
    absent = [name for name in PRICES if name not in roles]
    if rows and absent:
        raise MalformedAnswerError(f"Alpha Vantage sent a time series without {absent[0]}")
    columns = {TIME: text_column(TIME, list(found))} | {
        role: text_column(role, [row.get(roles.get(role, role)) for row in rows])
        for role in dict.fromkeys((*PRICES, *(r for r in roles if r)))
    }
    return Series(pl.DataFrame(columns), zone)
