"""Trials of the detectors that look at bars beside each other: prices and volumes.

What belongs here: which faults are planted for which detector, and how its answer is read. What
does not: the faults (price_faults.py), counting (trial.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl

from benchmarks import price_faults as plant
from benchmarks.planted import Kind, Spoilt, limits_of, thresholds
from benchmarks.price_faults import Plant
from benchmarks.trial import (
    Judge,
    Judged,
    Trial,
    has_own_prices,
    has_volume,
    is_daily_equity,
    is_equity,
)
from market_data.quality.false_ticks import find_false_ticks
from market_data.quality.flat_runs import check_flat_runs, find_flat_runs
from market_data.quality.jumps import find_jumps
from market_data.quality.price_sanity import check_missing_split
from market_data.quality.repeated_bars import find_repeated_bars
from market_data.quality.volume import check_volume
from market_data.quality.wicks import find_wicks
from market_data.universe import AssetClass, Instrument

TICKS = "false tick"
ONE, SEVERAL, SPLIT = "spike of one bar", "spike of 1 to 4 bars", "split, reported"
DOCUMENTS = "the documents' rule"
WICK, WICKS = "wick", ("open, high or low off by a spike", "open, high or low off by 3 spikes")
_ALWAYS = (date.min, date.max)
_SHARE = Instrument(symbol="AAA", asset_class=AssetClass.EQUITY, calendar="XNYS")

Detect = Callable[[Spoilt, pl.DataFrame, Kind], set[int]]


def _judge(spoil: Plant, detect: Detect) -> Judge:
    def judge(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
        spoilt = spoil(bars, kind, chance)
        told = detect(spoilt, limits_of(kind), kind)
        return Judged(spoilt.planted, frozenset(told), spoilt.bars.height)

    return judge


def _numbers(bars: pl.DataFrame, rows: pl.DataFrame, *on: str) -> set[int]:
    return set(bars.join(rows, on=["symbol", *on], how="semi")["number"].to_list())


def _ticks(spoilt: Spoilt, limits: pl.DataFrame, kind: Kind) -> set[int]:
    found = find_false_ticks(spoilt.bars, limits, timeframe=kind.timeframe)
    return _numbers(spoilt.bars, found, "ts")


def _by_documents(spoilt: Spoilt, limits: pl.DataFrame, kind: Kind) -> set[int]:
    return _ticks(spoilt, limits.with_columns(false_tick_profile=pl.lit("documents")), kind)


def _jumps(*, by_unit: bool) -> Detect:
    def detect(spoilt: Spoilt, limits: pl.DataFrame, kind: Kind) -> set[int]:
        ticks = find_false_ticks(spoilt.bars, limits, timeframe=kind.timeframe)
        found = find_jumps(spoilt.bars, limits, actions=spoilt.actions, false_ticks=ticks)
        own = found.filter(pl.col("since").is_not_null() == by_unit)
        return _numbers(spoilt.bars, own, "ts")

    return detect


def _wicks(spoilt: Spoilt, limits: pl.DataFrame, kind: Kind) -> set[int]:
    found = find_wicks(spoilt.bars, limits, timeframe=kind.timeframe)
    return _numbers(spoilt.bars, found, "ts")


def _flat(spoilt: Spoilt, limits: pl.DataFrame, kind: Kind) -> set[int]:
    runs = find_flat_runs(spoilt.bars, kind.timeframe)
    found = check_flat_runs(runs, limits, check="", dataset="", sessions=_ALWAYS)
    return _numbers(spoilt.bars, found.rows, "ts")


def _repeated_bars(spoilt: Spoilt, limits: pl.DataFrame, kind: Kind) -> set[int]:
    return _numbers(spoilt.bars, find_repeated_bars(spoilt.bars, limits, kind.timeframe), "ts")


def _volume(spoilt: Spoilt, limits: pl.DataFrame, _kind: Kind) -> set[int]:
    found = check_volume(spoilt.bars, limits, actions=spoilt.actions, dataset="", sessions=_ALWAYS)
    return _numbers(spoilt.bars, found.findings, "session")


def _untold_splits(spoilt: Spoilt, _limits: pl.DataFrame, _kind: Kind) -> set[int]:
    found = check_missing_split(
        spoilt.bars,
        spoilt.actions,
        [_SHARE],
        thresholds=thresholds(),
        dataset="",
        sessions=_ALWAYS,
    )
    return _numbers(spoilt.bars, found.findings, "session")


def _trial(
    name: str,
    fault: str,
    spoil: Plant,
    detect: Detect,
    applies: Callable[[Kind], bool] = has_own_prices,
) -> Trial:
    return Trial(name, fault, _judge(spoil, detect), applies)


_step, _unit = _jumps(by_unit=False), _jumps(by_unit=True)
TRIALS = (
    _trial(TICKS, ONE, plant.spikes(1), _ticks),
    _trial(TICKS, SEVERAL, plant.spikes(4), _ticks),
    _trial(TICKS, SPLIT, plant.split, _ticks, is_equity),
    _trial(DOCUMENTS, ONE, plant.spikes(1), _by_documents),
    _trial(DOCUMENTS, SPLIT, plant.split, _by_documents, is_equity),
    _trial(WICK, WICKS[0], plant.wicks(1), _wicks),
    _trial(WICK, WICKS[1], plant.wicks(3), _wicks),
    _trial(WICK, SPLIT, plant.split, _wicks, is_equity),
    _trial("unit error", "cents from one bar on", plant.cents(0), _unit),
    _trial("unit error", "cents for 1 to 15 bars", plant.cents(15), _unit),
    _trial("jump", "step of twice the limit, or an own one", plant.steps(2), _step),
    _trial("jump", "nothing", plant.nothing, _step),
    _trial("jump", SPLIT, plant.split, _step, is_equity),
    _trial(
        "missing split",
        "split, not reported",
        plant.missing_splits,
        _untold_splits,
        is_daily_equity,
    ),
    _trial("missing split", SPLIT, plant.split, _untold_splits, is_daily_equity),
    _trial(
        "missing split",
        "half the price, 8 times the volume",
        plant.crashes,
        _untold_splits,
        is_daily_equity,
    ),
    _trial("flat run", "price repeated", plant.repeated, _flat),
    _trial("volume", "100 times", plant.volumes(100.0), _volume, has_volume),
    _trial("volume", "none", plant.volumes(0.0), _volume, has_volume),
    _trial("volume", "not given", plant.volumes(None), _volume, has_volume),
    _trial("repeated bar", "a bar four times", plant.bars_again, _repeated_bars, has_volume),
)
