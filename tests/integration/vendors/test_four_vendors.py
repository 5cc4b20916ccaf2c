"""Four vendors over real HTTP, one of them failing on every second question, from end to end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import emp
from adapters.settings import PROJECT
from emp.cli import run
from tests.support.four_vendors import COIN, PAIR, SHARE, Market, price, universe_yaml
from tests.support.replay_server import ReplayServer

FIRST, LAST = date(2024, 3, 4), date(2024, 3, 29)
DAYS = ["--start", str(FIRST), "--end", str(LAST)]
VENDORS = ("yahoo", "alpha_vantage", "coinbase", "oanda")
NOBODY_HAS = date(2024, 3, 17)
MARKET = Market(
    FIRST,
    LAST,
    lacks={
        ("yahoo", SHARE): {date(2024, 3, 12), date(2024, 3, 13)},
        ("oanda", PAIR): {date(2024, 3, 20)},
        ("coinbase", COIN): {date(2024, 3, 10), NOBODY_HAS},
        ("yahoo", COIN): {NOBODY_HAS},
    },
    broken="alpha_vantage",
)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    config = tmp_path / "config"
    shutil.copytree(PROJECT / "config", config)
    (config / "universe.yaml").write_text(universe_yaml())
    with ReplayServer() as server:
        MARKET.serve(server)
        settings = {
            "EMP_DATA_DIR": str(tmp_path / "data"),
            "EMP_CONFIG_DIR": str(config),
            "EMP_YAHOO_URL": server.url,
            "YAHOO_PAUSE": "0",
            "ALPHA_VANTAGE_URL": server.url,
            "ALPHA_VANTAGE_API_KEY": "a-key-nobody-may-see",
            "ALPHA_VANTAGE_REQUESTS_PER_MINUTE": "1000",
            "ALPHA_VANTAGE_REQUESTS_PER_DAY": "0",
            "COINBASE_URL": server.url,
            "OANDA_URL": server.url,
            "OANDA_API_TOKEN": "a-token-nobody-may-see",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield server


def ingest(vendor: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    status = run(["ingest", "--vendor", vendor, *DAYS])
    told = capfd.readouterr()
    assert "nobody-may-see" not in told.out + told.err
    return status, json.loads(told.out)


def test_what_vendors_lack_or_fail_to_say_is_filled_or_explained(
    house: ReplayServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.vendors.retrying._pause", lambda _: 0.0)
    statuses = {vendor: [ingest(vendor, capfd)[0]] for vendor in VENDORS}
    # Whoever failed is asked again for what is lacking, until all is said.
    for _ in range(12):
        if statuses["alpha_vantage"][-1] == 0:
            break
        statuses["alpha_vantage"].append(ingest("alpha_vantage", capfd)[0])
    assert {v: s[-1] for v, s in statuses.items()} == dict.fromkeys(VENDORS, 0)
    assert len(house.asked_for("/query")) > 2

    bars = emp.get_curated_bars([SHARE, PAIR, COIN], FIRST, LAST, "1d", adjusted="none")
    # Complete but for the day that nobody has, and every price is the market's.
    expected = {
        SHARE: set(MARKET.days("alpha_vantage", SHARE)),
        PAIR: set(MARKET.days("yahoo", PAIR)),
        COIN: {d for d in MARKET.days("", COIN) if d != NOBODY_HAS},
    }
    for symbol, days in expected.items():
        found = bars.filter(pl.col("symbol") == symbol)
        assert set(found["session"]) == days, symbol
        assert found["close"].to_list() == [price(symbol, d) for d in sorted(days)]
    # Whose each bar is: the first in priority that had it.
    sources = {(s, d): v for s, d, v in bars.select("symbol", "session", "source").iter_rows()}
    for (symbol, day), source in sources.items():
        order = {SHARE: ("yahoo", "alpha_vantage"), PAIR: ("oanda", "yahoo"),
                 COIN: ("coinbase", "yahoo")}[symbol]  # fmt: skip
        had = next(v for v in order if day in MARKET.days(v, symbol))
        assert source == had, (symbol, day)

    # The ledger says of each vendor what it lacked, and nothing is left open.
    assert run(["coverage", SHARE, PAIR, COIN, *DAYS, "--timeframe", "1d", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    gaps = {
        (row["vendor"], row["symbol"], date.fromisoformat(row["session"])): row["outcome"]
        for row in told
        if row["outcome"] not in ("rows", "holiday")
    }
    lacking = {(v, s, d): "nothing" for (v, s), days in MARKET.lacks.items() for d in days}
    assert {key: outcome for key, outcome in gaps.items() if outcome != "not asked"} == lacking
