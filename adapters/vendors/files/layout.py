"""Where in a line each role stands: from the spec's list of columns, or from the file's header.

What belongs here: the schema of a text, and its refusal before any row is read.
What does not: the cells (parse.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.vendors.files.blocks import Block
from adapters.vendors.files.spec import ACTIONS, NULLABLE, FormatSpec
from market_data.answer_shapes import Shape
from market_data.errors import MalformedAnswerError
from market_data.schemas import PRICES

PROBE = 20
"""Lines of a text without header of which at least one must have the promised width."""


@dataclass(frozen=True)
class Layout:
    """The columns of one text.

    Attributes:
        names: one per field, each once.
        roles: role to the index of its field.
    """

    names: tuple[str, ...]
    roles: Mapping[str, int]

    @property
    def shape(self) -> Shape:
        """The shape of the text, its columns named by their roles.

        Of the columns whose absence a reader survives: without prices and times there is no bar,
        and whether they come as bid and ask, or date and time, is the format's affair. A column
        that no role takes may come and go.
        """
        told = (*PRICES, *(role for role in (*NULLABLE, *ACTIONS) if role in self.roles))
        return {"": frozenset({"table"})} | dict.fromkeys(told, frozenset({"number"}))


def read_layout(block: Block, spec: FormatSpec, label: str) -> tuple[Layout, Block]:
    """The layout of a text, and its first block without the lines that come before the rows.

    Raises:
        MalformedAnswerError: the text has not the columns that the spec promises.
    """
    rows, line = block.data, block.line
    for _ in range(spec.skip_lines):
        rows, line = rows.partition(b"\n")[2], line + 1
    if not spec.header:
        return _by_position(rows, spec, label), Block(rows, line)
    while rows:
        first, _, rows = rows.partition(b"\n")
        line += 1
        text = first.decode()
        if text.strip() and not (spec.comment and text.startswith(spec.comment)):
            return _by_name(text, spec, label), Block(rows, line)
    raise MalformedAnswerError(f"schema: {label} has no header line")


def _by_position(rows: bytes, spec: FormatSpec, label: str) -> Layout:
    width = spec.width or 0
    lines = [
        text
        for text in rows[: PROBE * 400].decode(errors="replace").split("\n")[:PROBE]
        if text.strip() and not (spec.comment and text.startswith(spec.comment))
    ]
    widths = [_width(text, spec.delimiter) for text in lines]
    if lines and width not in widths:
        raise MalformedAnswerError(
            f"schema: {label} has lines of {max(set(widths), key=widths.count)} fields, "
            f"the format {spec.name} has {width}: {lines[0][:120]!r}"
        )
    roles = {role: int(index[0]) for role, index in spec.columns.items()}
    at = {index: role for role, index in roles.items()}
    return Layout(tuple(at.get(i, f"column_{i}") for i in range(width)), roles)


def _width(text: str, delimiter: str) -> int:
    fields = text.split(delimiter)
    return len(fields) - (len(fields) > 1 and not fields[-1].strip())


def _by_name(text: str, spec: FormatSpec, label: str) -> Layout:
    header = [cell.strip().strip('"').strip() for cell in text.split(spec.delimiter)]
    lower = [name.lower() for name in header]
    roles: dict[str, int] = {}
    absent = []
    for role, wanted in spec.columns.items():
        found = next((i for name in wanted if (i := _index(name, lower)) is not None), None)
        if found is not None:
            roles[role] = found
        elif role not in spec.optional:
            absent.append(f"{role} ({' or '.join(map(repr, wanted))})")
    if absent:
        raise MalformedAnswerError(
            f"schema: {label} lacks the columns {', '.join(absent)}; its header is {text[:200]!r}"
        )
    names: list[str] = []
    for i, name in enumerate(header):
        names.append(name if name and name not in names else f"column_{i}")
    return Layout(tuple(names), roles)


def _index(name: str | int, header: list[str]) -> int | None:
    if isinstance(name, int):
        return name if name < len(header) else None
    return header.index(name.lower()) if name.lower() in header else None
