"""How many planted faults each detector finds, and how often it cries wolf.

What belongs here: running all trials with seeds that nothing was tuned on, and the table of
docs/quality.md. What does not: the trials (trials_of_*.py), the series (planted.py), speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import (
    trials_of_actions,
    trials_of_datasets,
    trials_of_prices,
    trials_of_sessions,
)
from benchmarks.planted import KINDS, Kind, series
from benchmarks.ratio import Ratio
from benchmarks.trial import Count, Trial
from benchmarks.trials_of_prices import ONE, SEVERAL, TICKS

SEEDS = range(57_000, 57_020)
DOCS = Path(__file__).resolve().parents[1] / "docs" / "quality.md"
BEGIN, END = "<!-- detectors: begin -->", "<!-- detectors: end -->"
TRIALS = (
    *trials_of_prices.TRIALS,
    *trials_of_sessions.TRIALS,
    *trials_of_datasets.TRIALS,
    *trials_of_actions.TRIALS,
)

Row = tuple[str, str, str]
"""Names of the detector, the fault and the kind of series."""


def run() -> list[Ratio]:
    """Measure every detector and write the table."""
    counts = measured(TRIALS, KINDS, SEEDS)
    _write(counts)
    return list(_ratios(counts))


def measured(
    trials: Sequence[Trial], kinds: Sequence[Kind], seeds: Sequence[int]
) -> dict[Row, Count]:
    """What became of the faults of every trial, in the order of trials and kinds."""
    counts = {
        (trial.name, trial.fault, kind.name): Count()
        for trial in trials
        for kind in kinds
        if trial.applies(kind)
    }
    for kind in kinds:
        own = [trial for trial in trials if trial.applies(kind)]
        for seed in seeds:
            bars = series(kind, seed)
            for trial in own:
                # Not the numbers that made the series: faults would lie where these are odd.
                judged = trial.judge(bars, kind, np.random.default_rng([seed, 1]))
                counts[trial.name, trial.fault, kind.name].add(judged)
    return counts


def _ratios(counts: Mapping[Row, Count]) -> Iterator[Ratio]:
    """The promises: of false ticks, and that no true split is flagged as one."""
    for (name, fault, kind), count in counts.items():
        if name != TICKS:
            continue
        if fault not in {ONE, SEVERAL}:
            yield Ratio(f"{name}, {kind}, {fault}: flags", count.wrong, 0, False)
            continue
        precision, recall = (0.95, 0.7) if " 1d," in kind else (0.99, 0.95)
        told = f"{count.found} found, {count.wrong} wrong, {count.missed} missed"
        named = f"{name}, {fault}, {kind}"
        yield Ratio(f"{named}: precision", count.precision or 0.0, precision, True, told)
        yield Ratio(f"{named}: recall", count.recall or 0.0, recall, True, told)


def _write(counts: Mapping[Row, Count]) -> None:
    """Replace the table of docs/quality.md."""
    rows = rows_of(counts)
    before, rest = DOCS.read_text().split(BEGIN)
    after = rest.split(END)[1]
    DOCS.write_text(f"{before}{BEGIN}\n{chr(10).join(rows)}\n{END}{after}")


def rows_of(counts: Mapping[Row, Count]) -> list[str]:
    """The lines of a table."""
    rows = [
        "| detector | planted | series | precision | recall | false alarms per 1,000 bars |",
        "|---|---|---|---|---|---|",
    ]
    for names, count in counts.items():
        cells = (*names, _share(count.precision), _share(count.recall))
        rows.append(f"| {' | '.join(cells)} | {count.alarms:.2f} |")
    return rows


def table() -> dict[Row, tuple[float | None, float | None, float]]:
    """Precision, recall and false alarms as docs/quality.md has them."""
    rows = DOCS.read_text().split(BEGIN)[1].split(END)[0].strip().splitlines()[2:]
    found = {}
    for row in rows:
        name, fault, kind, *numbers = (cell.strip() for cell in row.strip("|").split("|"))
        precision, recall, alarms = (None if n == "-" else float(n) for n in numbers)
        found[name, fault, kind] = (precision, recall, alarms or 0.0)
    return found


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
