"""The adjusted closes of vendors against the actions on record, as the curated days are checked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from market_data.basis import Adjustment
from market_data.pipeline.adjusted_closes import check_adjusted_closes
from market_data.pipeline.views import curated_view
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.adjusted_series import DAYS, EX, FIRST, LAST, series, statements
from tests.support.fake_vendor import ask, shares
from tests.support.worlds import World

NOW = datetime(2024, 3, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DIVIDEND = {"dividend": 2.0}
LONDON = Instrument(
    symbol="PPP",
    asset_class=AssetClass.EQUITY,
    calendar="XNYS",
    currency="GBP",
    vendor_symbols={"yahoo": "PPP"},
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, NOW))


def chain(world: World, symbol: str = "AAA") -> list[tuple[object, ...]]:
    """What the checks of the curated days say of the adjusted closes."""
    world.curate("1d", symbol, FIRST, LAST)
    found = world.inspect("1d", FIRST, LAST).findings.filter(pl.col("code") == "adjustment_chain")
    assert found["check"].unique().to_list() in ([], ["consistency"])
    return found.select("session", "severity", pl.col("value", "threshold").round(4)).rows()


def test_an_action_that_is_missing_one_that_is_too_many_and_one_that_fits(world: World) -> None:
    ask(world, series("yahoo", carries=0.98), FIRST, LAST)
    assert chain(world) == [(EX, "warn", 0.98, 1.0)]
    later = world.later(NOW + DAY)
    ask(later, series("yahoo", carries=1.0, told=DIVIDEND), FIRST, LAST, refetch=True)
    assert chain(later) == [(EX, "warn", 1.0, 0.98)]
    last = world.later(NOW + 2 * DAY)
    ask(last, series("yahoo", carries=0.98, told=DIVIDEND), FIRST, LAST, refetch=True)
    assert chain(last) == []


def test_the_step_into_a_range_is_told_and_its_days_are_not_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(world, series("yahoo", carries=0.98), FIRST, LAST)
    world.curate("1d", "AAA", FIRST, LAST)
    found = world.inspect("1d", EX, LAST).findings
    assert found.filter(code="adjustment_chain")["session"].to_list() == [EX]
    view = curated_view(world.platform, Timeframe.D1, EX, LAST, ["AAA"])
    log, spans = world.platform.raw_log, []

    def read(*about: Any, sessions: tuple[date, date], **how: Any) -> pl.DataFrame:
        spans.append(sessions)
        return type(log).read(log, *about, sessions=sessions, **how)

    monkeypatch.setattr(log, "read", read)
    assert check_adjusted_closes(world.platform, view).findings.height == 1
    assert [last < EX for _, last in spans] == [True]


def test_a_dividend_in_pounds_meets_prices_in_pence(world: World) -> None:
    listed = world.register(instruments=(LONDON,))
    prices = {"symbol": "PPP", "unit": "GBp", "close": 10_000.0, "carries": 0.98}
    ask(listed, series("yahoo", **prices), FIRST, LAST, "PPP")
    assert chain(listed, "PPP") == [(EX, "warn", 0.98, 1.0)]
    actions = statements(DIVIDEND, "list", symbol="PPP")
    listed.platform.actions.add(actions, now=NOW)
    assert chain(listed, "PPP") == []


@pytest.mark.parametrize(("carries", "found"), [(0.995, []), (0.98, [(EX, "warn", 0.98, 0.995)])])
def test_prices_that_are_divided_carry_dividends_in_shares_of_today(
    world: World, carries: float, found: list[tuple[object, ...]]
) -> None:
    """A split four sessions later: 2 dollars a share then are 0.50 a share now, half a per cent."""
    world.platform.actions.add(statements({"split": 4.0}, "yahoo", ex_date=DAYS[8]), now=NOW)
    how = {"carries": carries, "told": DIVIDEND, "adjustment": Adjustment.SPLITS}
    ask(world, series("yahoo", **how), FIRST, LAST)
    assert chain(world) == found


def test_days_that_were_asked_for_one_by_one_tell_no_step(world: World) -> None:
    for number, day in enumerate(DAYS):
        asked = world.later(NOW + number * DAY)
        ask(asked, series("yahoo", carries=0.98), day, day)
    assert chain(world.later(NOW + 30 * DAY)) == []


def test_what_became_known_after_a_fetch_is_not_held_against_it(world: World) -> None:
    ask(world, series("yahoo", carries=0.98, told=DIVIDEND), FIRST, LAST)
    later = world.later(NOW + DAY)
    gone = statements({"dividend": 0.0}, "withdrawal").with_columns(known_at=pl.lit(NOW + DAY))
    later.platform.actions.add(gone, now=NOW + DAY)
    assert later.platform.actions.read(symbols=["AAA"]).is_empty()
    assert chain(later) == []
