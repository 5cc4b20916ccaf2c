"""Reads that look at each bar beside its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.calendars import trading_sessions
from market_data.pipeline.flagging import COMPARED
from market_data.ports import Annotation, Decision
from market_data.quality.actions import ACTIONS
from market_data.quality.effects import DataEffect, ReadersEffect
from market_data.quality.jumps import HALF_SPLIT
from market_data.schemas import CURATED_BARS
from market_data.universe import AssetClass, Instrument
from tests.support.decisions import taken_back_afterwards
from tests.support.worlds import FileVendor, World

NOW = datetime(2024, 5, 1, tzinfo=UTC)
FIRST, LAST = date(2024, 1, 2), date(2024, 4, 30)
TICK, JUMP, PENCE = date(2024, 2, 27), date(2024, 3, 12), date(2024, 4, 9)
HIGH, UNTOLD, AGAIN = date(2024, 3, 19), date(2024, 3, 26), date(2024, 4, 2)
STILL, SILENT, BUSY = date(2024, 1, 29), date(2024, 2, 6), date(2024, 2, 13)
MARKED = {
    STILL: ("warn", "flat_run"),
    SILENT: ("warn", "zero_volume"),
    BUSY: ("warn", "volume"),
    TICK: ("warn", "false_tick"),
    HIGH: ("warn", "wick"),
    JUMP: ("warn", "jump"),
    UNTOLD: ("warn", "volume_missing"),
    AGAIN: ("warn", "repeated_bar"),
    PENCE: ("error", "unit_error"),
}
CODES = [code for _, code in MARKED.values()]
OF_OTHERS = {COMPARED, HALF_SPLIT}
"""What takes shorter bars, or a split on record."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A share that moves little, with one day of each code.

    One false close, one false high, one jump that stays, one change to pence, a fifth day at one
    price, and a day without volume, one with forty times the usual, one with none on record, and
    one that says the day before again.
    """
    folder = tmp_path_factory.mktemp("checked")
    rows = []
    for number, day in enumerate(trading_sessions("XNYS", FIRST, LAST)["session"]):
        close = 100 * (1 + 0.004 * (-1) ** number)
        close = 100.4 if STILL - timedelta(days=6) < day <= STILL else close
        close *= (1.5 if day >= JUMP else 1) * (100 if day >= PENCE else 1)
        wrong = close * 1.25 if day == TICK else close
        volume = {SILENT: 0, BUSY: 20_000, UNTOLD: ""}.get(day, 500 + number % 3)
        high = wrong * (1.6 if day == HIGH else 1.01)
        cells = f"{close},{high},{close * 0.99},{wrong},{volume}"
        rows.append(f"{day},{rows[-1].partition(',')[2] if day == AGAIN else cells}")
    path = folder / "bars.csv"
    path.write_text("\n".join(["date,open,high,low,close,volume", *rows]) + "\n")
    opened = World.at(folder, NOW).register(
        FileVendor("mine", {"1d": ("plain_daily", path)}, ("MINE",)),
        instruments=(Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS"),),
    )
    opened.load_and_curate("mine", "1d", "MINE", FIRST, LAST)
    return opened


@pytest.fixture(autouse=True)
def _decisions_end_with_their_test(world: World) -> Iterator[None]:
    with taken_back_afterwards(world):
        yield


def marks(bars: pl.DataFrame) -> dict[date, tuple[str, str]]:
    flagged = bars.filter(pl.col("flags") != "splits_unknown").with_columns(
        pl.col("flags").str.replace(",splits_unknown", "")
    )
    return {
        day: (status, flag)
        for day, status, flag in flagged.select("session", "dq_status", "flags").iter_rows()
        if flag
    }


def test_bars_carry_what_the_checks_find_if_a_reader_asks(world: World) -> None:
    assert marks(world.read("1d", "MINE", quality="all")) == {}
    checked = world.read("1d", "MINE", quality="all", checked=True)
    assert checked.columns == CURATED_BARS.names
    assert marks(checked) == MARKED
    found = world.inspect("1d", FIRST, LAST).findings
    told = found.filter(pl.col("code").is_in(CODES))
    assert {(r["session"], r["code"]) for r in told.to_dicts()} == {
        (day, code) for day, (_, code) in MARKED.items()
    }


def test_trusted_leaves_out_errors_and_ok_warnings_too(world: World) -> None:
    whole = set(world.read("1d", "MINE")["session"])
    for quality, left_out in (("trusted", {PENCE}), ("ok", set(MARKED))):
        served = world.read("1d", "MINE", quality=quality, checked=True)
        assert whole - set(served["session"]) == left_out


def test_what_bars_carry_and_readers_get_is_what_the_table_of_consequences_says(
    world: World,
) -> None:
    marking = {DataEffect.FLAG_ROW: "warn", DataEffect.MARK_ROW: "error"}
    said = {code: a for a in ACTIONS if a.data in marking for code in a.codes - OF_OTHERS}
    bars = world.read("1d", "MINE", quality="all", checked=True)
    found = {code: status for status, code in marks(bars).values()}
    assert found == {code: marking[action.data] for code, action in said.items()}
    served = {code for _, code in marks(world.read("1d", "MINE", checked=True)).values()}
    assert served == {c for c, action in said.items() if action.readers is ReadersEffect.FLAGGED}
    left_out = {c for c, action in said.items() if action.readers is ReadersEffect.LEFT_OUT}
    assert left_out == set(found) - served


def test_a_part_is_flagged_as_the_whole_is(world: World) -> None:
    whole = world.read("1d", "MINE", quality="all", checked=True)
    for day in MARKED:
        part = world.read("1d", "MINE", sessions=(day, day), quality="all", checked=True)
        assert_frame_equal(part, whole.filter(pl.col("session") == day))


def test_a_range_may_reach_to_the_ends_of_the_calendar(world: World) -> None:
    how = {"quality": "all", "checked": True}
    ever = (date(1, 1, 2), date(9999, 12, 30))
    assert_frame_equal(
        world.read("1d", "MINE", sessions=ever, **how), world.read("1d", "MINE", **how)
    )


def test_a_false_tick_is_none_before_the_next_bar_was_known(world: World) -> None:
    asked = {"sessions": (TICK, TICK), "quality": "all", "checked": True}
    evening = datetime(2024, 2, 28, 2, tzinfo=UTC)
    assert TICK not in marks(world.read("1d", "MINE", as_of=evening, **asked))
    assert marks(world.read("1d", "MINE", as_of=NOW, **asked)) == {TICK: MARKED[TICK]}


def test_what_is_accepted_is_not_flagged(world: World) -> None:
    world.platform.annotations.add(
        Annotation(
            created_at=NOW, author="ana", dataset="curated/bars_1d", symbol="MINE",
            first_session=JUMP, last_session=JUMP, decision=Decision.ACCEPT, codes=("jump",),
            reason="a bid for the company",
        )
    )  # fmt: skip
    left = {day: mark for day, mark in MARKED.items() if day != JUMP}
    assert marks(world.read("1d", "MINE", quality="all", checked=True)) == left


def test_what_is_accepted_beside_the_range_is_carried_into_it(world: World) -> None:
    """The bar of the session after a change of the unit that somebody accepted is made up of it."""
    after = date(2024, 4, 10)
    said = {"created_at": NOW, "author": "ana", "dataset": "curated/bars_1d", "symbol": "MINE"}
    for decision, day, codes in (
        (Decision.ACCEPT, PENCE, ("unit_error",)),
        (Decision.UNUSABLE, after, ()),
    ):
        world.platform.annotations.add(
            Annotation(
                **said, first_session=day, last_session=day, decision=decision, codes=codes,
                reason="seen",
            )  # type: ignore[arg-type]
        )  # fmt: skip
    how = {"impute": "ffill", "checked": True}
    whole = world.read("1d", "MINE", **how)
    carried = whole.filter(pl.col("session") == after)
    last = whole.filter(pl.col("session") == PENCE)
    assert carried["close"].to_list() == last["close"].to_list()
    assert_frame_equal(world.read("1d", "MINE", sessions=(after, after), **how), carried)


def test_a_part_of_a_session_is_judged_beside_the_rest_of_it(world: World) -> None:
    whole = world.read("1d", "MINE", quality="all", checked=True)
    begin = datetime.combine(TICK, time(), UTC)
    part = world.read(
        "1d", "MINE", start=begin, end=begin + timedelta(days=1), quality="all", checked=True
    )
    assert_frame_equal(part, whole.filter(pl.col("session") == TICK))
