"""Planning from what an installation holds: exactly what lacks, and who is asked for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from market_data.backfill.estimate import Rates
from market_data.backfill.experience import refusal
from market_data.backfill.plan_json import plan_from_json, plan_to_json
from market_data.backfill.plans import BackfillPlan, BackfillRequest
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill, BackfillState
from market_data.backfill.scope import scope_of
from market_data.datasets import FEATURES, curated_bars
from market_data.errors import ConfigurationError, StoreUnavailableError
from market_data.features.registry import Kind, bar_groups, group_for
from market_data.pipeline.backfill import plan_backfill
from market_data.pipeline.backfill_answers import Again, unanswered
from market_data.pipeline.backfill_feeds import Group
from market_data.pipeline.features import make_features
from market_data.pipeline.planning import IngestRequest, plan_ingest
from market_data.pipeline.questions import plan_cost
from market_data.pipeline.score import score_range
from market_data.timeframes import Timeframe
from tests.support.worlds import World

NOW = datetime(2024, 3, 8, 23, tzinfo=UTC)
FIRST, LAST = date(2024, 1, 2), date(2024, 3, 8)
ACME, BTC = "DEMO-ACME", "DEMO-BTC"
POLICY = BackfillPolicy()


def planned(world: World, dataset: str = "curated/bars_1d", **changes: Any) -> BackfillPlan:
    policy = changes.pop("policy", POLICY)
    pilot = changes.pop("pilot", False)
    wish = BackfillRequest(dataset, (ACME, BTC), FIRST, LAST, ("sample_a",))
    request = replace(wish, **changes)
    return plan_backfill(world.platform, request, policy, Rates(), pilot=pilot).plan


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.at(tmp_path, NOW)


def test_everything_lacks_and_is_one_run_with_the_questions_of_an_ingest(world: World) -> None:
    plan = planned(world)
    (piece,) = plan.pieces
    assert (piece.first, piece.last) == (FIRST, LAST)
    assert piece.asked == {"sample_a": (ACME, BTC)}
    # 47 sessions of New York, 67 days of a market that never closes.
    assert (piece.symbol_sessions, piece.bars) == (114, 114)
    platform = world.platform
    request = IngestRequest("sample_a", Timeframe.D1, (ACME, BTC), FIRST, LAST)
    vendor = platform.vendors.open("sample_a")
    cost = plan_cost(platform, request, plan_ingest(platform, request), vendor)
    assert plan.requests == {"sample_a": cost.requests}
    assert (plan.complete, plan.not_begun, plan.rows) == (0, 0, 228)


def test_what_is_there_is_left_out_and_a_stretch_far_from_another_is_a_run(world: World) -> None:
    world.load("sample_a", "1d", (ACME, BTC), "2024-01-10", "2024-02-28")
    plan = planned(world)
    assert [(p.first, p.last) for p in plan.pieces] == [
        (FIRST, date(2024, 1, 9)),
        (date(2024, 2, 29), LAST),
    ]
    assert plan.symbol_sessions + plan.complete == 114
    world.load("sample_a", "1d", BTC, FIRST, LAST)
    assert planned(world).pieces[0].symbols == (ACME,)


def test_a_large_one_is_cut_and_asks_for_the_same_sessions(world: World) -> None:
    plan = planned(world, "curated/bars_1m", policy=BackfillPolicy(bars_per_run=60_000))
    assert [(p.first, p.last) for p in plan.pieces] == [
        (FIRST, date(2024, 1, 31)),
        (date(2024, 2, 1), date(2024, 2, 29)),
        (date(2024, 3, 1), LAST),
    ]
    whole = planned(world, "curated/bars_1m")
    assert len(whole.pieces) == 1
    assert plan.symbol_sessions == whole.symbol_sessions


def test_a_pilot_takes_the_newest_sessions_alone(world: World) -> None:
    plan = planned(world, pilot=True)
    assert plan.pilot
    # The newest five days on which anything trades; the shares trade on all but a weekend.
    assert (plan.pieces[0].first, plan.pieces[-1].last) == (date(2024, 3, 4), LAST)
    assert plan.symbol_sessions == 10


def test_a_pilot_tries_what_the_rest_needs_and_so_speaks_for_it(world: World) -> None:
    """However unlike its symbols are in what they lack."""
    world.load("sample_a", "1d", ACME, "2024-01-05", LAST)
    world.load("sample_b", "1d", BTC, "2024-02-01", LAST)
    wish = BackfillRequest("curated/bars_1d", (ACME, BTC), FIRST, LAST, overwrite_curated=True)

    def plan(pilot: bool) -> BackfillPlan:
        return plan_backfill(world.platform, wish, POLICY, Rates(), pilot=pilot).plan

    tried = plan(pilot=True)
    assert {s for p in tried.pieces for s in p.asked.get("sample_a", ())} == {ACME, BTC}
    passed = Backfill("a", NOW, "me", tried, BackfillState.SUCCEEDED, NOW, ())
    guard = BackfillPolicy(guard_symbol_sessions=20)
    classes = world.platform.universe.classes
    assert tried.symbol_sessions < 60
    assert refusal(plan(pilot=False), [], guard, NOW, classes)
    assert refusal(plan(pilot=False), [passed], guard, NOW, classes) == ""
    # Once it is done, what is left is less.
    for piece in tried.pieces:
        for vendor, symbols in piece.asked.items():
            world.load(vendor, "1d", symbols, piece.first, piece.last)
    assert refusal(plan(pilot=False), [passed], guard, NOW, classes) == ""


def test_bars_that_nobody_has_are_made_of_minutes(world: World) -> None:
    (piece,) = planned(world, "curated/bars_4h").pieces
    assert (piece.timeframe, piece.also) == (Timeframe.M1, (Timeframe.H4,))
    assert piece.asked == {"sample_a": (ACME, BTC)}


def test_raw_bars_of_one_vendor(world: World) -> None:
    (piece,) = planned(world, "raw/sample_b_bars_1d", vendors=()).pieces
    assert set(piece.asked) == {"sample_b"}
    assert piece.rows("raw") == piece.bars


def test_again_and_anew(world: World) -> None:
    world.load_and_curate("sample_a", "1d", (ACME, BTC), FIRST, LAST)
    assert planned(world, refetch=True).symbol_sessions == 114
    anew = planned(world, overwrite_curated=True)
    assert (anew.symbol_sessions, anew.complete) == (114, 0)
    assert anew.requests == planned(world).requests


def test_what_other_rules_made_is_found_by_its_version(world: World) -> None:
    world.load_and_curate("sample_a", "1d", (ACME, BTC), FIRST, LAST)
    score_range(world.platform, (ACME, BTC), FIRST, LAST)
    assert planned(world, vendors=(), outdated=True).pieces == ()
    versions = world.platform.rule_versions
    changed = {key: f"{version}-newer" for key, version in versions.items()}
    newer = replace(world.platform, rule_versions=changed)
    request = BackfillRequest("curated/bars_1d", (ACME, BTC), FIRST, LAST, outdated=True)
    plan = plan_backfill(newer, request, POLICY, Rates()).plan
    (piece,) = plan.pieces
    assert piece.asked == {}
    # What has neither a bar nor a score was made by no rules.
    assert piece.symbol_sessions == 114


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"first": LAST, "last": FIRST}, "before it starts"),
        ({"last": date(1980, 1, 1), "first": date(1980, 1, 1)}, "first session of the universe"),
        ({"symbols": ("NOBODY",)}, "NOBODY"),
        ({"vendors": ("nobody",)}, "nobody"),
        ({"vendors": ("alpha_vantage",)}, "off"),
        ({"symbols": ("AAPL",)}, "serves AAPL"),
        ({"outdated": True}, "--outdated asks nobody"),
        ({"dataset": "raw/sample_a_bars_1d", "overwrite_curated": True}, "raw log"),
    ],
)
def test_what_cannot_be_is_refused(world: World, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        planned(world, **changes)


def test_what_has_no_answer_is_named(world: World) -> None:
    (piece,) = planned(world).pieces
    assert unanswered(world.platform, piece)["outcome"].to_list() == [None] * 114
    world.load("sample_a", "1d", BTC, FIRST, LAST)
    left = unanswered(world.platform, piece)
    assert set(left["symbol"]) == {ACME}


def test_pieces_of_two_timeframes_begin_with_the_oldest_sessions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [
        Group(Timeframe.D1, (ACME,), {"sample_a": (ACME,)}),
        Group(Timeframe.M1, (BTC,), {"sample_a": (BTC,)}, (Timeframe.D1,)),
    ]
    monkeypatch.setattr("market_data.pipeline.backfill.groups_of", lambda *_: groups)
    world.load("sample_a", "1d", ACME, "2024-01-03", "2024-02-28")
    pieces = planned(world, policy=BackfillPolicy(bars_per_run=60_000)).pieces
    assert [p.number for p in pieces] == list(range(len(pieces)))
    assert [p.first for p in pieces] == sorted(p.first for p in pieces)
    assert {p.timeframe for p in pieces[:2]} == {Timeframe.D1, Timeframe.M1}
    assert {p.timeframe for p in pieces[-2:]} == {Timeframe.D1, Timeframe.M1}


def test_what_was_answered_before_is_no_answer_to_who_asks_again(world: World) -> None:
    world.load("sample_a", "1d", (ACME, BTC), FIRST, LAST)
    later = world.later(NOW + timedelta(hours=1))
    (piece,) = planned(later, refetch=True).pieces
    assert unanswered(later.platform, piece).is_empty()
    nobody = Again(later.now, [])
    assert unanswered(later.platform, piece, nobody).height == 114
    later.load("sample_a", "1d", BTC, FIRST, LAST, refetch=True)
    left = unanswered(later.platform, piece, nobody)
    assert (set(left["symbol"]), set(left["outcome"])) == ({ACME}, {None})
    # The vendor answers that it cannot serve the oldest any more; the ledger keeps what it said.
    (attempt,) = later.platform.journal.runs(since=later.now)
    told = replace(attempt, symbols=(ACME,), sessions=(FIRST, date(2024, 2, 29)))
    left = unanswered(later.platform, piece, Again(later.now, [told]))
    assert left["session"].min() == date(2024, 3, 1)
    failed = Again(later.now, [replace(told, status="failed")])
    assert unanswered(later.platform, piece, failed)["session"].min() == FIRST


def test_features_are_made_anew_where_asked_or_of_another_definition(world: World) -> None:
    world.load_and_curate("sample_a", "1d", (ACME, BTC), FIRST, LAST)
    score_range(world.platform, (ACME, BTC), FIRST, LAST)
    # The newest session may be asked for again.
    known = {"overwrite_features": True, "last": date(2024, 2, 29)}
    (piece,) = planned(world, **known).pieces
    assert (piece.asked, piece.features, piece.curated) == ({}, True, False)
    assert piece.symbol_sessions == 100
    assert piece.assets("curated") == len(bar_groups(Timeframe.D1))
    (piece,) = planned(world, **known, overwrite_curated=True).pieces
    assert (piece.features, piece.curated) == (True, True)
    # Nothing was made by another definition while there is nothing.
    old = {"vendors": (), "outdated": True}
    assert planned(world, **old).pieces == ()
    make_features(world.platform, bar_groups(Timeframe.D1), (ACME, BTC), FIRST, LAST)
    assert planned(world, **old).pieces == ()
    group = group_for(Kind.REGIME, Timeframe.D1)
    dataset, day = FEATURES[group.key], (date(2024, 2, 5), date(2024, 2, 5))
    store = world.platform.store
    rows = store.scan(dataset, symbols=[BTC], sessions=day)
    assert rows.height == 1
    former = rows.with_columns(definition=pl.lit("0123456789ab"))
    store.replace(dataset, former, sessions=day, symbols=[BTC])
    plan = planned(world, **old)
    (piece,) = plan.pieces
    assert (piece.first, piece.last, piece.symbols) == (*day, (BTC,))
    assert (piece.features, piece.curated) == (True, False)
    again = plan_from_json(plan_to_json(plan))
    assert (again.request, again.pieces) == (plan.request, plan.pieces)
    assert {s.dataset.name for s in scope_of(plan).stored} == {
        g.dataset for g in bar_groups(Timeframe.D1)
    }


def test_features_that_stand_on_bars_that_are_made_follow_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.load_and_curate("sample_a", "1d", (ACME, BTC), "2024-01-10", LAST)
    past = {"last": date(2024, 2, 29)}
    (piece,) = planned(world, **past).pieces
    assert (piece.curated, piece.featured) == (True, ())
    days = date(2024, 2, 5), date(2024, 2, 9)
    make_features(world.platform, bar_groups(Timeframe.D1), (ACME,), *days)
    # What is before them has a part in averages, what is after them may tell labels.
    (before,) = planned(world, **past).pieces
    assert (before.last, before.featured) == (date(2024, 1, 9), (Timeframe.D1,))
    assert before.assets("curated") == piece.assets("curated") + len(bar_groups(Timeframe.D1))
    (after,) = planned(world, first=date(2024, 2, 26), refetch=True, **past).pieces
    assert after.featured == (Timeframe.D1,)
    # Nothing of the other symbol, and nothing that is further away than a label reaches.
    assert planned(world, symbols=(BTC,), refetch=True, **past).pieces[0].featured == ()
    late = {"first": date(2024, 5, 6), "last": date(2024, 5, 10), "refetch": True}
    later = world.later(datetime(2024, 5, 20, tzinfo=UTC))
    assert planned(later, **late).pieces[0].featured == ()
    # Raw bars alone change none.
    assert planned(world, "raw/sample_a_bars_1d", vendors=()).pieces[0].featured == ()
    again = planned(world, **past)
    assert plan_from_json(plan_to_json(again)).pieces == again.pieces

    def away(*_: object) -> pl.DataFrame:
        raise StoreUnavailableError("it does not answer")

    monkeypatch.setattr("market_data.pipeline.backfill.under_features", away)
    assert planned(world, symbols=(BTC,), **past).pieces[0].featured == (Timeframe.D1,)


def test_thorough_finds_what_the_raw_logs_give_otherwise(world: World) -> None:
    world.load_and_curate("sample_a", "1d", BTC, FIRST, LAST)
    score_range(world.platform, (ACME, BTC), FIRST, LAST)
    day = (date(2024, 2, 5), date(2024, 2, 5))
    store, dataset = world.platform.store, curated_bars(Timeframe.D1)
    rows = store.scan(dataset, symbols=[BTC], sessions=day)
    other = rows.with_columns(close=pl.col("close") + 1, high=pl.col("high") + 1)
    store.replace(dataset, other, sessions=day, symbols=[BTC])
    wish = {"vendors": (), "symbols": (BTC,), "outdated": True}
    assert planned(world, **wish).pieces == ()
    (piece,) = planned(world, **wish, thorough=True).pieces
    assert (piece.first, piece.last, piece.symbols, piece.curated) == (*day, (BTC,), True)
    with pytest.raises(ConfigurationError, match="give both"):
        planned(world, thorough=True)
