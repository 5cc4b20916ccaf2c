"""Messages are taken once with what follows of them; a key launches one backfill; both engines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapters.operations import SqlBackfills
from adapters.operations.messages import LONGEST, Parked, SqlRefreshMessages, Taken
from market_data.backfill.records import BackfillState
from market_data.errors import ConfigurationError
from tests.support.backfill_plans import NOW, plan_of

TOPIC = "market-data.refresh"
LATER = NOW + timedelta(minutes=1)
POISON = Parked(0, 7, '{"a": "\x00"}', "it lacks dataset")


@pytest.fixture
def kept(engine: sa.Engine) -> SqlRefreshMessages:
    return SqlRefreshMessages(engine)


@pytest.fixture
def backfills(engine: sa.Engine) -> SqlBackfills:
    return SqlBackfills(engine)


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ANY_TEXT, ANY_TEXT)
@example("\ud800", "a\x00b\udfff")
def test_any_text_is_kept_and_can_be_printed(
    kept: SqlRefreshMessages, body: str, reason: str
) -> None:
    """What no encoding takes, half of a surrogate pair for instance, becomes U+FFFD."""
    was = kept.places(TOPIC).get(0)
    poison = Parked(0, was or 0, body, reason)
    taken = Taken(TOPIC, {0: was}, {0: (was or 0) + 1}, [], [poison])
    assert kept.take(taken, at=NOW, author="x") == []
    (found,) = kept.parked(limit=1)
    for told, said in ((found.message.body, body), (found.message.reason, reason)):
        assert told.encode().decode() == told
        assert len(told) == len(said)
        strange = {"\x00", *(c for c in said if "\ud800" <= c <= "\udfff")}
        expected = "".join("\ufffd" if c in strange else c for c in said)
        assert told == expected


FIRST = Taken(TOPIC, {0: None, 1: None}, {0: 8, 1: 3}, [plan_of(1)], [POISON])


def test_a_batch_is_kept_with_what_follows_of_it(
    kept: SqlRefreshMessages, backfills: SqlBackfills
) -> None:
    assert kept.places(TOPIC) == {}
    added = kept.take(FIRST, at=NOW, author="refresh_requests")
    assert added == [b.id for b in backfills.newest(author="refresh_requests")]
    assert backfills.newest(author="me") == []
    assert kept.places(TOPIC) == {0: 8, 1: 3}
    assert kept.places("another") == {}
    assert kept.take(replace(FIRST, was={0: 8}, becomes={0: 9}), at=NOW, author="x")
    assert kept.places(TOPIC) == {0: 9, 1: 3}


def test_what_asks_for_nothing_is_kept_as_over_once_a_day(
    kept: SqlRefreshMessages, backfills: SqlBackfills
) -> None:
    first = replace(FIRST, plans=[], parked=[], complete=[plan_of(0)])
    assert kept.take(first, at=NOW, author="refresh_requests") == []
    again = replace(first, was={0: 8, 1: 3}, becomes={0: 9, 1: 4}, plans=[plan_of(1)])
    (made,) = kept.take(again, at=LATER, author="refresh_requests") or []
    newest, over = backfills.newest(author="refresh_requests")
    assert (newest.id, over.state, over.pieces) == (made, BackfillState.SUCCEEDED, ())
    later = replace(first, was={0: 9}, becomes={0: 10})
    assert kept.take(later, at=NOW + timedelta(days=1), author="refresh_requests") == []
    assert len(backfills.newest(author="refresh_requests")) == 3
    assert [one.id for one in backfills.live()] == [made]


def test_of_two_readers_of_the_same_messages_one_takes_them(
    kept: SqlRefreshMessages, backfills: SqlBackfills
) -> None:
    assert kept.take(FIRST, at=NOW, author="me") is not None
    for late in (FIRST, replace(FIRST, was={0: 7}, becomes={0: 8}), replace(FIRST, becomes={1: 9})):
        assert kept.take(late, at=LATER, author="me") is None
    assert len(backfills.newest()) == 1
    assert len(kept.parked()) == 1
    assert kept.places(TOPIC) == {0: 8, 1: 3}
    again = replace(FIRST, was={0: 8, 1: 3}, becomes={0: 20, 1: 5}, parked=())
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: kept.take(again, at=LATER, author="me"), range(4)))
    assert sum(one is not None for one in done) == 1
    assert len(backfills.newest()) == 2


def test_a_decision_is_taken_once(kept: SqlRefreshMessages) -> None:
    assert kept.waiting() == (0, "")
    long = Parked(0, 8, "x" * (LONGEST + 1), "it is no JSON")
    kept.take(replace(FIRST, plans=(), parked=[POISON, long]), at=NOW, author="me")
    assert kept.waiting() == (2, "it is no JSON")
    second, first = kept.parked()
    assert (first.message.place, first.message.reason) == (7, "it lacks dataset")
    assert len(second.message.body) == LONGEST
    assert kept.get(first.id) == first
    assert kept.decide(first.id, "sent again", LATER)
    assert not kept.decide(first.id, "dropped", LATER)
    assert kept.waiting()[0] == 1
    assert [one.id for one in kept.parked()] == [second.id]
    assert [one.id for one in kept.parked(decided=True)] == [second.id, first.id]
    with pytest.raises(ConfigurationError, match="sent again"):
        kept.get(first.id)
    with pytest.raises(ConfigurationError, match="no parked message 99"):
        kept.get(99)


def test_under_one_key_one_backfill_is_launched(backfills: SqlBackfills) -> None:
    def add(key: str) -> str:
        return backfills.add(plan_of(2), at=NOW, author="me", key=key)

    with ThreadPoolExecutor(4) as pool:
        same = set(pool.map(add, ["recovery|1d"] * 4))
    assert len(same) == 1
    assert add("recovery|1h") not in same
    assert add("") != add("")
    assert len(backfills.newest()) == 4
