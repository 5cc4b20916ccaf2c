"""No form of a secret survives, wherever it stands and wherever the text was cut."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.ports.known_secrets import PIECE, REDACTED, without_secrets

KEY = "K3y/4+s=e%c&r?e\"t'\\ü€𝄞 end"


def lower_percent(text: str) -> str:
    parts = quote(text, safe="").split("%")
    return parts[0] + "".join("%" + part[:2].lower() + part[2:] for part in parts[1:])


def based(text: str) -> str:
    return b64encode(text.encode("utf-8", "surrogatepass")).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "quote": lambda s: quote(s, errors="surrogatepass"),
    "quote, nothing safe": lambda s: quote(s, safe="", errors="surrogatepass"),
    "quote, small letters": lower_percent,
    "quote_plus": lambda s: quote_plus(s, errors="surrogatepass"),
    "quote twice": lambda s: quote(quote(s, safe=""), safe=""),
    "json": lambda s: json.dumps(s)[1:-1],
    "json, not ascii": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "json, slashes": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "quote in json": lambda s: json.dumps(quote_plus(s))[1:-1],
    "html": escape,
    "repr": lambda s: repr(s)[1:-1],
    "base64": based,
    "base64 of user:key": lambda s: based(f"user:{s}"),
    "base64 of me:key@": lambda s: based(f"me:{s}@"),
    "base64 for addresses": lambda s: urlsafe_b64encode(f"u:{s}".encode()).decode(),
    "quoted base64": lambda s: quote(based(f"a:{s}"), safe=""),
}
letters = st.characters(exclude_categories=["Cs"])
secrets = st.text(letters, min_size=PIECE, max_size=40) | st.text(
    "abcdefABCDEF0123456789+/=%&-_.~ ", min_size=PIECE, max_size=64
)
around = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def pieces(text: str, length: int = PIECE) -> set[str]:
    return {text[at : at + length] for at in range(len(text) - length + 1)}


def core(encoding: str, secret: str) -> str:
    """What of an encoded secret follows from the secret alone."""
    encoded = ENCODINGS[encoding](secret)
    if "base64" not in encoding:
        return encoded
    plain = encoded.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=").rstrip("=")
    return plain[8:-2]


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=60, deadline=None, database=None)
@given(secret=secrets, before=around, after=around)
def test_neither_a_secret_nor_a_piece_of_it_is_left(
    encoding: str, secret: str, before: str, after: str
) -> None:
    text = f"{before}{ENCODINGS[encoding](secret)}{after}"
    clean = without_secrets(text, [secret])
    assert not pieces(secret) & pieces(clean)
    # A piece of an encoding may mean less than PIECE characters of the secret.
    shown = core(encoding, secret)
    assert shown not in clean or not pieces(shown)


@settings(max_examples=300, deadline=None, database=None)
@given(data=st.data(), encoding=st.sampled_from(sorted(ENCODINGS)), before=around)
def test_a_cut_leaves_nothing_of_it_in_sight(
    data: st.DataObject, encoding: str, before: str
) -> None:
    secret = data.draw(st.text("abcdefABCDEF0123456789+/=&", min_size=16, max_size=40))
    text = before + ENCODINGS[encoding](secret)
    cut = text[: data.draw(st.integers(len(before), len(text)))]
    clean = without_secrets(cut, [secret])
    assert not pieces(secret) & pieces(clean)
    assert not pieces(core(encoding, secret), 3 * PIECE) & pieces(clean, 3 * PIECE)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_stands_around_a_secret_stays(encoding: str) -> None:
    text = f"the key {ENCODINGS[encoding](KEY)} is wrong, say so"
    clean = without_secrets(text, [KEY])
    assert clean.startswith("the key ")
    assert clean.endswith(" is wrong, say so")
    assert REDACTED in clean
    assert len(clean) <= len("the key ") + 16 + len(" is wrong, say so")


def test_stars_in_a_secret_bring_nothing_back() -> None:
    assert "abc***def" not in without_secrets("abc" + "abc***def" + "def", ["abc***def"])
    assert without_secrets("x" + "*" * 50, ["******"]).count("*") < 6


def test_nothing_is_looked_for_where_there_is_no_secret() -> None:
    assert without_secrets("a text", []) == "a text"
    assert without_secrets("a text", [""]) == "a text"


def test_a_short_secret_goes_where_it_stands_whole() -> None:
    assert without_secrets("apikey=demo&symbol=IBM", ["demo"]) == "apikey=***&symbol=IBM"
