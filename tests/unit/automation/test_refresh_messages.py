"""What a message asks for, why it is poison, and how many become few wishes."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.alerts import Kind, Severity
from market_data.alerts.automation_sources import sightings_of_parked
from market_data.backfill.plans import BackfillRequest
from market_data.refresh_messages import PoisonError, coalesce, parse, wish_of, written
from tests.support.backfill_plans import NOW

GOOD = {
    "version": 1,
    "dataset": "bars_1d",
    "symbols": ["MSFT", "AAPL"],
    "start": "2024-01-02",
    "end": "2024-01-05",
}
FIRST = date(2024, 1, 1)


def message(**changes: Any) -> bytes:
    content = {**GOOD, **changes}
    return json.dumps({k: v for k, v in content.items() if v is not None}).encode()


def test_a_message_is_a_wish() -> None:
    found = parse(message(id="mine", refetch=True), 100)
    assert (found.dataset, found.symbols) == ("curated/bars_1d", ("AAPL", "MSFT"))
    assert (found.first, found.last) == (date(2024, 1, 2), date(2024, 1, 5))
    assert (found.refetch, found.overwrite_curated) == (True, True)
    assert parse(written(found), 100) == found
    raw = parse(message(dataset="raw/yahoo_bars_1m"), 100)
    assert (raw.dataset, raw.refetch, raw.overwrite_curated) == ("raw/yahoo_bars_1m", False, False)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (None, "it is empty"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1]", "no JSON object"),
        (message(version=2), "its version is 2"),
        (message(version=None), "lacks version"),
        (message(symbols=None, end=None), "lacks symbols, end"),
        (message(colour="red"), "nobody knows colour"),
        (message(symbols="AAPL"), "'symbols' is not a list"),
        (message(symbols=[]), "'symbols' is not a list"),
        (message(symbols=[1]), "'symbols' is not a list"),
        (message(symbols=["\ud800"]), "'symbols' is not a list"),
        (message(**{"\ud800": 1}), "nobody knows \ufffd$"),
        (message(version=[[]]), "its version is no number"),
        (message(refetch="yes"), "'refetch' is not"),
        (message(start="yesterday"), "'start' is not a day"),
        (message(end=20240105), "'end' is not a day"),
        (message(end="2023-12-29"), "it ends"),
        (message(dataset="bars_2d"), "no dataset"),
        (message(dataset=7), "no dataset"),
        (message(end="2024-03-29"), "names 176 days of symbols, more than 100"),
    ],
)
def test_poison_says_why(body: bytes | None, why: str) -> None:
    with pytest.raises(PoisonError, match=why):
        parse(body, 100)


def wish(symbols: str, first: int, last: int, *, refetch: bool = False) -> BackfillRequest:
    span = FIRST + timedelta(days=first), FIRST + timedelta(days=last)
    return wish_of("curated/bars_1d", tuple(symbols), span, refetch=refetch)


def test_the_same_is_said_once() -> None:
    said = [wish("AB", 0, 3), wish("A", 4, 6), wish("B", 2, 6), wish("C", 0, 6), wish("C", 20, 22)]
    assert coalesce(said * 50, 20) == [wish("ABC", 0, 6), wish("C", 20, 22)]
    other = wish("A", 0, 3, refetch=True)
    assert coalesce([other, said[0]], 20) == [wish("AB", 0, 3), other]


def test_too_many_become_wider_ones() -> None:
    said = [wish("A", 0, 1), wish("B", 5, 6), wish("C", 30, 31), wish("D", 100, 101)]
    assert coalesce(said, 4) == said
    assert coalesce(said, 3) == [wish("ABC", 0, 31), wish("D", 100, 101)]


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(GOOD)) | ANY_TEXT, CONTENT, max_size=4))
def test_whatever_a_message_says_is_a_wish_or_a_reason_that_can_be_told(
    changes: dict[str, Any],
) -> None:
    """On every terminal and in every database, and no longer than one reads."""
    body = json.dumps({**GOOD, **changes}).encode()
    try:
        found = parse(body, 10_000)
    except PoisonError as error:
        why = str(error)
        assert why.isprintable()
        assert len(why.encode()) < 2_100
    else:
        assert all(symbol.isprintable() for symbol in found.symbols)


WISHES = st.builds(
    lambda s, first, days, refetch: wish("".join(sorted(s)), first, first + days, refetch=refetch),
    st.sets(st.sampled_from("ABCD"), min_size=1),
    st.integers(0, 120),
    st.integers(0, 9),
    st.booleans(),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(WISHES, max_size=12), st.integers(1, 20))
def test_nothing_that_was_said_is_lost(said: list[BackfillRequest], most: int) -> None:
    def days(requests: list[BackfillRequest]) -> set[tuple[str, bool, date]]:
        return {
            (symbol, r.refetch, r.first + timedelta(days=n))
            for r in requests
            for symbol in r.symbols
            for n in range((r.last - r.first).days + 1)
        }

    joined = coalesce(said, most)
    assert days(said) <= days(joined)
    if len(joined) > most:
        # They lie more than a month apart.
        assert len(joined) <= 2 * (130 // 31 + 1)
    exact = coalesce(said, 10_000)
    assert days(exact) == days(said)
    assert coalesce(exact, 10_000) == exact


def test_parked_messages_are_told_of_until_each_is_decided() -> None:
    (told,) = sightings_of_parked(2, "it is no JSON", NOW)
    assert told.trouble is not None
    assert (told.trouble.kind, told.trouble.severity) == (Kind.PARKED_MESSAGES, Severity.WARN)
    assert told.trouble.detail == "the newest: it is no JSON"
    (mended,) = sightings_of_parked(0, "", NOW)
    assert (mended.fingerprint, mended.trouble) == (told.fingerprint, None)
