"""Taking secrets that are known out of a text, however they are written there.

What belongs here: every form in which a key can come back from whoever it was sent to: as it is, in
an address, in JSON, in HTML, in Base64, whole or cut anywhere. What does not: secrets that only
their place gives away (redaction.py).

A secret is looked for in pieces: what is left of it by a cut is found like the whole, and no more
than PIECE - 1 characters of it stay in sight.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

REDACTED = "***"
PIECE = 6
"""Characters of a secret that are taken out wherever they stand together."""
_DEPTH = 2
"""How many encodings within one another are undone."""
_ROUNDS = 8
_SHORTEST_BASE64 = 4
"""Fewer characters of Base64 would be found by chance."""
_BASE64_SEAMS = (0, 2, 3)
"""Characters that bytes before the secret have part in: none, one or two bytes beyond a triple."""

_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")
_FORM = re.compile(rb"%([0-9a-fA-F]{2})|(\+)")
_ESCAPE = re.compile(
    rb"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|u([0-9a-fA-F]{4})"
    rb"|U(00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})"
    rb"|x([0-9a-fA-F]{2})"
    rb"|(.))",
    re.DOTALL,
)
_ENTITY = re.compile(rb"&#?[0-9a-zA-Z]{1,31};")
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


@dataclass(frozen=True)
class _View:
    """A text with some encoding undone: its bytes, and the characters that each stands for."""

    content: bytes
    spans: tuple[tuple[int, int], ...]


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """A text in which no secret stands, and no piece of one that is PIECE characters long.

    Args:
        text: whatever came back.
        secrets: as they were sent; one that is shorter than PIECE is taken out where it stands
            whole.
    """
    needles = _Needles([secret for secret in secrets if secret])
    if not needles:
        return text
    for _ in range(_ROUNDS):
        found = sorted({span for view in _views(text) for span in needles.within(view)})
        if not found:
            return text
        text = _covered(text, found)
    # What is left keeps making up the secret, with the stars that replace it.
    return REDACTED


class _Needles:
    """The pieces of all secrets, by their lengths."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._any_case: dict[int, set[bytes]] = {}
        self._exact: dict[int, set[bytes]] = {}
        for secret in secrets:
            content = secret.encode("utf-8", "surrogatepass")
            _cut(content.lower(), self._any_case)
            for form in _base64_forms(content):
                _cut(form, self._exact)

    def __bool__(self) -> bool:
        return bool(self._any_case)

    def within(self, view: _View) -> Iterator[tuple[int, int]]:
        """The characters of each piece that a view holds: first, and after the last."""
        for pieces, content in (
            (self._any_case, view.content.lower()),
            (self._exact, view.content),
        ):
            for length, known in pieces.items():
                for at in range(len(content) - length + 1):
                    if content[at : at + length] in known:
                        yield view.spans[at][0], view.spans[at + length - 1][1]


def _cut(content: bytes, pieces: dict[int, set[bytes]]) -> None:
    length = min(PIECE, len(content))
    ends = range(length, len(content) + 1)
    pieces.setdefault(length, set()).update(content[end - length : end] for end in ends)


def _base64_forms(content: bytes) -> Iterator[bytes]:
    """The characters of Base64 that follow from the secret alone, whatever stands around it."""
    for before, seam in enumerate(_BASE64_SEAMS):
        encoded = b64encode(bytes(before) + content)
        form = encoded[seam : (before + len(content)) * 8 // 6]
        if len(form) >= _SHORTEST_BASE64:
            yield form
            yield form.translate(bytes.maketrans(b"+/", b"-_"))


def _views(text: str) -> Iterator[_View]:
    """The text as it is, and with up to _DEPTH encodings undone."""
    content, spans = bytearray(), []
    for at, character in enumerate(text):
        encoded = character.encode("utf-8", "surrogatepass")
        content += encoded
        spans += [(at, at + 1)] * len(encoded)
    views = {bytes(content): _View(bytes(content), tuple(spans))}
    newest = list(views.values())
    yield from newest
    for _ in range(_DEPTH):
        undone = [_undone(view, *how) for view in newest for how in _DECODERS]
        newest = [view for view in undone if view.content not in views]
        views |= {view.content: view for view in newest}
        yield from newest


def _undone(
    view: _View, pattern: re.Pattern[bytes], decode: Callable[[re.Match[bytes]], bytes]
) -> _View:
    content = bytearray()
    spans: list[tuple[int, int]] = []
    end = 0
    for match in pattern.finditer(view.content):
        first, after = match.span()
        content += view.content[end:first]
        spans += view.spans[end:first]
        decoded = decode(match)
        content += decoded
        spans += [(view.spans[first][0], view.spans[after - 1][1])] * len(decoded)
        end = after
    content += view.content[end:]
    spans += view.spans[end:]
    return _View(bytes(content), tuple(spans))


def _of_percent(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode())


def _of_form(match: re.Match[bytes]) -> bytes:
    return b" " if match[2] else _of_percent(match)


def _of_escape(match: re.Match[bytes]) -> bytes:
    high, low, unit, point, byte, letter = match.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    if high:
        pair = bytes.fromhex((high + low).decode())
        return pair.decode("utf-16-be").encode()
    return chr(int(unit or point or byte, 16)).encode("utf-8", "surrogatepass")


def _of_entity(match: re.Match[bytes]) -> bytes:
    return html.unescape(match[0].decode()).encode("utf-8", "surrogatepass")


_DECODERS = (
    (_PERCENT, _of_percent),
    (_FORM, _of_form),
    (_ESCAPE, _of_escape),
    (_ENTITY, _of_entity),
)


def _covered(text: str, found: Iterable[tuple[int, int]]) -> str:
    """The text with REDACTED in the place of each stretch of some sorted spans."""
    parts, end, open_ = [], 0, False
    for first, after in found:
        if not open_ or first > end:
            parts += [text[end:first], REDACTED]
            open_ = True
        end = max(end, after)
    return "".join((*parts, text[end:]))
