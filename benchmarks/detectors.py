"""How many planted faults each detector finds, and how often it cries wolf.

What belongs here: counting what was found of faults planted with seeds that nothing was tuned on,
and the table of docs/quality.md. What does not: the series and their faults (planted.py), speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from adapters.configuration import load_thresholds
from adapters.settings import Settings
from benchmarks import planted as plant
from benchmarks.planted import KINDS, Kind, Plant, Spoilt
from benchmarks.ratio import Ratio
from market_data.quality.false_ticks import find_false_ticks
from market_data.quality.flat_runs import check_flat_runs, find_flat_runs
from market_data.quality.jumps import find_jumps
from market_data.quality.volume import check_volume
from market_data.quality.wicks import find_wicks

SEEDS = range(57_000, 57_020)
DOCS = Path(__file__).resolve().parents[1] / "docs" / "quality.md"
BEGIN, END = "<!-- detectors: begin -->", "<!-- detectors: end -->"
_ALWAYS = (date.min, date.max)
_TICKS = "false tick"


@dataclass
class Count:
    """What became of planted faults, in bars."""

    found: int = 0
    wrong: int = 0
    missed: int = 0
    bars: int = 0

    def add(self, planted: frozenset[int], told: set[int], bars: int) -> None:
        """Count one series."""
        self.found += len(planted & told)
        self.wrong += len(told - planted)
        self.missed += len(planted - told)
        self.bars += bars

    @property
    def precision(self) -> float | None:
        """Of what was told, the share that was planted."""
        told = self.found + self.wrong
        return self.found / told if told else None

    @property
    def recall(self) -> float | None:
        """Of what was planted, the share that was told."""
        planted = self.found + self.missed
        return self.found / planted if planted else None

    @property
    def alarms(self) -> float:
        """False alarms per 1,000 bars."""
        return 1000 * self.wrong / self.bars


Detect = Callable[[Spoilt, pl.DataFrame, Kind], set[int]]


@dataclass(frozen=True)
class Trial:
    """A detector, what is planted for it, and the kinds of series that it is tried on."""

    name: str
    fault: str
    plant: Callable[[pl.DataFrame], Plant]
    detect: Detect
    applies: Callable[[Kind], bool] = lambda _kind: True


def run() -> list[Ratio]:
    """Measure every detector and write the table; the bars are those of false ticks."""
    counts = {
        (trial.name, trial.fault, kind): _measured(trial, kind)
        for trial in TRIALS
        for kind in KINDS
        if trial.applies(kind)
    }
    _write(counts)
    return list(_ratios(counts))


def _measured(trial: Trial, kind: Kind) -> Count:
    limits = _limits(kind)
    count = Count()
    for seed in SEEDS:
        spoilt = trial.plant(limits)(plant.series(kind, seed), kind, np.random.default_rng(seed))
        count.add(spoilt.planted, trial.detect(spoilt, limits, kind), spoilt.bars.height)
    return count


def _limits(kind: Kind) -> pl.DataFrame:
    rules = load_thresholds(Settings()).rule(kind.asset_class, kind.timeframe).model_dump()
    return pl.DataFrame([{"symbol": "AAA", "asset_class": kind.asset_class, **rules}])


def _numbers(bars: pl.DataFrame, rows: pl.DataFrame, *on: str) -> set[int]:
    return set(bars.join(rows, on=["symbol", *on], how="semi")["number"].to_list())


def _ticks(spoilt: Spoilt, limits: pl.DataFrame, kind: Kind) -> set[int]:
    found = find_false_ticks(spoilt.bars, limits, timeframe=kind.timeframe)
    return _numbers(spoilt.bars, found, "ts")


def _by_documents(spoilt: Spoilt, limits: pl.DataFrame, kind: Kind) -> set[int]:
    return _ticks(spoilt, limits.with_columns(false_tick_profile=pl.lit("documents")), kind)


def _jumps(spoilt: Spoilt, limits: pl.DataFrame, kind: Kind) -> set[int]:
    ticks = find_false_ticks(spoilt.bars, limits, timeframe=kind.timeframe)
    found = find_jumps(spoilt.bars, limits, actions=spoilt.actions, false_ticks=ticks)
    return _numbers(spoilt.bars, found, "ts")


def _wicks(spoilt: Spoilt, limits: pl.DataFrame, kind: Kind) -> set[int]:
    found = find_wicks(spoilt.bars, limits, timeframe=kind.timeframe)
    return _numbers(spoilt.bars, found, "ts")


def _flat(spoilt: Spoilt, limits: pl.DataFrame, kind: Kind) -> set[int]:
    runs = find_flat_runs(spoilt.bars, kind.timeframe)
    found = check_flat_runs(runs, limits, check="", dataset="", sessions=_ALWAYS)
    return _numbers(spoilt.bars, found.rows, "ts")


def _volume(spoilt: Spoilt, limits: pl.DataFrame, _kind: Kind) -> set[int]:
    found = check_volume(spoilt.bars, limits, actions=spoilt.actions, dataset="", sessions=_ALWAYS)
    return _numbers(spoilt.bars, found.findings, "session")


def _is_equity(kind: Kind) -> bool:
    return kind.asset_class == "equity"


def _has_volume(kind: Kind) -> bool:
    return kind.daily and kind.asset_class != "fx"


def _always(made: Plant) -> Callable[[pl.DataFrame], Plant]:
    return lambda _limits: made


def _repeated(limits: pl.DataFrame) -> Plant:
    return plant.repeated(int(limits["flat_run_bars"][0]))


TRIALS = (
    Trial(_TICKS, "spike of one bar", _always(plant.spikes(1)), _ticks),
    Trial(_TICKS, "spike of 1 to 4 bars", _always(plant.spikes(4)), _ticks),
    Trial(_TICKS, "split, reported", _always(plant.split), _ticks, _is_equity),
    Trial("the documents' rule", "spike of one bar", _always(plant.spikes(1)), _by_documents),
    Trial(
        "the documents' rule", "split, reported", _always(plant.split), _by_documents, _is_equity
    ),
    Trial("wick", "open, high or low off by a spike", _always(plant.wicks(1)), _wicks),
    Trial("wick", "open, high or low off by 3 spikes", _always(plant.wicks(3)), _wicks),
    Trial("wick", "split, reported", _always(plant.split), _wicks, _is_equity),
    Trial("jump", "prices in cents", _always(plant.cents), _jumps),
    Trial("jump", "split, reported", _always(plant.split), _jumps, _is_equity),
    Trial("flat run", "price repeated", _repeated, _flat),
    Trial("volume", "100 times", _always(plant.volumes(100.0)), _volume, _has_volume),
    Trial("volume", "nothing", _always(plant.volumes(0.0)), _volume, _has_volume),
)


def _ratios(counts: Mapping[tuple[str, str, Kind], Count]) -> Iterator[Ratio]:
    for (name, fault, kind), count in counts.items():
        if name != _TICKS:
            continue
        if count.recall is None:
            yield Ratio(f"{name}, {kind.name}, {fault}: flags", count.wrong, 0, False)
        elif fault == "spike of one bar" and kind.asset_class != "crypto":
            bars = (0.95, 0.7) if kind.daily else (0.99, 0.95)
            told = f"{count.found} found, {count.wrong} wrong, {count.missed} missed"
            yield Ratio(
                f"{name}, {kind.name}: precision", count.precision or 0.0, bars[0], True, told
            )
            yield Ratio(f"{name}, {kind.name}: recall", count.recall, bars[1], True, told)


def _write(counts: Mapping[tuple[str, str, Kind], Count]) -> None:
    """Replace the table of docs/quality.md."""
    rows = [
        "| detector | planted | series | precision | recall | false alarms per 1,000 bars |",
        "|---|---|---|---|---|---|",
    ]
    for (name, fault, kind), count in counts.items():
        cells = (name, fault, kind.name, _share(count.precision), _share(count.recall))
        rows.append(f"| {' | '.join(cells)} | {count.alarms:.2f} |")
    before, rest = DOCS.read_text().split(BEGIN)
    after = rest.split(END)[1]
    DOCS.write_text(f"{before}{BEGIN}\n{chr(10).join(rows)}\n{END}{after}")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
