"""The words of the table of consequences: what may happen to data, run and readers.

What belongs here: the kinds of effects, and the shape of a line. What does not: the lines
(actions.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DataEffect(StrEnum):
    """What happens to the data."""

    REFUSE_FETCH = "fetch refused, payload kept"
    QUARANTINE_ROW = "row to quarantine"
    NEWEST_WINS = "newest revision wins, contradictions to quarantine"
    MARK_SESSION = "symbol-session marked error"
    QUARANTINE_ODD_VENDOR = "odd vendor's bars to quarantine, the next vendor fills"
    MARK_ROW = "row marked error"
    FLAG_ROW = "row flagged"
    NONE = "none"


class RunEffect(StrEnum):
    """What happens to the run that found it."""

    FAIL_STEP = "the step fails"
    BLOCK_ABOVE_REJECT_SHARE = "blocks above the allowed share of invalid rows"
    BLOCK_ABOVE_BLOCK_SHARE = "blocks above the allowed share of symbol-sessions in error"
    GO_ON = "goes on"
    EXIT_IF_ASKED = "never blocks; the command line exits 2 when asked to fail on quality"


class ReadersEffect(StrEnum):
    """What readers of the data see."""

    NOTHING_NEW = "nothing new"
    NEVER_SERVED = "never served"
    UNCHANGED = "no difference"
    LEFT_OUT = "left out unless asked"
    TOLD = "the result says so, the cache does not keep it"
    FLAGGED = "served with its flag"


@dataclass(frozen=True)
class Action:
    """One line of the table.

    Attributes:
        finding: the kind of finding.
        codes: codes of findings that the line is about.
        data: effect of its severity `error` on the data (of `warn`, for lines that only warn).
        run: effect on the run.
        readers: effect on readers.
        alert: the strongest alert that it raises.
    """

    finding: str
    codes: frozenset[str]
    data: DataEffect
    run: RunEffect
    readers: ReadersEffect
    alert: str
