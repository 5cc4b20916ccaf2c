"""How many faults the detectors find in real series, and how often they cry wolf there.

What belongs here: spikes planted in real files, real defects beside their mended twins, and their
table in docs/quality.md. What does not: invented series (detectors.py), reading (real_series.py).

What is told of a series as it is counts as a false alarm, though some of it is none: nobody knows
all that is wrong in real files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.detectors import DOCS, Row, measured, rows_of
from benchmarks.planted import REAL_KINDS
from benchmarks.ratio import Ratio
from benchmarks.real_series import folder
from benchmarks.trial import Count, Judged
from benchmarks.trials_of_prices import DOCUMENTS, ONE, SEVERAL, TICKS, TRIALS, WICK, WICKS
from tests.support.yahoo_defects import (
    DETECTED,
    PAIRS,
    found,
    judged,
    world_of_defects,
    wrong_sessions,
)

SEEDS = range(58_000, 58_021)
"""As many for each of the files of shares, in turn."""
BEGIN, END = "<!-- real: begin -->", "<!-- real: end -->"
FAULTS = {TICKS: (ONE, SEVERAL), DOCUMENTS: (ONE,), WICK: WICKS}
TRIED = [t for t in TRIALS if t.fault in FAULTS.get(t.name, ())]


def run() -> list[Ratio]:
    """Measure, and write the table; nothing where the real series are not at hand."""
    if not (folder() / "defects_yahoo").is_dir():
        return []
    counts = measured(TRIED, REAL_KINDS, SEEDS)
    of_pairs = _pairs()
    before, rest = DOCS.read_text().split(BEGIN)
    lines = "\n".join(rows_of({**counts, **of_pairs}))
    DOCS.write_text(f"{before}{BEGIN}\n{lines}\n{END}{rest.split(END)[1]}")
    return [*_promised(counts), *_of_pairs(of_pairs)]


def _pairs() -> dict[Row, Count]:
    """What is told of each file with a defect, and of its twin, of the codes of all defects.

    Which sessions are wrong is what the twin says otherwise.
    """
    counts = {}
    with tempfile.TemporaryDirectory() as home:
        seen = judged(world_of_defects(Path(home), folder()))
    for pair in PAIRS:
        count = Count()
        wrong_ones = wrong_sessions(folder(), pair)
        for name, wrong in ((pair.name, wrong_ones), (f"{pair.name}-fixed", ())):
            told = {day.toordinal() for day, _ in found(seen, name, DETECTED)}
            planted = frozenset(day.toordinal() for day in wrong)
            count.add(
                Judged(planted, frozenset(told), seen.sessions.height // (2 * len(PAIRS) + 1))
            )
        counts[pair.code.replace("_", " "), "real defect, and its mended twin", pair.name] = count
    return counts


def _promised(counts: Mapping[Row, Count]) -> list[Ratio]:
    """False ticks of shares, days: what is promised of invented ones too."""
    (count,) = (c for r, c in counts.items() if r == (TICKS, ONE, REAL_KINDS[0].name))
    told = f"{count.found} found, {count.wrong} wrong, {count.missed} missed"
    return [
        Ratio("false ticks, real shares: precision", count.precision or 0.0, 0.95, True, told),
        Ratio("false ticks, real shares: recall", count.recall or 0.0, 0.7, True, told),
    ]


def _of_pairs(counts: Mapping[Row, Count]) -> list[Ratio]:
    wrong = sum(c.wrong + c.missed for c in counts.values())
    return [Ratio("real defects and their twins: sessions told wrongly", wrong, 0, False)]
