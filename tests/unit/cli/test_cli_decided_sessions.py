"""Which sessions a decision leaves to be curated anew: exactly those, each of them once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import polars as pl
import pytest

from emp.annotations import to_curate
from market_data.pipeline.outdated import Outdated
from market_data.ports import Annotation, Decision
from market_data.schemas import FINDINGS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import World

NOW = datetime(2024, 4, 1, tzinfo=UTC)
Ranges = list[tuple[str, str, int]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World.at(tmp_path_factory.mktemp("decided"), NOW)
    mine = Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS")
    return made.register(instruments=(mine,))


def findings(days: Sequence[str], code: str = "drift") -> pl.DataFrame:
    rows = [
        (
            "drift",
            code,
            "error",
            "curated/bars_1d",
            "MINE",
            date.fromisoformat(day),
            1.0,
            0.5,
            1,
            "",
        )
        for day in days
    ]
    return pl.DataFrame(rows, schema=FINDINGS.dtypes, orient="row")


def curated_again(world: World, decision: Decision, days: Sequence[str]) -> Ranges:
    annotation = Annotation(
        created_at=NOW,
        author="ana",
        dataset="curated/bars_1d",
        symbol="MINE",
        first_session=date(2014, 3, 3),
        last_session=date(2024, 3, 15),
        decision=decision,
        reason="asked",
        vendor="second" if decision is Decision.PREFER_VENDOR else "",
    )
    found = to_curate(world.platform, annotation, findings(days))
    assert {f.timeframe for f in found} <= {Timeframe.D1}
    return [(str(f.first), str(f.last), f.sessions) for f in found]


def test_two_days_ten_years_apart_are_two_days(world: World):
    days = ["2024-03-08", "2014-03-05", "2024-03-08"]
    assert curated_again(world, Decision.ACCEPT, days) == [
        ("2014-03-05", "2014-03-05", 1),
        ("2024-03-08", "2024-03-08", 1),
    ]
    assert curated_again(world, Decision.ACCEPT, []) == []


def test_days_without_a_session_between_them_are_one_range(world: World):
    friday_to_tuesday = ["2024-03-08", "2024-03-11", "2024-03-12"]
    assert curated_again(world, Decision.ACCEPT, friday_to_tuesday) == [
        ("2024-03-08", "2024-03-12", 3)
    ]
    # A day of the finding that is no session of the calendar is not lost.
    assert curated_again(world, Decision.ACCEPT, ["2024-03-09"]) == [("2024-03-09",) * 2 + (1,)]


def test_what_changed_and_what_is_accepted_are_curated_once(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """As after a settling that broke off between its sessions."""
    changed = [
        Outdated(Timeframe.D1, date(2024, 3, 5), date(2024, 3, 6), 2),
        Outdated(Timeframe.D1, date(2024, 3, 12), date(2024, 3, 12), 1),
    ]
    monkeypatch.setattr("emp.annotations.outdated", lambda *_, **__: changed)
    days = ["2024-03-04", "2024-03-06", "2024-03-07", "2024-03-14"]
    assert curated_again(world, Decision.PREFER_VENDOR, days) == [
        ("2024-03-04", "2024-03-07", 4),
        ("2024-03-12", "2024-03-12", 1),
        ("2024-03-14", "2024-03-14", 1),
    ]
