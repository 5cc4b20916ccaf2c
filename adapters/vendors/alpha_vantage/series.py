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

from adapters.vendors.cells import TIME, with_reason
from adapters.vendors.http import Answer
from adapters.vendors.json_body import text_column
from adapters.vendors.uniform_json import OWN_KEY, rows_under
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
_IN_ORDER = tuple(dict.fromkeys((*PRICES, *_ROLES.values())))
_BEYOND = "beyond"
_LINE = "\x1f"
"""A separator that no line holds: each line becomes one cell."""
_NO_LETTER = "\N{REPLACEMENT CHARACTER}".encode()
"""Stands for that separator where a damaged line does hold it; it is no part of a number."""
_SHORT_LINE = "short_line"
_NUMBERED = re.compile(r"^\d+[a-z]?[.:] ")
_IN_CURRENCY = re.compile(r" \([A-Za-z0-9]{2,10}\)$")


@dataclass(frozen=True)
class Series:
    """A table as it came, newest row first.

    Attributes:
        cells: `time` as text; the prices and, where the table has them, volume, adj_close,
            dividend and split: numbers where every cell is one, otherwise texts; perhaps `why`.
        about: what the answer says of itself, by name in small letters ("symbol", "time zone");
            None where its form has no room for that.
        title: what it calls its table ("Time Series (Daily)"); None like `about`.
    """

    cells: pl.DataFrame
    about: Mapping[str, str] | None = None
    title: str | None = None

    @property
    def zone(self) -> str:
        """What the answer says of its time zone; empty where it does not."""
        return (self.about or {}).get("time zone", "")

    @property
    def is_full(self) -> bool:
        """Whether the answer says that it holds all that there is.

        A table without a word about itself may have been cut between two lines.
        """
        return (self.about or {}).get("output size", "").lower().startswith("full")


def csv_series(answer: Answer) -> Series:
    """The table of a CSV answer; its first column is the time.

    Alpha Vantage ends every line, the last one too. A last line without its end was cut, and what
    is left of its last number looks like a number.

    Raises:
        MalformedAnswerError: the first line does not name the prices, or the last has no end.
    """
    content = answer.content
    head = content[: max(content.find(b"\n"), 0)] or content
    titles = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip().split(",")
    names = [TIME, *(_ROLES.get(title, title) for title in titles[1:])]
    if not set(PRICES) <= set(names) or len(set(names)) < len(names):
        raise MalformedAnswerError(f"Alpha Vantage sent no table of prices: {answer.text}")
    if not content.endswith(b"\n"):
        raise MalformedAnswerError("Alpha Vantage: the answer broke off within its last line")
    found = _numbers(content, titles, names)
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
    """One text per cell; a line with too many cells or too few is refused.

    Which of the cells is one too many, nobody can tell; of too few the last may be cut.
    """
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
    ragged = pl.col(_BEYOND).is_not_null()
    line = pl.concat_str(pl.all(), separator=",", ignore_nulls=True)
    cells = frame.select(
        pl.when(ragged).then(line if name == TIME else None).otherwise(name).alias(name)
        for name in names
    )
    return with_reason(cells, _SHORT_LINE, pl.lit(frame[names[-1]].is_null()))


def json_series(body: Mapping[str, Any], cells: pl.DataFrame | None = None) -> Series:
    """The table of a JSON answer: an object per row under "Time Series ...".

    Args:
        body: the answer, perhaps without its rows.
        cells: the rows, where they were read at once.

    Raises:
        MalformedAnswerError: there is no such object, or more than one, or it lacks a price
            throughout.
    """
    titles = [key for key in body if "time series" in key.casefold()]
    if len(titles) > 1:
        raise MalformedAnswerError(f"Alpha Vantage sent {len(titles)} time series in one answer")
    found = next((body[title] for title in titles if title.startswith("Time Series")), None)
    meta = body.get("Meta Data")
    if not isinstance(found, dict) or not isinstance(meta, dict):
        raise MalformedAnswerError("Alpha Vantage sent JSON without a time series")
    return Series(_cells(found) if cells is None else cells, _about(meta), titles[0])


def cells_at_once(content: bytes) -> tuple[Mapping[str, Any], pl.DataFrame] | None:
    """A JSON answer without its rows, and these, where all are written alike; None otherwise."""
    read = rows_under(content, rb"Time Series[^\"]*", members=True)
    if read is None:
        return None
    body, columns = read
    keys = [path[-1] for path in columns if path != OWN_KEY]
    roles = {role: key for key in keys if (role := _ROLES.get(_NUMBERED.sub("", key)))}
    plain = all(column.dtype == pl.String for column in columns.values())
    times = columns[OWN_KEY]
    if (
        not plain
        or max(map(len, columns)) > 1
        or _is_ambiguous(keys)
        or not set(PRICES) <= set(roles)
        or times.n_unique() < times.len()
    ):
        return None
    cells = {role: columns[roles[role],] for role in _IN_ORDER if role in roles}
    return body, pl.DataFrame({TIME: times, **cells})


def _cells(found: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of any form, each read by its own names.

    One that names a price in two ways, as in a number of its own or in a currency, is refused:
    which of the two is meant nobody can tell.
    """
    rows = [row if isinstance(row, dict) else {} for row in found.values()]
    shapes = set(map(tuple, rows))
    keys: dict[str, set[str]] = {}
    for key in {key for shape in shapes for key in shape}:
        if role := _ROLES.get(_NUMBERED.sub("", key)):
            keys.setdefault(role, set()).add(key)
    absent = [name for name in PRICES if name not in keys]
    if rows and absent:
        raise MalformedAnswerError(f"Alpha Vantage sent a time series without {absent[0]}")
    columns = [text_column(TIME, list(found))]
    columns += [
        text_column(role, _column(rows, sorted(keys.get(role, ()))))
        for role in _IN_ORDER
        if role in PRICES or role in keys
    ]
    cells = pl.DataFrame(columns)
    odd = {shape for shape in shapes if _is_ambiguous(shape)}
    return with_reason(cells, "ambiguous_names", pl.lit(_among(rows, odd))) if odd else cells


def _column(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[Any]:
    if len(keys) == 1:
        return [row.get(keys[0]) for row in rows]
    return [next((row[key] for key in keys if key in row), None) for row in rows]


def _is_ambiguous(shape: Sequence[str]) -> bool:
    """Whether a row with these names names something twice."""
    named = [_ROLES.get(_IN_CURRENCY.sub("", _NUMBERED.sub("", key))) for key in shape]
    roles = [role for role in named if role is not None]
    return len(set(roles)) < len(roles)


def _among(rows: Sequence[Mapping[str, Any]], shapes: set[tuple[str, ...]]) -> pl.Series:
    return pl.Series("odd", [tuple(row) in shapes for row in rows], dtype=pl.Boolean)


def _about(meta: Mapping[str, Any]) -> dict[str, str]:
    """What the answer says of itself.

    Raises:
        MalformedAnswerError: it says two things of one name.
    """
    about: dict[str, str] = {}
    for key, value in meta.items():
        name = _NUMBERED.sub("", key).lower()
        if about.setdefault(name, str(value)) != str(value):
            raise MalformedAnswerError(f"Alpha Vantage names two values of its {name[:60]!r}")
    return about
