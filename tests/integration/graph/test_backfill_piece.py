"""The run of a piece, and what is said of it: a success is more than that Dagster calls it one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from emp_assets.naming import raw_key
from jobs import backfill_piece
from jobs.backfill_piece import TAG_BACKFILL, end_lost_runs, perform
from jobs.ranged_run import Selection
from market_data.backfill.driving import Performed
from market_data.backfill.estimate import Rates
from market_data.backfill.plans import BackfillRequest, Piece
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import PieceState
from market_data.datasets import FEATURES, curated_bars
from market_data.features.registry import Kind, group_for
from market_data.pipeline.backfill import plan_backfill
from market_data.timeframes import Timeframe
from tests.support.graph import Graph, graph

FIRST, LAST = date(2024, 3, 4), date(2024, 3, 8)
WISH = BackfillRequest("curated/bars_1d", ("DEMO-BTC",), FIRST, LAST, ("sample_a",))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with graph(tmp_path_factory.mktemp("backfill")) as made:
        yield made


def piece_of(world: Graph, request: BackfillRequest) -> Piece:
    (piece,) = plan_backfill(world.platform, request, BackfillPolicy(), Rates()).plan.pieces
    return piece


def run(world: Graph, piece: Piece, request: BackfillRequest) -> tuple[str, Performed]:
    run_id = str(uuid.uuid4())
    tags = {TAG_BACKFILL: "abc"}
    done = perform(
        world.defs, world.instance, world.platform, piece, request, run_id=run_id, tags=tags
    )
    return run_id, done


def test_a_piece_is_one_ranged_run_that_brings_what_was_planned(world: Graph) -> None:
    piece = piece_of(world, WISH)
    run_id, done = run(world, piece, WISH)
    assert done.state is PieceState.SUCCEEDED, done.reason
    assert done.outcome["new_rows"] == piece.bars == 5
    recorded = world.instance.get_run_by_id(run_id)
    assert recorded is not None
    assert recorded.tags[TAG_BACKFILL] == "abc"
    asked = [r for r in world.platform.journal.runs() if r.run_id == run_id]
    assert len(asked) == piece.requests["sample_a"]
    stored = world.platform.store.scan(curated_bars(Timeframe.D1), symbols=["DEMO-BTC"])
    assert stored.height == 5
    # The same again asks for nothing, and nothing lacks.
    again, done = run(world, piece, WISH)
    assert done.state is PieceState.SUCCEEDED
    assert [r for r in world.platform.journal.runs() if r.run_id == again] == []


def test_raw_bars_alone(world: Graph) -> None:
    request = BackfillRequest("raw/sample_b_bars_1d", ("DEMO-BTC",), FIRST, LAST)
    run_id, done = run(world, piece_of(world, request), request)
    assert done.state is PieceState.SUCCEEDED, done.reason
    events = [entry.dagster_event for entry in world.instance.all_logs(run_id)]
    made = {e.asset_key for e in events if e is not None and e.is_step_materialization}
    assert made == {raw_key("sample_b", Timeframe.D1)}


def test_a_question_without_an_answer_is_a_failure_that_names_it(
    world: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = BackfillRequest("curated/bars_1d", ("DEMO-ACME",), FIRST, LAST, ("sample_a",))
    piece = piece_of(world, request)
    execute = backfill_piece.execute

    def asks_nobody(definitions: Any, instance: Any, selection: Selection, **how: Any) -> bool:
        # As where a vendor is switched off between the plan and the run.
        rest = frozenset(k for k in selection.keys if k.path[0] != "raw")
        return execute(definitions, instance, Selection(rest, selection.ops, (FIRST, LAST)), **how)

    monkeypatch.setattr(backfill_piece, "execute", asks_nobody)
    _, done = run(world, piece, request)
    assert done.state is PieceState.FAILED
    assert done.reason == "5 symbol-sessions of sample_a: not asked"
    assert done.outcome["unanswered"] == {"sample_a: not asked": 5}


def test_what_was_to_be_asked_again_and_was_not_is_a_failure(
    world: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For want of an allowance, for instance: answers of before do not count."""
    request = BackfillRequest(**{**vars(WISH), "refetch": True})
    piece = piece_of(world, request)
    _, done = run(world, piece, request)
    assert done.state is PieceState.SUCCEEDED, done.reason
    execute = backfill_piece.execute

    def asks_nobody(definitions: Any, instance: Any, selection: Selection, **how: Any) -> bool:
        rest = frozenset(k for k in selection.keys if k.path[0] != "raw")
        return execute(definitions, instance, Selection(rest, selection.ops, (FIRST, LAST)), **how)

    monkeypatch.setattr(backfill_piece, "execute", asks_nobody)
    _, done = run(world, piece, request)
    assert (done.state, done.reason) == (
        PieceState.FAILED,
        "5 symbol-sessions of sample_a: not asked",
    )


