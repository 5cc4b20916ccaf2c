"""Rows of JSON that are all written in one way, read at once.

What belongs here: recognising such rows, and their values as columns of text.
What does not: what they mean (the vendors), any other JSON (json_body.py).

Long answers repeat one form: the same keys in the same order, the same punctuation. Here the form
is taken from the first row, and every row is held against it, column by column. What comes out is
what `json_body.parsed` would give, numbers and texts as they were sent. Whatever holds a row in
another form, a backslash, a byte beyond ASCII or a key twice is not read here at all: None, and
the slower reader says what is wrong with it, if anything is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from adapters.vendors.json_body import exactly

Path = tuple[str, ...]
"""Keys from a row to one of its values."""
OWN_KEY: Path = ()
"""Stands for the key of the row itself, where rows are members of an object."""

_ROW_END = b"\x1e"
"""Holds rows apart; no JSON holds it."""
_MOST = 8_192
"""Bytes within which the rows have to begin, and the first of them to end."""
_TOKEN = re.compile(rb'"[^"]*"|[\]\[{}]')
_STRING = re.compile(rb'"[^"]*"')
_COMMA = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
_OPENING = re.compile(rb"[\s{\[]*")
_CLOSING = re.compile(rb"[\]\s}]*\Z")
_SCALAR = re.compile(r"-?[0-9][0-9.eE+-]*|true|false")
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_TRUTH = r"(?:true|false)"
_WHITE = b" \t\r\n"
"""What JSON takes for space."""
_PRINTABLE = bytes(range(0x20, 0x7F))


@dataclass(frozen=True)
class _Parts:
    """A body in two parts.

    Attributes:
        frame: the body without any row, a small document.
        rows: what stood between the brackets of its rows.
    """

    frame: bytes
    rows: bytes


def lists(rows: bytes, width: int) -> list[pl.Series] | None:
    """Rows that are lists of numbers, as columns of text; None for any others.

    Args:
        rows: JSON, without the brackets around them.
        width: numbers of a row.
    """
    form = None if b'"' in rows else _Form.of(rows, ",")
    if form is None:
        return None
    first = form.value()
    if not isinstance(first, list) or [type(value) for value in first] != [str] * width:
        return None
    for place, piece in enumerate(form.pieces):
        form.add((str(place),), place, piece)
    found = form.columns(rows)
    # A number in words, as NaN, is no column where every row has it.
    return None if found is None or len(found) != width else list(found.values())


def rows_under(
    content: bytes, key: bytes, *, members: bool = False
) -> tuple[Mapping[str, Any], Mapping[Path, pl.Series]] | None:
    """A body without the rows under a key of its own, and these; None for any other body.

    The rows are objects. They come as columns by the path to each value: texts and numbers as they
    were sent, truth as such. The body is what `json_body.exactly` gives, nothing under the key.

    Args:
        content: a body.
        key: a pattern of the key.
        members: whether the rows are members of an object, each with a key of its own; otherwise
            they are in a list.
    """
    parts = _cut(content, key, b"{" if members else b"[")
    columns = None if parts is None else _objects(parts.rows, members=members)
    if parts is None or columns is None:
        return None
    try:
        body = exactly(parts.frame)
    except (ValueError, RecursionError):
        return None
    return (body, columns) if isinstance(body, dict) else None


def _cut(content: bytes, key: bytes, opening: bytes) -> _Parts | None:
    """The rows under a key of the body's own, and the body without them; None for another body."""
    if b"\\" in content or not content.isascii():
        return None
    found = re.search(b'"%s"\\s*:\\s*\\%s' % (key, opening), content[:_MOST])
    if found is None:
        return None
    head = content[: found.start()]
    outside = _STRING.sub(b"", head)
    # An even number of quotes: the key is no part of a text. One bracket: it is the body's own.
    if head.count(b'"') % 2 or b"[" in outside or outside.count(b"{") - outside.count(b"}") != 1:
        return None
    ends = content.rfind(b"]" if opening == b"[" else b"}")
    if opening == b"{":
        # The last one is that of the body.
        ends = content.rfind(b"}", 0, max(ends, 0))
    if ends < found.end():
        return None
    return _Parts(content[: found.end()] + content[ends:], content[found.end() : ends])


def _objects(rows: bytes, *, members: bool) -> Mapping[Path, pl.Series] | None:
    """Rows that are objects, as columns by the path to each; None for any others."""
    form = _Form.of(rows, '"')
    if form is None or not isinstance(form.value(members=members), dict):
        return None
    above, key = list[str](), ""
    for place, piece in enumerate(form.pieces):
        path = (*above, key)[members:]
        if place % 2 == 0:
            if not form.add(path, place, piece):
                return None
            for bracket in re.findall(r"[{}]", piece):
                above = [*above, key] if bracket == "{" else above[:-1]
        elif not form.pieces[place + 1].lstrip().startswith(":"):
            if path in form.texts:
                return None
            form.texts[path] = place
        elif members and place == 1:
            form.texts[OWN_KEY] = place
        else:
            key = form.constants[place] = piece
    return form.columns(rows)


