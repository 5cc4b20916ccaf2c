"""What docs/quality.md says of the detectors holds, on a small sample of other seeds.

What belongs here: that no detector finds less, or cries wolf more often, than its row of the table
says. What does not: the table itself, which `python -m benchmarks detectors` makes.
"""

from __future__ import annotations

import pytest

from benchmarks.detectors import TRIALS, Row, measured, table
from benchmarks.planted import KINDS
from benchmarks.trial import Count
from benchmarks.trials_of_prices import DOCUMENTS, ONE, SEVERAL, TICKS

SEEDS = (64_003,)
"""None of those of the table; of each kind one series that is no odd one."""
MARGIN = 0.25
"""What chance may take from a share where a row has ten faults."""
TOGETHER = 0.03
"""The same of all rows of a detector."""
OWN = [trial for trial in TRIALS if trial.name != DOCUMENTS]


@pytest.fixture(scope="module")
def counts() -> dict[Row, Count]:
    return measured(OWN, KINDS, SEEDS)


def test_the_table_has_every_trial() -> None:
    wanted = [(t.name, t.fault, k.name) for t in TRIALS for k in KINDS if t.applies(k)]
    assert list(table()) == wanted


def test_the_table_keeps_what_is_promised_of_false_ticks() -> None:
    rows = {row: shares for row, shares in table().items() if row[0] == TICKS}
    for (_, fault, kind), (precision, recall, alarms) in rows.items():
        if fault not in {ONE, SEVERAL}:
            assert alarms == 0, kind
            continue
        assert precision is not None
        assert recall is not None
        least = (0.95, 0.7) if " 1d," in kind else (0.99, 0.95)
        assert (precision >= least[0], recall >= least[1]) == (True, True), (fault, kind)


def test_no_row_is_worse_than_the_table_says(counts: dict[Row, Count]) -> None:
    promised = table()
    worse = []
    for row, count in counts.items():
        precision, recall, alarms = promised[row]
        for told, now in ((precision, count.precision), (recall, count.recall)):
            if told is not None and now is not None and now < told - MARGIN:
                worse.append((row, told, now))
        if count.alarms > alarms + 0.5:
            worse.append((row, alarms, count.alarms))
    assert not worse


@pytest.mark.parametrize("name", sorted({trial.name for trial in OWN}))
def test_no_detector_is_worse_than_the_table_says(counts: dict[Row, Count], name: str) -> None:
    promised = table()
    found, expected, planted = 0, 0.0, 0
    for row, count in counts.items():
        recall = promised[row][1]
        if row[0] == name and recall is not None:
            here = count.found + count.missed
            found, planted, expected = found + count.found, planted + here, expected + recall * here
    assert found >= expected - TOGETHER * planted
