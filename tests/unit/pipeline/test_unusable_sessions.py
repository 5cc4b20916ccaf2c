"""Sessions that somebody marked unusable: who reads without them, and what health says of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import polars as pl
import pytest

import emp
from market_data.datasets import curated_bars
from market_data.errors import WithheldBarsWarning
from market_data.pipeline.health import health_of, judged_range
from market_data.pipeline.score import score_range
from market_data.ports import Annotation, Decision
from market_data.schemas import CURATED_BARS
from market_data.timeframes import Timeframe
from tests.support.decisions import taken_back_afterwards
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

NOW = datetime(2024, 3, 9, tzinfo=UTC)
DAYS = [date(2024, 3, d) for d in (4, 5, 6, 7, 8)]
FIRST, LAST = DAYS[0], DAYS[-1]
DERIVED, NATIVE = DAYS[1], DAYS[2]
DAILY, MINUTES = "curated/bars_1d", "curated/bars_1m"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Five sound daily bars of AAA; the vendor's own but for one, which is made of minutes."""
    opened = shares(World.at(tmp_path_factory.mktemp("unusable"), NOW))
    moments = [datetime(d.year, d.month, d.day, tzinfo=UTC) for d in DAYS]
    ask(opened, FakeVendor(bars={"AAA": moments}), str(FIRST), str(LAST))
    bars = pl.DataFrame({"session": DAYS}).with_columns(
        symbol=pl.lit("AAA"),
        ts=pl.col("session").cast(pl.Datetime("us", "UTC")) + pl.duration(hours=14, minutes=30),
        **{price: pl.lit(100.0) + pl.col("session").dt.day() for price in
           ("open", "high", "low", "close")},
        volume=pl.lit(500.0),
        source=pl.when(pl.col("session") == DERIVED)
        .then(pl.lit("yahoo@1m"))
        .otherwise(pl.lit("yahoo")),
        filled=pl.lit(""), final=pl.lit(value=True), dq_status=pl.lit("ok"), flags=pl.lit(""),
        rule_version=pl.lit(opened.platform.rule_version),
    )  # fmt: skip
    opened.platform.store.replace(
        curated_bars(Timeframe.D1),
        CURATED_BARS.conform(bars),
        sessions=(FIRST, LAST),
        symbols=["AAA"],
    )
    score_range(opened.platform, ["AAA"], FIRST, LAST, timeframes=[Timeframe.D1])
    return opened


@pytest.fixture(autouse=True)
def _decisions_end_with_their_test(world: World) -> Iterator[None]:
    with taken_back_afterwards(world):
        # What stands in the store is no bar that curation would make of the vendor's.
        mark(world, DAILY, FIRST, LAST, decision=Decision.ACCEPT)
        yield


def mark(
    world: World,
    dataset: str,
    first: date,
    last: date,
    author: str = "ana",
    decision: Decision = Decision.UNUSABLE,
) -> None:
    world.platform.annotations.add(
        Annotation(
            created_at=NOW, author=author, dataset=dataset, symbol="AAA", reason="it froze",
            first_session=first, last_session=last, decision=decision,
        )
    )  # fmt: skip


def statuses(world: World) -> dict[date, tuple[str, str]]:
    rows = judged_range(world.platform, DAILY, FIRST, LAST, symbols=["AAA"]).sessions
    return {day: (status, codes) for day, status, codes in
            rows.select("session", "status", "codes").rows()}  # fmt: skip


def served(world: World) -> list[date]:
    return world.read("1d", "AAA")["session"].to_list()


def test_bars_that_are_made_of_minutes_follow_the_decision_about_the_minutes(
    world: World,
) -> None:
    mark(world, MINUTES, FIRST, LAST)
    with pytest.warns(WithheldBarsWarning, match="unusable"):
        assert served(world) == [d for d in DAYS if d != DERIVED]
    bars = world.read("1d", "AAA", quality="all")
    marked = bars.filter(pl.col("flags") == "unusable")
    assert marked.select("session", "dq_status").rows() == [(DERIVED, "error")]


def test_longer_bars_say_nothing_of_the_minutes(world: World) -> None:
    mark(world, "curated/bars_5m", FIRST, LAST)
    assert served(world) == DAYS


def test_health_is_not_green_of_what_nobody_is_served(world: World) -> None:
    before = statuses(world)
    assert {status for status, _ in before.values()} == {"GREEN"}
    mark(world, DAILY, NATIVE, NATIVE)
    mark(world, DAILY, NATIVE, NATIVE, "bob")
    mark(world, MINUTES, DERIVED, DERIVED, "eve")
    assert statuses(world) == before | {
        NATIVE: ("RED", "unusable"),
        DERIVED: ("RED", "unusable"),
    }
    found = health_of(world.platform, DAILY, symbols=["AAA"])
    (reason,) = [r for r in found.reasons if r.code == "unusable"]
    assert found.status != "GREEN"
    assert reason.text == (
        "unusable: 2 symbol-session(s) of 1 symbol(s), 2 of them RED; the newest is "
        f"AAA {NATIVE}; marked unusable by ana, bob, eve"
    )


def test_the_summary_says_who_marked_a_session(world: World) -> None:
    mark(world, DAILY, NATIVE, NATIVE)
    rows = emp.get_data_quality_summary(DAILY, FIRST, LAST, symbols="AAA", settings=world.settings)
    told = rows.select("session", "status", "unusable_by").rows()
    assert told == [(d, *(("RED", "ana") if d == NATIVE else ("GREEN", ""))) for d in DAYS]


def test_days_that_are_no_sessions_are_not_judged(world: World) -> None:
    mark(world, DAILY, date(2024, 3, 2), date(2024, 3, 3))
    assert {status for status, _ in statuses(world).values()} == {"GREEN"}
