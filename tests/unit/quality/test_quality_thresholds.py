"""config/quality.yaml: inheritance, defaults, refusals, version."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest

from market_data.errors import ConfigurationError
from market_data.quality.thresholds import Thresholds
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass


def test_the_shipped_limits_are_those_of_the_documents(thresholds: Thresholds) -> None:
    daily = thresholds.rule(AssetClass.EQUITY, Timeframe.D1)
    assert (daily.coverage_warn, daily.coverage_error) == (0.9, 0.75)
    assert (daily.drift_warn, daily.drift_error, daily.drift_statistic) == (0.005, 0.01, "max")
    assert (daily.stale_warn, daily.stale_error) == (timedelta(days=1), timedelta(days=2))
    assert (daily.reject_warn_share, daily.reject_error_share) == (0.01, 0.05)
    assert (daily.score_warn, daily.score_error) == (0.85, 0.6)
    minute = thresholds.rule("equity", "1m")
    assert (minute.stale_warn, minute.stale_error) == (timedelta(minutes=15), timedelta(minutes=30))
    fx = thresholds.rule("fx", "1m")
    assert (fx.drift_warn, fx.drift_error, fx.drift_statistic) == (0.0005, 0.001, "median")
    assert fx.coverage_warn < daily.coverage_warn
    assert thresholds.rule("fx", "1d").coverage_warn == 0.9
    # Berkshire Hathaway A passes, and so do coins below the documents' lowest price
    assert daily.price_max > 800_000
    assert thresholds.rule("crypto", "1d").price_min < 0.0001


def test_later_layers_go_before_earlier_ones(quality_mapping) -> None:
    layers = {
        "rules": {
            "default": quality_mapping["rules"]["default"] | {"jump": 0.1, "flat_run_bars": 5},
            "default/1m": {"jump": 0.2, "flat_run_bars": 6},
            "equity": {"jump": 0.3},
            "equity/1m": {"flat_run_bars": 8},
        }
    }
    parsed = Thresholds.parse(layers)
    assert parsed.rule("fx", "1d").jump == 0.1
    assert parsed.rule("fx", "1m").jump == 0.2
    assert parsed.rule("equity", "1m").jump == 0.3
    assert parsed.rule("equity", "1m").flat_run_bars == 8
    assert parsed.rule("equity", "1d").flat_run_bars == 5


def test_a_warning_that_is_not_given_follows_its_error(quality_mapping) -> None:
    changed = copy.deepcopy(quality_mapping)
    changed["rules"]["crypto"]["drift_error"] = 0.06
    changed["rules"]["crypto/1h"] = {"stale_warn": "3h"}
    parsed = Thresholds.parse(changed)
    assert parsed.rule("crypto", "1m").drift_warn == 0.03
    assert parsed.rule("crypto", "1h").stale_error == timedelta(hours=6)


@pytest.mark.parametrize(
    ("layer", "key", "value", "message"),
    [
        ("equity", "coverge_warn", 0.9, r"rules\.equity\.coverge_warn: no such limit"),
        ("fx/1m", "coverage_warn", 1.2, r"rules\.fx/1m\.coverage_warn"),
        ("fx", "drift_error", "small", r"rules\.fx\.drift_error"),
        ("fx", "jump", True, r"rules\.fx\.jump"),
        ("default", "stale_warn", 15, r"rules\.default\.stale_warn: .*unit"),
        ("default/1d", "stale_warn", "one day", r"rules\.default/1d\.stale_warn: .*unit"),
        ("default", "drift_statistic", "mean", r"rules\.default\.drift_statistic"),
        ("crypto", "coverage_error", 0.95, "coverage_error must not be above coverage_warn"),
        ("crypto", "price_min", None, r"rules\.crypto\.price_min"),
        ("shares", "jump", 0.1, r"rules\.shares: not an asset class"),
        ("equity/2m", "jump", 0.1, r"rules\.equity/2m: not an asset class"),
    ],
)
def test_what_is_wrong_is_named(quality_mapping, layer, key, value, message) -> None:
    changed = copy.deepcopy(quality_mapping)
    changed["rules"].setdefault(layer, {})[key] = value
    with pytest.raises(ConfigurationError, match=message):
        Thresholds.parse(changed)


def test_a_missing_limit_is_named(quality_mapping) -> None:
    changed = copy.deepcopy(quality_mapping)
    del changed["rules"]["default"]["block_share"]
    with pytest.raises(ConfigurationError, match=r"block_share: Field required"):
        Thresholds.parse(changed)


def test_macro_releases_have_limits_of_their_own(quality_mapping, thresholds: Thresholds) -> None:
    assert thresholds.macro.block_share == 0.5
    strict = Thresholds.parse({**quality_mapping, "macro": {"block_share": 0.1}})
    assert strict.macro.block_share == 0.1
    assert strict.version == thresholds.version
    without = {name: part for name, part in quality_mapping.items() if name != "macro"}
    assert Thresholds.parse(without).macro == thresholds.macro
    for wrong in ({"block_share": 2}, {"blok_share": 0.1}, []):
        with pytest.raises(ConfigurationError, match=r"quality: macro"):
            Thresholds.parse({**quality_mapping, "macro": wrong})


def test_refused_rows_have_a_limit_of_their_own(quality_mapping, thresholds: Thresholds) -> None:
    assert thresholds.quarantine.refused_shift == 0.05
    looser = Thresholds.parse({**quality_mapping, "quarantine": {"refused_shift": 0.5}})
    assert looser.quarantine.refused_shift == 0.5
    assert looser.version == thresholds.version
    without = {name: part for name, part in quality_mapping.items() if name != "quarantine"}
    assert Thresholds.parse(without).quarantine == thresholds.quarantine
    with pytest.raises(ConfigurationError, match=r"quality: quarantine\.refused_shift"):
        Thresholds.parse({**quality_mapping, "quarantine": {"refused_shift": 2}})


@pytest.mark.parametrize("mapping", [{}, {"rules": []}, {"rules": {"equity": 3}}, {"limits": {}}])
def test_another_shape_is_refused(mapping) -> None:
    with pytest.raises(ConfigurationError, match="quality: "):
        Thresholds.parse(mapping)


def test_the_version_follows_the_limits_alone(quality_mapping, thresholds: Thresholds) -> None:
    moved = copy.deepcopy(quality_mapping)
    moved["rules"]["future/1h"] = {"jump": moved["rules"]["future"]["jump"]}
    moved["rules"] = dict(reversed(moved["rules"].items()))
    assert Thresholds.parse(moved).version == thresholds.version
    moved["rules"]["future/1h"]["jump"] = 0.31
    assert Thresholds.parse(moved).version != thresholds.version