@dataclass
class _Form:
    """How the first row is written, cut into pieces, and which of these change from row to row.

    Attributes:
        row: the row.
        opening: brackets before the first piece.
        closing: brackets after the last one.
        comma: what stands between two rows.
        by: the mark at which rows are cut.
        constants: pieces that are the same in every row, by their place.
        texts: where a text stands as a piece of its own.
        scalars: where a number or truth stands, with what is around it and what it has to be.
    """

    row: bytes
    opening: bytes
    closing: bytes
    comma: bytes
    by: str
    constants: dict[int, str] = field(default_factory=dict)
    texts: dict[Path, int] = field(default_factory=dict)
    scalars: dict[Path, tuple[int, str, str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: bytes, by: str) -> _Form | None:
        """The form of the first of several rows; None where it has none that can be told."""
        begin, depth = rows[:_MOST].lstrip(_WHITE), 0
        for token in _TOKEN.finditer(begin):
            depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(token[0], 0)
            if depth <= 0 and token[0] in (b"}", b"]"):
                row, comma = begin[: token.end()], _COMMA.match(begin, token.end())
                opening, closing = _OPENING.match(row), _CLOSING.search(row)
                if comma is None or opening is None or closing is None or depth < 0:
                    return None
                return cls(row, opening[0], closing[0], comma[0], by)
        return None

    @property
    def pieces(self) -> list[str]:
        """The row without its brackets, but for the first that closes it: it ends the last piece.

        By it a row that lacks its last piece is told from one in which that is empty.
        """
        inner = self.row[len(self.opening) : len(self.row) - len(self.closing)] + self.closing[:1]
        return inner.decode().split(self.by)

    def value(self, *, members: bool = False) -> Any:
        """What the row says; None where it is no JSON or names a key twice."""
        try:
            return exactly(b"{%s}" % self.row if members else self.row)
        except (ValueError, RecursionError):
            return None

    def add(self, path: Path, place: int, piece: str) -> bool:
        """Note a piece of punctuation, with the number or truth in it; whether it can be read."""
        found = _SCALAR.findall(piece)
        if not found:
            self.constants[place] = piece
            return "[" not in piece
        if len(found) > 1 or path in self.scalars:
            return False
        before, _, after = piece.partition(found[0])
        kind = _TRUTH if found[0] in ("true", "false") else _NUMBER
        self.scalars[path] = (place, before, after, kind)
        return "[" not in piece

    def columns(self, rows: bytes) -> Mapping[Path, pl.Series] | None:
        """What changes from row to row; None where any row is written in another form."""
        rows = rows.strip(_WHITE)
        table = self._table(rows)
        if table is None or not self._are_texts_clean(rows, table.height):
            return None
        tests = [(pl.col(str(place)) == piece).all() for place, piece in self.constants.items()]
        values = {path: pl.col(str(place)) for path, place in self.texts.items()}
        for path, (place, before, after, kind) in self.scalars.items():
            if path in values:
                return None
            column = pl.col(str(place))
            written = f"^{pl.escape_regex(before)}{kind}{pl.escape_regex(after)}$"
            tests.append(column.str.contains(written).all())
            column = column.str.strip_prefix(before) if before else column
            column = column.str.strip_suffix(after) if after else column
            values[path] = column == "true" if kind == _TRUTH else column
        if not all(table.select(tests).row(0)):
            return None
        found = table.select(value.alias(str(n)) for n, value in enumerate(values.values()))
        return dict(zip(values, found.get_columns(), strict=True))

    def _table(self, rows: bytes) -> pl.DataFrame | None:
        """One row of text for each row, one column for each piece."""
        around = rows.startswith(self.opening) and rows.endswith(self.closing)
        if not around or _ROW_END in rows or not rows.isascii():
            return None
        inner = rows[len(self.opening) : len(rows) - len(self.closing)]
        between, last = self.closing + self.comma + self.opening, self.closing[:1]
        lines = inner.replace(between, last + _ROW_END) + last
        try:
            table = pl.read_csv(
                lines,
                has_header=False,
                schema={str(place): pl.String() for place in range(len(self.pieces))},
                separator=self.by,
                eol_char=_ROW_END.decode(),
                quote_char=None,
                empty_string_is_null=False,
            )
        except pl.exceptions.PolarsError:
            return None
        return table if table.height == lines.count(_ROW_END) + 1 else None

    def _are_texts_clean(self, rows: bytes, count: int) -> bool:
        """Whether no text holds a control character, so that all of them are punctuation."""
        if not self.texts:
            return True
        known = count * len(_controls(self.row)) + (count - 1) * len(_controls(self.comma))
        return len(_controls(rows)) == known


def _controls(text: bytes) -> bytes:
    return text.translate(None, _PRINTABLE)
