"""The shape of a vendor's answer: which fields it has, of which kind, and how two shapes differ.

What belongs here: from bytes to a shape, the comparison of two, which differences are news.
What does not: where shapes are kept (adapters/operations/shapes.py), when answers are looked at
(market_data/pipeline/shape_watch.py), what their fields mean (the vendors).

A field is named by its path: names of JSON objects joined by "/", with "*" for the items of an
array and for names that are numbers or times. Of a table as text, the columns are the fields. Rows
of numbers without names ("[1700000000, 1.2, ...]") have their places as fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

Shape = Mapping[str, frozenset[str]]
"""Path of a field to the kinds of its values: object, array, table, text, number, truth, null."""
Change = Literal["gone", "new", "type"]

ITEM = "*"
_SAMPLE = 20
"""Of many rows alike so many are looked at, and the last."""
_MOST_PLACES, _MOST_NAMES = 32, 300
_LONGEST_NAME = 100
_VALUE_NAME = re.compile(r"[\d\s:.,TZ+/-]+")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_CONTAINERS = frozenset({"object", "array", "table"})
_NULL = frozenset({"null"})
_KINDS = {
    dict: "object",
    list: "array",
    str: "text",
    bool: "truth",
    int: "number",
    float: "number",
    type(None): "null",
}


@dataclass(frozen=True)
class AnswerFields:
    """Which fields of a vendor's answers matter, as patterns of paths with * and ?.

    A pattern speaks for everything below it too.

    Attributes:
        read: those that bars are made of; one that is gone or of another kind is an error.
        varying: those that come and go by themselves: events, what depends on the question. That
            they are there or not is no news, that their kind changed is.
        by_reader: the reader says what shape its answers have (`FetchResult.shapes`): their bytes
            alone do not tell, as of files that are packed, or whose format names the columns.
    """

    read: tuple[str, ...] = ()
    varying: tuple[str, ...] = ()
    by_reader: bool = False

    def reads(self, path: str) -> bool:
        """Whether bars are made of a field."""
        return _fits(path, self.read)

    def varies(self, path: str) -> bool:
        """Whether a field comes and goes by itself."""
        return _fits(path, self.varying)


@dataclass(frozen=True)
class ShapeChange:
    """One difference between an answer and the last good one before it.

    Attributes:
        path: of the field; of several that went or came together the one above them.
        change: gone, new, or type (another kind of value).
        was: its kinds before, comma-separated; empty for a new field.
        now: its kinds now; empty for one that is gone.
        read: whether bars are made of it, or of a field below it.
    """

    path: str
    change: Change
    was: str
    now: str
    read: bool

    @property
    def told(self) -> str:
        """The change in a sentence."""
        name = f"field {self.path!r}" if self.path else "the answer"
        if self.change == "gone":
            text = f"{name}, which came before, is gone"
        elif self.change == "new":
            text = f"{name} is new ({self.now})"
        else:
            text = f"{name} was {self.was} and is {self.now}"
        return f"{text}; bars are made of it" if self.read else text


@dataclass(frozen=True)
class ToldChange:
    """A change that was told before.

    Attributes:
        number: names it.
        symbol: in whose answer it was seen; empty where the answer was about several.
        change: what it was.
        is_open: whether that symbol's answers have not come back to their old form since.
    """

    number: int
    symbol: str
    change: ShapeChange
    is_open: bool


def shape_of(content: bytes) -> Shape | None:
    """The shape of JSON, or of a table as text with names in its first line; None of all else."""
    head = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] in (b"{", b"["):
        found: dict[str, set[str]] = {}
        try:
            _walk(json.loads(content), "", found)
        except (ValueError, RecursionError):
            return None
        return {path: frozenset(kinds) for path, kinds in found.items()}
    return _table_shape(content)


def differences(before: Shape, after: Shape, fields: AnswerFields) -> list[ShapeChange]:
    """What an answer has that the one before had not, and the reverse; sorted by path.

    What lies in an object or array that is empty, or is not there, is not judged by itself; null
    is of every kind.
    """
    if before.get("") != after.get(""):
        # Of another form altogether, every field would be gone or new.
        form = _text(before.get("", _NULL)), _text(after.get("", _NULL))
        return [ShapeChange("", "type", *form, read=bool(fields.read))]
    found = [*_gone(before, after, fields), *_new(before, after, fields)]
    for path in before.keys() & after.keys():
        was, now = before[path] - _NULL, after[path] - _NULL
        if was and now - was:
            read = any(fields.reads(p) for p in before if _below(p, [path]))
            found.append(ShapeChange(path, "type", _text(was), _text(now), read))
    return sorted(found, key=lambda c: (c.path, c.change))


def learnt(before: Shape, after: Shape, changes: Sequence[ShapeChange]) -> Shape:
    """What is expected of the next answer: the newest one, and what it was not judged by."""
    gone = [c.path for c in changes if c.change == "gone"]
    kept = {p: k for p, k in before.items() if p not in after and not _below(p, gone)}
    return kept | {p: (kinds - _NULL) or before.get(p, kinds) for p, kinds in after.items()}


def news(changes: Iterable[ShapeChange], told: Sequence[ToldChange]) -> list[ShapeChange]:
    """Changes that nobody was told of yet.

    A change is told once, whoever's answer shows it. A field that bars are made of is told again
    when it goes once more after it came back; any other that flutters is not.
    """
    return [change for change in changes if not any(_same(change, t) for t in told)]


def mended(shape: Shape, symbol: str, told: Sequence[ToldChange]) -> list[int]:
    """Numbers of changes that an answer about a symbol has taken back."""
    return [
        t.number for t in told if t.is_open and t.symbol == symbol and _is_back(t.change, shape)
    ]


def as_json(shape: Shape) -> str:
    """A shape as text, the same for the same shape."""
    return json.dumps({path: sorted(kinds) for path, kinds in sorted(shape.items())})


def from_json(text: str) -> Shape:
    """The shape that a text holds."""
    return {path: frozenset(kinds) for path, kinds in json.loads(text).items()}


def _walk(value: Any, path: str, found: dict[str, set[str]]) -> None:
    found.setdefault(path, set()).add(_KINDS[type(value)])
    if isinstance(value, dict):
        named = [name for name in value if not _VALUE_NAME.fullmatch(name)]
        for name in named[:_MOST_NAMES]:
            _walk(value[name], _join(path, name), found)
        if len(named) < len(value):
            rows = [item for name, item in value.items() if _VALUE_NAME.fullmatch(name)]
            _walk_items(rows, _join(path, ITEM), found)
    elif isinstance(value, list) and value:
        _walk_items(value, _join(path, ITEM), found)


def _walk_items(items: list[Any], path: str, found: dict[str, set[str]]) -> None:
    kinds = set(map(type, items))
    if not kinds & {dict, list}:
        found.setdefault(path, set()).update(_KINDS[kind] for kind in kinds)
        return
    sample = [*items[:_SAMPLE], items[-1]]
    if kinds == {list} and len({len(row) for row in sample}) == 1 <= len(sample[0]) <= _MOST_PLACES:
        found.setdefault(path, set()).add("array")
        for place, column in enumerate(zip(*sample, strict=True)):
            _walk_items(list(column), _join(path, f"place {place}"), found)
        return
    for item in sample:
        _walk(item, path, found)


def _table_shape(content: bytes) -> Shape | None:
    lines = content[:20_000].decode("utf-8-sig", "replace").splitlines()[: _SAMPLE + 1]
    titles = [title.strip().strip('"') for title in lines[0].split(",")] if lines else []
    if len(titles) < 2 or any(not t or _NUMBER.fullmatch(t) or "<" in t for t in titles):
        return None
    rows = [cells for line in lines[1:-1] if len(cells := line.split(",")) == len(titles)]
    shape = {"": frozenset({"table"})}
    for place, title in enumerate(titles):
        cells = [row[place].strip() for row in rows]
        shape[_join("", title)] = frozenset(map(_kind_of_cell, cells)) or _NULL
    return shape


def _kind_of_cell(cell: str) -> str:
    if not cell:
        return "null"
    return "number" if _NUMBER.fullmatch(cell) else "text"


def _gone(before: Shape, after: Shape, fields: AnswerFields) -> Iterator[ShapeChange]:
    for path in before.keys() - after.keys():
        above = _above(path)
        if fields.varies(path) or above is None or not after.get(above, _NULL) & _CONTAINERS:
            continue
        read = any(fields.reads(p) and not fields.varies(p) for p in before if _below(p, [path]))
        if read or _is_filled(above, after):
            yield ShapeChange(path, "gone", _text(before[path]), "", read)


def _new(before: Shape, after: Shape, fields: AnswerFields) -> Iterator[ShapeChange]:
    for path in after.keys() - before.keys():
        above = _above(path)
        if above is not None and _is_filled(above, before) and not fields.varies(path):
            yield ShapeChange(path, "new", "", _text(after[path]), fields.reads(path))


def _same(change: ShapeChange, told: ToldChange) -> bool:
    """Whether there is nothing new about a change to somebody who was told of another."""
    known = told.change
    if (known.path, known.change, known.now) == (change.path, change.change, change.now):
        return told.is_open or not change.read
    # It came back, or is again what it was.
    kinds = known.change, change.change
    back = kinds == ("gone", "new") or (kinds == ("type", "type") and known.was == change.now)
    return known.path == change.path and back


def _is_back(change: ShapeChange, shape: Shape) -> bool:
    if change.change == "gone":
        return change.path in shape
    kinds = shape.get(change.path, frozenset()) - _NULL
    return change.change == "type" and bool(kinds) and kinds <= set(change.was.split(", "))


def _fits(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, p) or fnmatchcase(path, f"{p}/*") for p in patterns)


def _join(path: str, name: str) -> str:
    return f"{path}/{name.replace('/', '|')[:_LONGEST_NAME]}" if path else name[:_LONGEST_NAME]


def _above(path: str) -> str | None:
    """The path of what a field lies in; None for the answer itself."""
    return path.rpartition("/")[0] if path else None


def _below(path: str, others: Iterable[str]) -> bool:
    return any(path == other or path.startswith(f"{other}/") for other in others)


def _is_filled(path: str, shape: Shape) -> bool:
    return any(other and _above(other) == path for other in shape)


def _text(kinds: Iterable[str]) -> str:
    return ", ".join(sorted(kinds))
