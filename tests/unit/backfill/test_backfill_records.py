"""Plans as text, estimates from experience, and the guard of large ones."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.backfill.estimate import (
    LAUNCH_SECONDS,
    REQUEST_SECONDS,
    Measured,
    Rates,
    vendor_seconds,
)
from market_data.backfill.experience import rates_of, refusal
from market_data.backfill.guards import guarded
from market_data.backfill.plan_json import plan_from_json, plan_to_json
from market_data.backfill.plans import BackfillPlan, dataset_parts
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill, BackfillState, PieceRecord, PieceState
from market_data.backfill.window import window_of
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe
from tests.support.backfill_plans import NOW, plan_of

SMALL = BackfillPolicy(guard_symbol_sessions=99, pilot_valid=timedelta(days=7))


def done(plan: BackfillPlan, *seconds: float, vendors: float = 1.0, **changes: Any) -> Backfill:
    pieces = tuple(
        PieceRecord(
            n, PieceState.SUCCEEDED, claimed_at=NOW, ended_at=NOW + timedelta(seconds=s),
            outcome={"vendor_seconds": {"sample_a": vendors}},
        )
        for n, s in enumerate(seconds)
    )  # fmt: skip
    made = Backfill("a", NOW, "me", plan, BackfillState.SUCCEEDED, NOW, pieces)
    return replace(made, **changes)


def pilot_of(**changes: Any) -> BackfillPlan:
    """A pilot of `plan_of(2)` with something else in its piece, or in its request."""
    plan = plan_of(1, pilot=True)
    if "refetch" in changes:
        return replace(plan, request=replace(plan.request, **changes))
    return replace(plan, pieces=(replace(plan.pieces[0], **changes),))


def test_a_plan_is_the_same_after_it_was_written() -> None:
    plan = plan_of(2, pilot=True)
    assert plan_from_json(plan_to_json(plan)) == plan
    assert (plan.symbol_sessions, plan.requests, plan.rows) == (100, {"sample_a": 4}, 200)


def test_a_plan_of_a_newer_program_is_refused() -> None:
    newer = {**json.loads(plan_to_json(plan_of(1))), "version": 2}
    with pytest.raises(ConfigurationError, match="newer version"):
        plan_from_json(json.dumps(newer))


@pytest.mark.parametrize(
    ("dataset", "parts"),
    [
        ("curated/bars_1d", ("", Timeframe.D1)),
        ("raw/sample_a_bars_1m", ("sample_a", Timeframe.M1)),
    ],
)
def test_datasets_that_can_be_backfilled(dataset: str, parts: tuple[str, Timeframe]) -> None:
    assert dataset_parts(dataset) == parts


@pytest.mark.parametrize(
    "dataset",
    ["bars_1d", "curated/bars_7m", "curated/yahoo_bars_1d", "raw/bars_1d", "quality/scores", ""],
)
def test_others_are_refused(dataset: str) -> None:
    with pytest.raises(ConfigurationError, match="no dataset that can be backfilled"):
        dataset_parts(dataset)


def test_the_limits_of_a_vendor_or_its_answers_whichever_take_longer() -> None:
    assert vendor_seconds(10, 60.0, 0.2) == 60.0
    assert vendor_seconds(10, 0.0, 0.2) == 2.0
    assert vendor_seconds(10, 0.0, None) == 10 * REQUEST_SECONDS


def test_rates_are_what_earlier_pieces_took_but_for_an_odd_one() -> None:
    plan = plan_of(3)
    work = plan.pieces[0].work("curated")
    rates = rates_of([done(plan, 15.0, 15.0, 351.0)], "curated/bars_1d")
    assert rates.work([work]) == pytest.approx(14.0, rel=0.1)
    assert rates.request_seconds == {"sample_a": 0.5}
    assert rates.pieces == 3
    assert rates_of([done(plan, 15.0)], "curated/bars_1h") == Rates()


@given(
    start=st.floats(0.5, 15),
    scale=st.floats(0.2, 5),
    small=st.floats(0.01, 0.5),
    large=st.floats(20, 400),
    noise=st.lists(st.floats(0.9, 1.1), min_size=3, max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_a_pilot_and_a_piece_tell_how_long_the_rest_takes(
    start: float, scale: float, small: float, large: float, noise: list[float]
) -> None:
    """Within 30 %, whatever the machine, as long as its pieces differ by a tenth."""
    works = (small, large, large)
    took = [n * (start + scale * w) for n, w in zip(noise, works, strict=True)]
    rates = Rates.of(Measured(w, s) for w, s in zip(works, took, strict=True))
    rest = [large * share for share in (0.5, 1.0, 1.5, 1.5)]
    truth = sum(start + scale * work for work in rest)
    assert rates.work(rest) == pytest.approx(truth, rel=0.3)
    assert min(rates.launch, rates.scale) >= 0


def test_a_small_pilot_makes_no_claim_about_the_work() -> None:
    slow_start = Rates.of([Measured(0.2, 12.0)])
    assert slow_start.work([100.0]) == pytest.approx(112.0, rel=0.1)


def test_time_in_queues_is_no_measure_of_the_work() -> None:
    plan = plan_of(1)
    work = plan.pieces[0].work("curated")
    queued = done(plan, 3_600.0)
    (piece,) = queued.pieces
    measured = replace(piece, outcome={**piece.outcome, "seconds": 1.0 + LAUNCH_SECONDS + work})
    rates = rates_of([replace(queued, pieces=(measured,))], "curated/bars_1d")
    assert rates.scale == pytest.approx(1.0)


def test_a_window_over_midnight_and_one_within_a_day() -> None:
    night, noon = window_of("22:00-06:00 America/New_York"), window_of("11:30-13:00 UTC")
    assert str(night) == "22:00-06:00 America/New_York"

    def inside(hour: int, minute: int = 0) -> tuple[bool, bool]:
        at = NOW.replace(hour=hour, minute=minute)
        return night.holds(at), noon.holds(at)

    # New York is five hours behind.
    assert [inside(h)[0] for h in (2, 3, 10, 11, 22)] == [False, True, True, False, False]
    assert inside(10, 59)[0]
    assert [inside(11, 29)[1], inside(11, 30)[1], inside(12, 59)[1], inside(13)[1]] == [
        False, True, True, False,
    ]  # fmt: skip


def test_a_plan_of_before_keeps_to_no_window() -> None:
    content = json.loads(plan_to_json(plan_of(1)))
    del content["off_peak"]
    assert not plan_from_json(json.dumps(content)).off_peak


def test_a_large_backfill_waits_for_its_pilot() -> None:
    large = plan_of(2)
    assert "--pilot" in refusal(large, [], SMALL, NOW)
    assert refusal(plan_of(1), [], SMALL, NOW) == ""
    assert refusal(replace(large, pilot=True), [], SMALL, NOW) == ""
    pilot = done(plan_of(1, pilot=True), 1.0)
    assert refusal(large, [pilot], SMALL, NOW + timedelta(days=7)) == ""


def test_whoever_launches_the_policy_says_what_is_kept_and_when_it_begins() -> None:
    policy = SMALL.model_copy(update={"off_peak_above": 60, "snapshot": "guarded"})
    small, large = (guarded(plan_of(n, pilot=True), [], policy, NOW) for n in (1, 2))
    assert (small.plan.off_peak, large.plan.off_peak) == (False, True)
    assert (small.plan.snapshot, small.refused) == ("", "")
    assert large.plan.snapshot.startswith("20240308T220000-")
    assert "--pilot" in guarded(plan_of(2), [], policy, NOW).refused
    wished = guarded(plan_of(2), [], SMALL, NOW, off_peak=True, snapshot=False).plan
    assert (wished.off_peak, wished.snapshot) == (True, "")
    assert guarded(plan_of(1), [], SMALL, NOW).plan.snapshot
    assert guarded(plan_of(0), [], SMALL, NOW).plan.snapshot == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"state": BackfillState.FAILED},
        {"changed_at": NOW - timedelta(days=8)},
        {"plan": plan_of(1)},
        {"plan": plan_of(0, pilot=True)},
        {"plan": pilot_of(symbols=("DEMO-ACME",))},
        {"plan": pilot_of(asked={})},
        {"plan": pilot_of(asked={"sample_b": ("DEMO-ACME", "DEMO-BTC")})},
        {"plan": pilot_of(asked={"sample_a": ("DEMO-ACME",)})},
        {"plan": pilot_of(timeframe=Timeframe.M1)},
        {"plan": pilot_of(first=date(2001, 1, 2), last=date(2001, 1, 3))},
        {"plan": pilot_of(refetch=True)},
    ],
)
def test_a_pilot_that_does_not_speak_for_it(changes: dict[str, Any]) -> None:
    pilot = replace(done(plan_of(1, pilot=True)), **changes)
    assert "--pilot" in refusal(plan_of(2), [pilot], SMALL, NOW)


@pytest.mark.parametrize(
    ("tried", "speaks"), [("ABCDE", False), ("ABCDEX", False), ("ABCDEXYZ", True), ("ABXYZ", False)]
)
def test_a_pilot_samples_every_asset_class(tried: str, speaks: bool) -> None:
    """Five symbols of each, or as many as there are."""
    classes = dict.fromkeys("ABCDEFGH", "equity") | dict.fromkeys("XYZ", "crypto")
    (piece,) = plan_of(1).pieces
    everybody = replace(piece, symbols=tuple(classes), asked={"sample_a": tuple(classes)})
    some = replace(piece, symbols=tuple(tried), asked={"sample_a": tuple(tried)})
    wish = replace(plan_of(1).request, symbols=())
    plan = plan_of(1, request=wish)
    large = replace(plan, pieces=(replace(everybody, symbol_sessions=999),))
    pilot = done(replace(plan, pilot=True, pieces=(some,)))
    assert (refusal(large, [pilot], SMALL, NOW, classes) == "") is speaks


def test_what_a_pilot_did_need_not_be_a_part_of_what_is_left() -> None:
    """Of one vendor a symbol is left that the pilot did not try: it tried as many others."""
    plan = plan_of(1)
    (piece,) = plan.pieces
    tried = replace(piece, symbols=("DEMO-BTC",), asked={"sample_a": ("DEMO-BTC",)})
    left = replace(piece, symbols=("DEMO-ACME",), asked={"sample_a": ("DEMO-ACME",)})
    left = replace(left, symbol_sessions=999)
    pilot, rest = done(replace(plan, pilot=True, pieces=(tried,))), replace(plan, pieces=(left,))
    assert refusal(rest, [pilot], SMALL, NOW) == ""
    narrow = replace(plan.request, symbols=("DEMO-ACME",))
    assert refusal(replace(rest, request=narrow), [pilot], SMALL, NOW)


def test_a_busy_machine_is_believed() -> None:
    """A pilot that took eight times as long as elsewhere: the same again takes as long."""
    for slower in (0.3, 1.0, 8.0, 40.0):
        pilot = Measured(0.2, slower * (LAUNCH_SECONDS + 0.2), {}, {})
        told = Rates.of([pilot]).work([0.2])
        assert told == pytest.approx(pilot.seconds, rel=0.05), slower
    # It says nothing of hours of work.
    slow = Rates.of([Measured(0.2, 8.0 * LAUNCH_SECONDS, {}, {})])
    assert 3_600 * 0.9 <= slow.work([3_600]) <= 3_600 * 8.0
