"""From an entry of the universe to a vendor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.settings import Settings
from adapters.variables import meanings_of, variables_of
from adapters.vendors.profile import Means
from adapters.vendors.registry import PROFILES, VENDOR_SETTINGS, build_vendor, profile_of
from market_data.errors import ConfigurationError
from market_data.ports import OpenGate, Vendor
from market_data.timeframes import Timeframe
from market_data.universe import VendorConfig

PACKAGES = Path(__file__).resolve().parents[3] / "adapters" / "vendors"


def config(name: str, reader: str, **options: Any) -> VendorConfig:
    return VendorConfig(name=name, reader=reader, timeframes=(Timeframe.D1,), options=options)


def build(name: str, reader: str, options: dict[str, Any] | None = None, **of_run: Any) -> Any:
    means = Means(Settings(), OpenGate())
    built: Vendor = build_vendor(config(name, reader, **(options or {})), means, **of_run)
    return built


def test_the_universe_that_is_shipped_can_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    from adapters.configuration import load_universe

    monkeypatch.setenv("FRED_API_KEY", "a" * 32)
    for vendor in load_universe(Settings()).vendors:
        built = build_vendor(vendor, Means(Settings(), OpenGate()))
        assert built.name == vendor.name
        assert set(vendor.timeframes) <= set(built.capabilities.timeframes)


@pytest.mark.parametrize("reader", sorted(set(PROFILES) - {"files", "sample"}))
def test_a_vendor_goes_by_the_name_that_it_is_given(
    reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRED_API_KEY", "a" * 32)
    built = build("my_own", reader)
    assert built.name == "my_own"
    assert built.capabilities.delay == profile_of(reader).delay


def test_every_package_of_a_vendor_has_its_profile_in_the_list() -> None:
    """A forgotten one would be found by nobody."""
    folders = {path.parent.name for path in PACKAGES.glob("*/__init__.py")}
    assert folders == set(PROFILES)
    for reader, profile in PROFILES.items():
        assert profile.reader == reader
        assert sys.modules[f"adapters.vendors.{reader}.profile"].PROFILE is profile


def test_every_settings_class_says_what_it_allows() -> None:
    for kind in VENDOR_SETTINGS:
        assert kind().allowances
        assert all(variable.meaning for variable in variables_of(kind)), kind


def test_every_option_says_what_it_does() -> None:
    for profile in PROFILES.values():
        told = meanings_of(profile.options)
        assert all(told.get(name) for name in profile.options.model_fields), profile.reader


def test_what_is_lacking_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = {
        "alpha_vantage": "ALPHA_VANTAGE_API_KEY",
        "fred": "FRED_API_KEY",
        "oanda": "OANDA_API_TOKEN",
        "tws": "TWS_HOST",
    }
    for variable in (*lacking.values(), "ALPHAVANTAGE_API_KEY", "OANDA_ACCESS_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    for reader, profile in PROFILES.items():
        variable = lacking.get(reader)
        assert profile.why_off() == (f"{variable} is not set" if variable else "")
    for reader, variable in lacking.items():
        monkeypatch.setenv(variable, "x")
        assert "is not set" not in profile_of(reader).why_off()


def test_a_package_that_is_missing_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWS_HOST", "gateway")
    monkeypatch.setattr("adapters.vendors.profile.find_spec", lambda _name: None)
    assert "ib_async is not installed: pip install 'emp[tws]'" in profile_of("tws").why_off()


def test_an_unknown_reader_is_named_with_those_that_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"'telex'; there are: .*files, .*sample, .*yahoo"):
        build("old", "telex")
    with pytest.raises(ConfigurationError, match="no reader 'telex'; there are: alpha_vantage"):
        profile_of("telex")


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(ConfigurationError, match="has no option sede; it has: faults, seed"):
        build("sample_a", "sample", {"sede": 3})
    with pytest.raises(ConfigurationError, match="has no option path"):
        build("sample_a", "sample", path="somewhere.csv")
    with pytest.raises(ConfigurationError, match="has no option sleep; it has: none"):
        build("yahoo", "yahoo", {"sleep": 3})


@pytest.mark.parametrize(
    ("reader", "options", "told"),
    [
        ("sample", {"seed": "many"}, "'mine': option seed: Input should be a valid integer"),
        ("sample", {"faults": "some"}, "'mine': option faults: .* boolean"),
        ("alpha_vantage", {"adjusted": "perhaps"}, "'mine': option adjusted: .* boolean"),
        ("alpha_vantage", {"label": "middle"}, "'mine': option label: .*'start' or 'end'"),
        ("files", {"feeds": [{"path": "a", "sped": "b"}]}, r"'mine': option feeds\.0\.sped"),
        ("files", {"feeds": "a.csv"}, "'mine': option feeds"),
        ("files", {"prices_as_of": 20180120}, "'mine': option prices_as_of: .* takes a day"),
    ],
)
def test_an_option_of_a_wrong_kind_is_refused(
    reader: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        build("mine", reader, options)


def test_options_reach_the_vendor() -> None:
    assert build("sample_a", "sample")._seed == 7
    assert build("sample_a", "sample", {"seed": 3})._seed == 3


@pytest.mark.parametrize("variable", ["EMP_YAHOO_URL", "YAHOO_URL"])
def test_yahoos_address_comes_from_either_variable(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMP_YAHOO_URL", raising=False)
    assert build("yahoo", "yahoo")._options["base_url"] == "https://query2.finance.yahoo.com"
    monkeypatch.setenv(variable, "http://elsewhere")
    monkeypatch.setenv("YAHOO_PAUSE", "2")
    options = build("yahoo", "yahoo")._options
    assert (options["base_url"], options["min_interval"]) == ("http://elsewhere", 2.0)


def test_files_take_path_and_spec_of_the_run(tmp_path: Path) -> None:
    configured = {"path": "configured", "spec": "plain"}
    kept = build("fxcm", "files", configured).feeds
    assert [(f.spec.name, f.paths) for f in kept.values()] == [("plain", "configured")]
    replaced = build("fxcm", "files", configured, path=str(tmp_path)).feeds
    assert [(f.spec.name, f.paths) for f in replaced.values()] == [("plain", str(tmp_path))]
    other = build("fxcm", "files", configured, path=str(tmp_path), spec="plain_daily").feeds
    assert [f.spec.timeframe for f in other.values()] == [Timeframe.D1]


def test_files_may_have_several_feeds(tmp_path: Path) -> None:
    feeds = {"feeds": [{"path": "m", "spec": "plain"}, {"path": "d", "spec": "plain_daily"}]}
    assert len(build("fxcm", "files", feeds).feeds) == 2
    with pytest.raises(ConfigurationError, match="several feeds"):
        build("fxcm", "files", feeds, path="x")
    alone = build("fxcm", "files", feeds, path=str(tmp_path), spec="plain_daily").feeds
    assert [f.paths for f in alone.values()] == [str(tmp_path)]


def test_a_run_completes_its_path_from_the_only_feed(tmp_path: Path) -> None:
    feeds = {"feeds": [{"path": "m", "spec": "plain"}]}
    (found,) = build("fxcm", "files", feeds, path=str(tmp_path)).feeds.values()
    assert (found.spec.name, found.paths) == ("plain", str(tmp_path))


def test_files_without_a_path_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs a path and a spec"):
        build("fxcm", "files", {"spec": "plain"})


def test_building_loads_neither_yfinance_nor_pandas() -> None:
    code = """
import sys
from adapters.settings import Settings
from adapters.vendors.profile import Means
from adapters.vendors.registry import build_vendor
print([m for m in ("httpx", "ib_async", "tenacity") if m in sys.modules])
from market_data.ports import OpenGate
from market_data.universe import VendorConfig
for name in ("sample_a", "yahoo"):
    config = VendorConfig(name=name, reader=name.split("_")[0], timeframes=("1d",))
    build_vendor(config, Means(Settings(), OpenGate()))
print([m for m in ("yfinance", "pandas", "curl_cffi") if m in sys.modules])
"""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
