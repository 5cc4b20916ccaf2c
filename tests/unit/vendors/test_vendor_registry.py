"""From an entry of the universe to a vendor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.settings import Settings
from adapters.vendors.delays import DELAYS, SETTLING, delay_of
from adapters.vendors.registry import _READERS, Means, build_vendor
from adapters.vendors.telling import TELLS_SPLITS
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe
from market_data.universe import VendorConfig


def config(name: str, reader: str, **options: Any) -> VendorConfig:
    return VendorConfig(name=name, reader=reader, timeframes=(Timeframe.D1,), options=options)


def test_the_universe_that_is_shipped_can_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    from adapters.configuration import load_universe

    monkeypatch.setenv("FRED_API_KEY", "a" * 32)
    for vendor in load_universe(Settings()).vendors:
        built = build_vendor(vendor)
        assert built.name == vendor.name
        assert set(vendor.timeframes) <= set(built.capabilities.timeframes)


def test_an_unknown_reader_is_named_with_those_that_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"'telex'; there are: .*files, .*sample, .*yahoo"):
        build_vendor(config("old", "telex"))


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(ConfigurationError, match="has no option sede; it has: faults, seed"):
        build_vendor(config("sample_a", "sample", sede=3))
    with pytest.raises(ConfigurationError, match="has no option path"):
        build_vendor(config("sample_a", "sample"), path="somewhere.csv")


def test_overrides_go_before_options() -> None:
    assert build_vendor(config("sample_a", "sample", seed=3))._seed == 3
    assert build_vendor(config("sample_a", "sample", seed=3), seed=4)._seed == 4


def test_yahoos_address_comes_from_options_or_settings() -> None:
    settings = Settings(yahoo_url="http://settings")
    assert "base_url" not in build_vendor(config("yahoo", "yahoo"))._options
    built = build_vendor(config("yahoo", "yahoo"), means=Means(settings))
    assert built._options["base_url"] == "http://settings"
    built = build_vendor(
        config("yahoo", "yahoo"), means=Means(settings), base_url="http://override"
    )
    assert built._options["base_url"] == "http://override"


def test_files_take_path_and_spec_of_the_run(tmp_path: Path) -> None:
    configured = config("fxcm", "files", path="configured", spec="plain")
    kept = build_vendor(configured).feeds
    assert [(f.spec.name, f.paths) for f in kept.values()] == [("plain", "configured")]
    replaced = build_vendor(configured, path=str(tmp_path)).feeds
    assert [(f.spec.name, f.paths) for f in replaced.values()] == [("plain", str(tmp_path))]
    other = build_vendor(configured, path=str(tmp_path), spec="plain_daily").feeds
    assert [f.spec.timeframe for f in other.values()] == [Timeframe.D1]


def test_files_may_have_several_feeds() -> None:
    feeds = [{"path": "m", "spec": "plain"}, {"path": "d", "spec": "plain_daily"}]
    built = build_vendor(config("fxcm", "files", feeds=feeds))
    assert len(built.feeds) == 2
    with pytest.raises(ConfigurationError, match="several feeds"):
        build_vendor(config("fxcm", "files", feeds=feeds), path="x")


def test_files_without_a_path_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs a path and a spec"):
        build_vendor(config("fxcm", "files", spec="plain"))


def test_building_loads_neither_yfinance_nor_pandas() -> None:
    code = """
import sys
from adapters.settings import Settings
from adapters.vendors.delays import DELAYS, SETTLING, delay_of
from adapters.vendors.registry import _READERS, Means, build_vendor
from market_data.universe import VendorConfig
for name in ("sample_a", "yahoo"):
    build_vendor(VendorConfig(name=name, reader=name.split("_")[0], timeframes=("1d",)))
print([m for m in ("yfinance", "pandas", "curl_cffi") if m in sys.modules])
"""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_reader_says_how_late_its_bars_come() -> None:
    assert set(DELAYS) == set(SETTLING) == set(_READERS)
    assert set(_READERS) >= TELLS_SPLITS
    with pytest.raises(ConfigurationError, match="no reader 'telex'"):
        delay_of("telex")
