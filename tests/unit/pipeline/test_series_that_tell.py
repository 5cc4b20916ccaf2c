"""Which series of a vendor tell splits and dividends, and what their silence says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest

from adapters.configuration import register
from market_data.basis import Adjustment
from market_data.ports import Telling
from market_data.timeframes import Timeframe
from market_data.universe import VendorConfig
from tests.support.adjusted_series import DAYS, EX, FIRST, LAST, series
from tests.support.fake_vendor import ask, shares
from tests.support.worlds import World

NOW = datetime(2024, 3, 20, 12, tzinfo=UTC)
SPLIT, DIVIDEND = ("split", 4.0), ("dividend", 2.0)
FACTOR = {SPLIT: 0.25, DIVIDEND: 0.98}
"""By which the adjusted close before the ex-date is less than the close."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = shares(World.at(tmp_path, NOW))
    register(
        made.settings,
        vendors=[
            VendorConfig(
                name=name,
                reader="alpha_vantage",
                timeframes=(Timeframe.M5, Timeframe.D1),
                symbols=("AAA",),
                options=options,
            )
            for name, options in {
                "paid": {"adjusted": True},
                "minutes": {"adjusted": "intraday"},
            }.items()
        ],
    )
    return replace(made)


def known(world: World) -> list[tuple[str, float]]:
    return world.platform.actions.read(symbols=["AAA"]).select("kind", "value").rows()


def test_a_series_tells_splits_or_not(world: World) -> None:
    tells = world.platform.vendors.tells_splits
    assert {tells("yahoo", t) for t in Timeframe} == {Telling.EVERY}
    for name in ("alpha_vantage", "minutes", "oanda", "mine"):
        assert {tells(name, t) for t in Timeframe} == {Telling.NONE}
    daily = {t for t in Timeframe if tells("paid", t) is not Telling.NONE}
    assert daily == {Timeframe.D1}
    assert tells("paid", Timeframe.D1) is Telling.WITH_ADJUSTED_CLOSE


@pytest.mark.parametrize(
    ("name", "adjustment", "action", "asked_before"),
    [
        ("paid", Adjustment.RAW, SPLIT, False),
        ("paid", Adjustment.RAW, SPLIT, True),
        ("paid", Adjustment.RAW, DIVIDEND, False),
        ("yahoo", Adjustment.SPLITS, DIVIDEND, True),
    ],
)
def test_a_split_that_no_close_knows_of_is_taken_back_and_a_lone_dividend_is_not(
    world: World, name: str, adjustment: Adjustment, action: tuple[str, float], asked_before: bool
) -> None:
    """Silence may be an answer that lacks its events, and closes that lack their adjustment."""
    told = {"carries": FACTOR[action], "adjustment": adjustment}
    if asked_before:
        early = world.later(NOW - timedelta(days=4))
        ask(early, series(name, **told), FIRST, LAST)
    ask(world, series(name, told=dict([action]), **told), FIRST, LAST, refetch=True)
    assert known(world) == [action]
    silent = world.later(NOW + timedelta(days=1))
    ask(silent, series(name, **told), FIRST, LAST, refetch=True)
    assert known(silent) == [action]
    later = world.later(NOW + timedelta(days=2))
    ask(later, series(name, adjustment=adjustment), FIRST, LAST, refetch=True)
    assert known(later) == ([] if action == SPLIT else [action])
    before = later.platform.actions.read(symbols=["AAA"], known_at=NOW + timedelta(days=1))
    assert before.select("kind", "value").rows() == [action]


@pytest.mark.parametrize("told", [{"split": 4.0}, {"dividend": 2.0}])
def test_a_series_that_tells_nothing_takes_nothing_back(
    world: World, told: dict[str, float]
) -> None:
    (action,) = told.items()
    ask(world, series("paid", told=told, carries=FACTOR[action]), FIRST, LAST)
    later = world.later(NOW + timedelta(days=1))
    hours = series("paid", carries=None)
    hours.bars = {"AAA": [datetime.combine(d, time(15), UTC) for d in DAYS]}
    ask(later, hours, FIRST, LAST, timeframe="5m")
    ask(later, series("paid", carries=None), FIRST, LAST, refetch=True)
    assert known(later) == [action]


@pytest.mark.parametrize(("carries", "since"), [(None, EX), (1.0, NOW.date())])
def test_only_who_could_have_told_an_action_has_told_it_late(
    world: World, carries: float | None, since: date
) -> None:
    """Answers without an adjusted close name no action, however many there are."""
    early = world.later(NOW - timedelta(days=1))
    ask(early, series("paid", carries=carries), FIRST, LAST)
    ask(world, series("paid", told=dict([SPLIT]), carries=FACTOR[SPLIT]), FIRST, LAST, refetch=True)
    found = world.platform.actions.read(symbols=["AAA"])
    assert found["known_at"].dt.date().to_list() == [since]


@pytest.mark.parametrize(
    ("carries", "timeframe", "flags"),
    [(1.0, "1d", "deadjusted"), (None, "1d", "splits_unknown"), (None, "5m", "splits_unknown")],
)
def test_only_answers_of_the_adjusted_series_are_evidence_of_there_being_no_split(
    world: World, carries: float | None, timeframe: str, flags: str
) -> None:
    """One answer about the first session tells of all splits since."""
    ask(world, series("mine", adjustment=Adjustment.SPLITS, carries=None), FIRST, LAST)
    hour = time(15 if timeframe == "5m" else 0)
    answer = series("paid", carries=carries)
    answer.bars = {"AAA": [datetime.combine(FIRST, hour, UTC)]}
    ask(world, answer, FIRST, FIRST, timeframe=timeframe)
    world.curate("1d", "AAA", FIRST, LAST)
    found = world.read("1d", "AAA", quality="all").filter(pl.col("session") > FIRST)
    assert found.select("source", "flags").unique().rows() == [("mine", flags)]
