"""config/reference/vendors.yaml: every reader is in it, and it says what the readers say."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.settings import PROJECT, Settings
from adapters.vendors.alpha_vantage.profile import AlphaVantageSettings
from adapters.vendors.registry import PROFILES, profile_of
from adapters.vendors.table import VendorTable, load_vendor_table
from emp.vendors import vendor_lines
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

ENTRY = """
  - name: {name}
    title: Somebody
    tier: 0
    cost: none
    latency: none
    entitlement: none
    limits: none
    timeframes: [1d]
"""


@pytest.fixture
def table() -> VendorTable:
    return load_vendor_table(Settings())


def written(folder: Path, content: str) -> Settings:
    (folder / "reference").mkdir(exist_ok=True)
    (folder / "reference" / "vendors.yaml").write_text(content)
    return Settings(config_dir=folder)


def test_every_reader_has_an_entry_of_its_name(table: VendorTable) -> None:
    by_name = {entry.name: entry for entry in table.vendors}
    assert set(PROFILES) <= set(by_name)
    assert all(by_name[reader].reader == reader for reader in PROFILES)
    assert {e.reader for e in table.vendors if e.reader} == set(PROFILES)


def test_every_reader_that_asks_somebody_has_limits() -> None:
    assert {r for r, p in PROFILES.items() if not p.asks_somebody} == {"files", "sample"}
    for profile in PROFILES.values():
        allowances = profile.allowances()
        assert bool(allowances) == profile.asks_somebody
        assert [c.allowance for c in profile.claims(2)] == list(allowances)
        assert [a.per for a in allowances] == sorted(a.per for a in allowances)


def test_the_timeframes_are_those_of_the_readers(table: VendorTable) -> None:
    from adapters.vendors.alpha_vantage.vendor import AlphaVantageVendor
    from adapters.vendors.coinbase.vendor import CoinbaseVendor
    from adapters.vendors.oanda.vendor import OandaVendor
    from adapters.vendors.sample.vendor import SampleVendor
    from adapters.vendors.tws.vendor import TwsVendor
    from adapters.vendors.yahoo.vendor import YahooVendor

    known = {
        "alpha_vantage": AlphaVantageVendor.capabilities,
        "coinbase": CoinbaseVendor.capabilities,
        "oanda": OandaVendor.capabilities,
        "sample": SampleVendor("sample_a").capabilities,
        "tws": TwsVendor.capabilities,
        "yahoo": YahooVendor.capabilities,
    }
    for reader, capabilities in known.items():
        told = {
            entry.name: set(entry.timeframes) for entry in table.vendors if entry.reader == reader
        }
        assert set().union(*told.values()) == set(capabilities.timeframes), told
    # A free key is given days alone.
    (free,) = (entry for entry in table.vendors if entry.name == "alpha_vantage")
    assert free.timeframes == (Timeframe.D1,)


def test_the_tiers_of_the_documents(table: VendorTable) -> None:
    tiers = {entry.name: entry.tier for entry in table.vendors}
    assert {tiers[n] for n in ("yahoo", "alpha_vantage", "fred")} == {0}
    assert {tiers[n] for n in ("alpha_vantage_premium", "ic_markets", "tws")} == {1}
    assert {tiers[n] for n in ("refinitiv", "bloomberg")} == {2}
    unconnected = {entry.name for entry in table.vendors if not entry.reader}
    assert unconnected == {"ic_markets", "refinitiv", "bloomberg"}


def test_the_limits_told_are_those_kept_by_default(table: VendorTable) -> None:
    told = table.of("alpha_vantage", "alpha_vantage")
    assert told is not None
    kept = AlphaVantageSettings(api_key=None)
    assert f"{kept.requests_per_day} requests per day" in told.limits
    assert f"{kept.requests_per_minute} per minute" in told.limits


def test_an_account_without_a_limit_per_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_VANTAGE_REQUESTS_PER_MINUTE", "1200")
    monkeypatch.setenv("ALPHA_VANTAGE_REQUESTS_PER_DAY", "0")
    assert [str(a) for a in profile_of("alpha_vantage").allowances()] == [
        "1,200 requests per minute"
    ]


def test_a_vendor_is_found_by_its_name_else_by_its_reader(table: VendorTable) -> None:
    for name, reader, found in (
        ("yahoo", "yahoo", "yahoo"),
        ("sample_b", "sample", "sample"),
        ("mybroker", "files", "files"),
        ("alpha_vantage_premium", "alpha_vantage", "alpha_vantage_premium"),
    ):
        entry = table.of(name, reader)
        assert entry is not None
        assert entry.name == found
    assert table.of("nobody", "nothing") is None


def test_a_configuration_without_the_file_has_the_one_of_the_platform(tmp_path: Path) -> None:
    assert load_vendor_table(Settings(config_dir=tmp_path)) == load_vendor_table(
        Settings(config_dir=PROJECT / "config")
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("vendors:" + ENTRY.format(name="a") * 2, "listed twice: a"),
        ("vendors:" + ENTRY.format(name="a") + "    prize: 3\n", "vendors.0.prize"),
        ("vendors:" + ENTRY.format(name="a").replace("tier: 0", "tier: 3"), "vendors.0.tier"),
        ("vendors:" + ENTRY.format(name="a").replace("[1d]", "[2d]"), "vendors.0.timeframes"),
        ("vendors:" + ENTRY.format(name="A B"), "vendors.0.name"),
        ("vendors: 3", "vendors"),
        ("[]", "must hold a mapping"),
    ],
)
def test_a_wrong_file_is_refused_with_the_entry(tmp_path: Path, content: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"vendors\.yaml.*{why}"):
        load_vendor_table(written(tmp_path, content))


def test_a_vendor_of_the_universe_that_the_table_lacks_is_told(tmp_path: Path) -> None:
    settings = written(tmp_path, "vendors:" + ENTRY.format(name="a"))
    (tmp_path / "universe.yaml").write_text((PROJECT / "config/universe.yaml").read_text())
    with pytest.raises(ConfigurationError, match="no vendor of the reader 'sample'"):
        vendor_lines(settings)


def test_listing_vendors_loads_none_of_them() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from adapters.settings import Settings; from emp.vendors import vendor_lines;"
        "print(len(vendor_lines(Settings()))); "
        "print([m for m in ('httpx', 'yfinance', 'pandas', 'ib_async', 'redis') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"
