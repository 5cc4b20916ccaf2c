"""The log of refused rows against what curation refuses now, from files to findings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
import yaml

from adapters.settings import PROJECT
from market_data.calendars import trading_sessions
from market_data.curation.disagreement import DRIFT
from market_data.datasets import curated_bars
from market_data.pipeline.curate import curate_sessions
from market_data.pipeline.health import health_of
from market_data.pipeline.platform import Platform
from market_data.pipeline.quarantine_inspection import inspect_quarantine
from market_data.pipeline.replay import plan_replay
from market_data.ports import Refused
from market_data.quality.thresholds import Thresholds
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.operations_file import emptied_quarantine
from tests.support.worlds import FileVendor, World

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
FIRST, LAST = date(2024, 2, 5), date(2024, 2, 16)
DAYS = trading_sessions("XNYS", FIRST, LAST)["session"].to_list()
SPOILT, DEAR = date(2024, 2, 13), date(2024, 2, 15)
SYMBOLS = ("AAA", "BBB")
VENDORS = ("one", "two", "three")


def write(folder: Path, symbol: str, *, away: float = 0, spoilt: bool = False) -> None:
    """A share's ten days; of a spoilt one a high lies below the low, and a day costs 5,000."""
    rows = ["symbol,date,open,high,low,close,volume"]
    for day in DAYS:
        price = 5000.0 if spoilt and day == DEAR else 50.0 + day.day / 10 + away
        high = price - 2 if spoilt and day == SPOILT else price + 1
        rows.append(f"{symbol},{day},{price},{high},{price - 1},{price},{1000 + day.day}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{symbol}.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A share of three vendors, one of them far from the others, and one with rows that break."""
    for vendor in VENDORS:
        write(tmp_path / vendor, "AAA", away=20 if vendor == "three" else 0)
    write(tmp_path / "one", "BBB", spoilt=True)
    made = World.at(tmp_path, NOW).register(
        *(FileVendor(v, {"1d": ("plain_daily", tmp_path / v)}, SYMBOLS) for v in VENDORS),
        instruments=tuple(
            Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS") for s in SYMBOLS
        ),
    )
    for vendor in VENDORS:
        made.load(vendor, "1d", "AAA", FIRST, LAST)
    made.load("one", "1d", "BBB", FIRST, LAST)
    made.curate("1d", SYMBOLS, FIRST, LAST)
    return made


def limited(platform: Platform, price_max: float) -> Platform:
    """The installation with another highest price of shares."""
    mapping = yaml.safe_load((PROJECT / "config/quality.yaml").read_text(encoding="utf-8"))
    mapping["rules"]["equity"]["price_max"] = price_max
    return replace(platform, thresholds=Thresholds.parse(mapping))


def curate(platform: Platform) -> None:
    curate_sessions(platform, Timeframe.D1, SYMBOLS, FIRST, LAST)


def found(platform: Platform, first: date = FIRST, last: date = LAST) -> list[tuple]:
    """What the checks find, but for the rise of the spoilt day."""
    findings = inspect_quarantine(platform, first, last).findings
    return (
        findings.filter(pl.col("check") != "drift")
        .select("check", "code", "severity", "symbol", "session")
        .rows()
    )


def test_what_curation_has_kept_leaves_nothing_to_find(world: World) -> None:
    seen = inspect_quarantine(world.platform, FIRST, LAST)
    kept = seen.measured["coverage"]
    # The odd one of three has no bar left, a share of one vendor one bar less.
    assert kept["expected"].sum() == len(DAYS) + 1
    assert kept["observed"].to_list() == kept["expected"].to_list()
    assert seen.held.height == 2 * len(DAYS)
    # The odd vendor is refused every day: a third of the rows is as usual there.
    assert seen.findings.select("check", "code", "severity", "symbol", "session").rows() == [
        ("drift", "refused_shift", "warn", "BBB", SPOILT)
    ]
    assert seen.findings["value"].item() == 1.0


def test_rows_that_are_kept_nowhere_are_errors_until_they_are_curated_again(world: World) -> None:
    emptied_quarantine(world.settings)
    lost = [("coverage", "not_kept", "error", "AAA", day) for day in DAYS]
    spoilt = ("coverage", "not_kept", "error", "BBB", SPOILT)
    assert found(world.platform) == sorted([*lost, spoilt], key=lambda f: (f[4], f[3]))
    inspection = inspect_quarantine(world.platform, SPOILT, SPOILT)
    assert inspection.findings["detail"].to_list() == [
        "1 refused row(s) are kept nowhere: drift",
        "1 refused row(s) are kept nowhere: ohlc",
    ]
    assert set(inspection.rows["coverage"]["reasons"]) == {"ohlc", DRIFT}
    assert inspection.block_reasons(None) == []
    health = health_of(world.platform, "curated/quarantine", datetime(2024, 2, 17, tzinfo=UTC))
    assert health.status == "RED"
    curate(world.platform)
    assert found(world.platform) == []


def test_a_lower_limit_shows_what_would_be_refused_now(world: World) -> None:
    stricter = limited(world.platform, 1000)
    assert found(stricter) == [("coverage", "not_kept", "error", "BBB", DEAR)]
    curate(stricter)
    assert found(stricter) == []


def test_a_higher_limit_shows_what_readers_could_have_until_it_is_replayed(world: World) -> None:
    curate(limited(world.platform, 1000))
    now = world.platform
    assert found(now) == [("staleness", "no_longer_refused", "warn", "BBB", DEAR)]
    plan = plan_replay(now, Refused(symbols=["BBB"], sessions=(DEAR, DEAR)))
    for span in plan.spans:
        curate_sessions(now, span.timeframe, [span.symbol], span.first, span.last)
    assert found(now) == []
    bars = now.store.scan(curated_bars(Timeframe.D1), symbols=["BBB"], sessions=(DEAR, DEAR))
    assert bars["close"].to_list() == [5000.0]


def test_rows_of_a_symbol_that_left_the_universe_are_not_judged(world: World) -> None:
    emptied_quarantine(world.settings)
    universe = world.platform.universe
    left = tuple(i for i in universe.instruments if i.symbol != "AAA")
    without = replace(world.platform, universe=universe.model_copy(update={"instruments": left}))
    assert found(without) == [("coverage", "not_kept", "error", "BBB", SPOILT)]


def test_a_row_that_is_called_mended_and_refused_is_told(world: World) -> None:
    log = world.platform.quarantine
    ids = log.entries(Refused(sessions=(SPOILT, SPOILT), reasons=["ohlc"]))["row_id"].to_list()
    log.decide(ids, "replayed", at=NOW, by="me", reason="tried")
    assert found(world.platform) == [("staleness", "refused_otherwise", "warn", "BBB", SPOILT)]
    curate(world.platform)
    log.decide(ids, "dropped", at=NOW, by="me", reason="a test print")
    assert found(world.platform) == []


def test_only_the_sessions_asked_about_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    log = world.platform.raw_log
    read = log.read
    monkeypatch.setattr(log, "read", lambda *a, **k: asked.append(k["sessions"]) or read(*a, **k))
    inspect_quarantine(world.platform, LAST, LAST)
    assert set(asked) == {(LAST, LAST)}
