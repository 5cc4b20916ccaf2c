"""How far stored bars reach: closures do not count, a session that is due does."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from market_data.alerts.age_sources import current_symbols
from market_data.pipeline.ages import ages
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

HEAD = "date,open,high,low,close,volume\n"
SHARE = Instrument(symbol="AAA", asset_class=AssetClass.EQUITY, calendar="XNYS")
GONE = Instrument(
    symbol="BBB", asset_class=AssetClass.EQUITY, calendar="XNYS", delisted=date(2024, 2, 15)
)


def row(day: str) -> str:
    return f"{day},50,51,49,50.5,1000\n"


def test_a_long_weekend_makes_nothing_stale_and_the_session_after_it_does(tmp_path: Path):
    """Friday the 16th; Monday the 19th of February 2024 is a holiday in New York."""
    days = [f"2024-02-{d}" for d in (12, 13, 14, 15, 16)]
    for symbol, last in (("AAA", 5), ("BBB", 4)):
        (tmp_path / f"{symbol}.csv").write_text(HEAD + "".join(row(d) for d in days[:last]))
    world = World.at(tmp_path, datetime(2024, 2, 20, 12, tzinfo=UTC)).register(
        *(
            FileVendor(f"of_{s.lower()}", {"1d": ("plain_daily", tmp_path / f"{s}.csv")}, (s,))
            for s in ("AAA", "BBB")
        ),
        instruments=(SHARE, GONE),
    )
    for symbol in ("AAA", "BBB"):
        world.load(f"of_{symbol.lower()}", "1d", symbol, days[0], days[-1])
    world.curate("1d", ("AAA", "BBB"), days[0], days[-1])
    (age,) = ages(world.platform)
    assert age.asset == "curated/bars_1d"
    assert age.newest == {"AAA": date(2024, 2, 16), "BBB": date(2024, 2, 15)}
    assert age.due_warn == {"AAA": date(2024, 2, 16), "BBB": date(2024, 2, 15)}
    assert current_symbols(age) == {"AAA", "BBB"}

    (later,) = ages(world.later(datetime(2024, 2, 22, 12, tzinfo=UTC)).platform)
    assert later.due_warn == {"AAA": date(2024, 2, 20), "BBB": date(2024, 2, 15)}
    assert later.due_error == {"AAA": date(2024, 2, 16), "BBB": date(2024, 2, 15)}
    assert current_symbols(later) == {"BBB"}


def test_an_empty_installation_has_nothing_to_be_stale(tmp_path: Path):
    assert ages(World.at(tmp_path, datetime(2024, 2, 20, tzinfo=UTC)).platform) == []
