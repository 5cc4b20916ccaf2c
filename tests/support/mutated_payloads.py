"""Recorded answers, damaged: what any vendor's reader has to survive.

What belongs here: ways to damage a body, how damaged bodies get to a vendor without a network, and
what is held against every answer. What does not: which bodies, and what they say (the tests).

    @given(mutations())
    def test_survives(damage, test_data):
        content = damage(recorded)
        assert accepted(vendor_with(content), REQUEST) <= what_it_says(content)

where `what_it_says` reads the body once more, in plain Python, row by row.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import strategies as st

from adapters.vendors.http import Answer
from market_data.errors import VendorError
from market_data.ports import Claim, FetchRequest, FetchResult, Payload, Vendor
from market_data.schemas import CORPORATE_ACTIONS, FETCHED_BARS, REJECTED_ROWS

T = TypeVar("T")
Row = tuple[Any, ...]
_NEST = "nested-here"
_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, -0.0, 1, 1.5, 1e308, -1e308, 5e-324, 2**31, 2**53 + 1, 2**63, 2**64,
    10**30, 10**18, float("nan"), float("inf"), float("-inf"), "", " ", "0", "-1", "1.5", " 1.5",
    "1,5", "1_000", "1e400", "-1e400", "NaN", "nan", "Infinity", "inf", "null", "None", "0x1p3",
    "1.5.2", "٣", "\uff19", "\u0000", "\ud800", "\U0001f4a9", "x" * 5000, "9" * 400, "1970-01-01",
    "9999-12-31", "2020-02-30", "2018-06-29 09:30:00", "2014-05-06T00:00:00Z", [], {}, [[]], [1.5],
    ["1.5"], {"a": 1}, {"1. open": "1"}, _NEST,
)  # fmt: skip
"""Values that stand where something else was promised; the last becomes a deep nest."""
_DEPTHS = (2, 50, 900, 5_000, 100_000)


@dataclass(frozen=True)
class Damage:
    """One way to damage any body; the same one does the same again."""

    seed: int
    steps: int

    def __call__(self, body: bytes) -> bytes:
        """The body, damaged."""
        chance = random.Random(self.seed)
        try:
            value = json.loads(body)
        except ValueError:
            value = None
        if value is not None and chance.random() < 0.75:
            for _ in range(self.steps):
                value = _in_tree(value, chance)
            body = _written(value, chance)
        else:
            for _ in range(self.steps):
                body = _in_lines(body, chance)
        return _in_bytes(body, chance) if chance.random() < 0.2 else body


def mutations() -> st.SearchStrategy[Damage]:
    """Ways to damage a body."""
    return st.builds(Damage, st.integers(0, 2**48), st.integers(1, 4))


def _in_tree(value: Any, chance: random.Random) -> Any:
    """The JSON value with one place changed."""
    parents: list[tuple[Any, Any]] = []
    place = value
    while isinstance(place, list | dict) and place and (not parents or chance.random() < 0.85):
        key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        parents.append((place, key))
        place = place[key]
    if not parents:
        return chance.choice(_ODD)
    parent, key = parents[-1]
    kind = chance.randrange(7)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, list):
        parent.insert(chance.randrange(len(parent) + 1), parent[key])
    elif kind == 2 and isinstance(parent, list):
        chance.shuffle(parent)
    elif kind == 3 and isinstance(place, str | int | float) and not isinstance(place, bool):
        parent[key] = float(place) if _is_number(place) else place.upper()
    elif kind == 4 and isinstance(parent, dict):
        parent[chance.choice([str(key) + "x", str(key).upper(), "", "9. volume"])] = place
        del parent[key]
    elif kind == 5:
        other, name = chance.choice(parents)
        parent[key], other[name] = chance.choice(_ODD), chance.choice(_ODD)
    else:
        parent[key] = chance.choice(_ODD)
    return value


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return False
    return True


def _written(value: Any, chance: random.Random) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=chance.random() < 0.9)
    except (ValueError, RecursionError):
        return b"{"
    depth = chance.choice(_DEPTHS)
    left, right = ("[", "]") if chance.random() < 0.5 else ('{"a":', "}")
    nest = left * depth + "1" + right * depth
    return text.replace(f'"{_NEST}"', nest).encode("utf-8", "surrogatepass")


def _in_lines(body: bytes, chance: random.Random) -> bytes:
    """The text with lines or cells changed."""
    lines = body.split(b"\n")
    here = chance.randrange(len(lines))
    kind = chance.randrange(7)
    if kind == 0:
        chance.shuffle(lines)
    elif kind == 1:
        lines.insert(here, chance.choice(lines))
    elif kind == 2:
        lines[here] = lines[here][: chance.randrange(len(lines[here]) + 1)]
    elif kind == 3:
        lines[here] += chance.choice([b",", b",1", b"\r", b'"', b" ", b"\x00", b"\xff"])
    else:
        cells = lines[here].split(b",")
        odd = str(chance.choice(_ODD)).encode("utf-8", "surrogatepass")
        cells[chance.randrange(len(cells))] = odd
        lines[here] = b",".join(cells)
    return b"\n".join(lines)


def _in_bytes(body: bytes, chance: random.Random) -> bytes:
    """The bytes cut, stretched or in another encoding."""
    here = chance.randrange(len(body) + 1)
    noise = bytes(chance.randrange(256) for _ in range(8))
    text = body.decode("utf-8", "replace")
    return chance.choice(
        [
            body[:here],
            body[here:],
            body[:here] + noise + body[here:],
            body[:here] + noise + body[here + 8 :],
            body + body,
            b"\xef\xbb\xbf" + body,
            text.encode("utf-16"),
            text.encode("utf-32"),
            text.encode("latin-1", "replace"),
            b"<html>" + body,
            b"",
            b"null",
            noise,
        ]
    )


@dataclass
class BodyHttp:
    """Stands where a vendor has its client: every question gets the same body."""

    content: bytes
    status: int = 200
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def get(
        self,
        path: str,
        params: Mapping[str, str | int],
        read: Callable[[Answer], T],
        claims: Sequence[Claim] = (),
    ) -> T:
        self.asked.append(params)
        return read(Answer(self.status, self.content, Payload(self.content, path)))


def normal(*values: Any) -> Row:
    """Values as they are compared: a number that is none equals itself."""
    return tuple("nan" if isinstance(v, float) and v != v else v for v in values)  # noqa: PLR0124


def accepted(vendor: Vendor, request: FetchRequest, *columns: str) -> set[Row]:
    """The bars of an answer: ts, the prices, volume, and further columns.

    Trouble may end the answer in a VendorError and in no other exception; the frames have the
    promised shapes; a rejected row says why.
    """
    results: list[FetchResult] = []
    try:
        results.extend(vendor.fetch(request))
    except VendorError as trouble:
        assert str(trouble)
    found: set[Row] = set()
    for result in results:
        FETCHED_BARS.check(result.frame)
        REJECTED_ROWS.check(result.rejected)
        CORPORATE_ACTIONS.check(result.actions)
        assert all(result.rejected["reasons"].to_list())
        names = ("ts", "open", "high", "low", "close", "volume", *columns)
        found |= {normal(*row) for row in result.frame.select(names).iter_rows()}
    return found
