"""Backfills are kept alike by both engines: one claim wins, and late words change nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from adapters.operations import SqlBackfills
from market_data.backfill.records import BackfillState, PieceState
from market_data.errors import ConfigurationError
from tests.support.backfill_plans import NOW, plan_of

LATER = NOW + timedelta(seconds=90)
PLAN = plan_of(3)


@pytest.fixture
def kept(engine: sa.Engine) -> SqlBackfills:
    return SqlBackfills(engine)


@pytest.fixture
def name(kept: SqlBackfills) -> str:
    return kept.add(PLAN, at=NOW, author="me")


def test_those_of_a_time_are_found_however_many_came_later(kept: SqlBackfills, name: str) -> None:
    later = [kept.add(plan_of(1), at=LATER, author="me") for _ in range(60)]
    assert {b.id for b in kept.since(NOW)} == {name, *later}
    assert {b.id for b in kept.since(LATER)} == set(later)
    kept.move(name, (BackfillState.RUNNING,), BackfillState.SUCCEEDED, LATER)
    assert kept.since(LATER)[-1].id == name, "it has changed since"
    assert kept.since(LATER + timedelta(seconds=1)) == []


def test_one_that_waits_is_driven_and_one_that_is_paused_is_not(kept: SqlBackfills) -> None:
    paused = kept.add(PLAN, at=NOW, author="me", state=BackfillState.PAUSED)
    waiting = kept.add(PLAN, at=NOW, author="me", state=BackfillState.WAITING)
    assert [b.id for b in kept.live()] == [waiting]
    assert kept.get(paused).state is BackfillState.PAUSED


def states(kept: SqlBackfills, name: str) -> list[PieceState]:
    return [piece.state for piece in kept.get(name).pieces]


def test_what_is_added_is_found_as_it_was(kept: SqlBackfills, name: str) -> None:
    found = kept.get(name[:5])
    assert (found.id, found.plan, found.author, found.created_at) == (name, PLAN, "me", NOW)
    assert found.state is BackfillState.RUNNING
    assert states(kept, name) == [PieceState.WAITING] * 3
    second = kept.add(plan_of(1), at=LATER, author="you")
    assert [b.id for b in kept.newest()] == [second, name]
    assert [b.id for b in kept.newest(1)] == [second]
    assert [b.id for b in kept.live()] == [name, second]


@pytest.mark.parametrize("beginning", ["", "%", "_", "nothing"])
def test_an_unknown_id_is_answered_with_the_newest_ones(
    kept: SqlBackfills, name: str, beginning: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"the newest: {name}"):
        kept.get(beginning)


def test_an_ambiguous_id_names_what_it_fits(kept: SqlBackfills, name: str) -> None:
    ids = {name, *(kept.add(plan_of(1), at=NOW, author="me") for _ in range(16))}
    first = next(i[0] for i in ids if sum(j.startswith(i[0]) for j in ids) > 1)
    with pytest.raises(ConfigurationError, match="several backfills begin"):
        kept.get(first)


def test_of_many_that_claim_at_once_one_has_it(kept: SqlBackfills, name: str) -> None:
    tokens = [f"token-{n}" for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(lambda token: kept.claim(name, 1, token, NOW), tokens))
    assert won.count(True) == 1
    piece = kept.get(name).pieces[1]
    assert (piece.token, piece.attempts) == (tokens[won.index(True)], 1)
    assert states(kept, name) == [PieceState.WAITING, PieceState.CLAIMED, PieceState.WAITING]


def test_an_attempt_begins_and_ends_once(kept: SqlBackfills, name: str) -> None:
    assert not kept.started(name, 0, "a", "run")
    assert kept.claim(name, 0, "a", NOW)
    assert kept.started(name, 0, "a", "run")
    assert not kept.started(name, 0, "a", "another")
    outcome = {"vendor_seconds": {"sample_a": 0.5}, "unanswered": {"Ω": 1}}
    done = PieceState.SUCCEEDED
    assert kept.settle(name, 0, "a", done, at=LATER, outcome=outcome)
    assert not kept.settle(name, 0, "a", PieceState.FAILED, at=LATER)
    piece = kept.get(name).pieces[0]
    assert (piece.state, piece.run_id, piece.outcome) == (done, "run", outcome)
    assert (piece.claimed_at, piece.ended_at) == (NOW, LATER)
    assert kept.get(name).done() == 50


def test_who_lost_a_piece_changes_nothing_any_more(kept: SqlBackfills, name: str) -> None:
    kept.claim(name, 0, "dead", NOW)
    assert kept.release(name, 0, "dead")
    assert not kept.started(name, 0, "dead", "run")
    assert kept.claim(name, 0, "new", LATER)
    assert not kept.started(name, 0, "dead", "run")
    assert not kept.settle(name, 0, "dead", PieceState.SUCCEEDED, at=LATER)
    assert not kept.release(name, 0, "dead")
    piece = kept.get(name).pieces[0]
    assert (piece.state, piece.token, piece.attempts) == (PieceState.CLAIMED, "new", 2)
    assert kept.release(name, 0, "new", counted=False)
    assert kept.get(name).pieces[0].attempts == 1


def test_failed_pieces_wait_again(kept: SqlBackfills, name: str) -> None:
    for number, state in enumerate((PieceState.FAILED, PieceState.HELD, PieceState.SUCCEEDED)):
        kept.claim(name, number, "a", NOW)
        kept.settle(name, number, "a", state, at=NOW, reason="the vendor said no")
    assert kept.get(name).reasons() == {"the vendor said no": 2}
    assert kept.repeat(name, 0)
    assert not kept.repeat(name, 1)
    assert (kept.get(name).pieces[0].state, kept.get(name).pieces[0].attempts) == ("waiting", 1)
    assert kept.again(name, (PieceState.HELD,)) == 1
    assert states(kept, name) == [PieceState.WAITING, PieceState.WAITING, PieceState.SUCCEEDED]
    assert (kept.get(name).pieces[1].attempts, kept.get(name).pieces[1].reason) == (0, "")


def test_what_is_dropped_never_begins(kept: SqlBackfills, name: str) -> None:
    kept.claim(name, 1, "a", NOW)
    assert kept.drop(name, 0, LATER)
    assert kept.drop(name, 1, LATER)
    assert not kept.settle(name, 1, "a", PieceState.SUCCEEDED, at=LATER)
    assert not kept.claim(name, 0, "b", LATER)
    assert not kept.drop(name, 0, LATER)


def test_a_state_changes_only_from_what_it_was(kept: SqlBackfills, name: str) -> None:
    running, cancelling = BackfillState.RUNNING, BackfillState.CANCELLING
    assert kept.move(name, (running,), cancelling, LATER)
    assert not kept.move(name, (running,), BackfillState.PAUSED, LATER)
    assert kept.get(name).changed_at == LATER
    assert [b.id for b in kept.live()] == [name]
    assert kept.move(name, (cancelling,), BackfillState.CANCELLED, LATER)
    assert kept.live() == []