def test_a_session_that_no_run_has_made_is_a_failure_that_names_it(
    world: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece = piece_of(world, BackfillRequest(**{**vars(WISH), "overwrite_curated": True}))
    execute = backfill_piece.execute

    def leaves_out(definitions: Any, instance: Any, selection: Selection, **how: Any) -> bool:
        shorter = Selection(selection.keys, selection.ops, (FIRST, date(2024, 3, 7)))
        return execute(definitions, instance, shorter, **how)

    monkeypatch.setattr(backfill_piece, "execute", leaves_out)
    _, done = run(world, piece, WISH)
    assert done.state is PieceState.FAILED
    told = "curated/bars_1d was not made for 1 sessions, the first of them 2024-03-08"
    assert done.reason.startswith(told)


def test_a_step_that_breaks_is_told_in_its_own_words(
    world: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("emp_assets.curated.bars.curate_sessions", broken)
    piece = piece_of(world, BackfillRequest(**{**vars(WISH), "overwrite_curated": True}))
    _, done = run(world, piece, WISH)
    assert done.state is PieceState.FAILED
    assert "curated/bars_1d: " in done.reason
    assert "the disk is gone" in done.reason


def test_a_run_whose_process_is_gone_is_recorded_as_failed(world: Graph) -> None:
    job = world.defs.resolve_job_def("rebuild_curated")
    begun, own, other = (
        world.instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags={TAG_BACKFILL: name}
        )
        for name in ("dead", "dead", "alive")
    )
    end_lost_runs(world.instance, {TAG_BACKFILL: "dead"}, but=own.run_id)
    ends = [world.instance.get_run_by_id(run.run_id) for run in (begun, own, other)]
    assert [run.status.value for run in ends if run] == ["FAILURE", "STARTED", "STARTED"]


def test_features_alone_and_after_the_bars(world: Graph) -> None:
    bars = replace(WISH, overwrite_curated=True)
    run(world, piece_of(world, bars), bars)
    request = replace(WISH, overwrite_features=True, last=date(2024, 3, 7))
    piece = piece_of(world, request)
    assert (piece.curated, piece.features) == (False, True)
    run_id, done = run(world, piece, request)
    assert done.state is PieceState.SUCCEEDED, done.reason
    events = [entry.dagster_event for entry in world.instance.all_logs(run_id)]
    made = {e.asset_key.path[0] for e in events if e and e.is_step_materialization and e.asset_key}
    assert "curated" not in made
    price = FEATURES[group_for(Kind.PRICE, Timeframe.D1).key]
    found = world.platform.store.scan(price, symbols=["DEMO-BTC"])["session"]
    assert found.to_list() == [date(2024, 3, d) for d in (4, 5, 6, 7)]
    request = replace(request, overwrite_curated=True)
    _, done = run(world, piece_of(world, request), request)
    assert done.state is PieceState.SUCCEEDED, done.reason
