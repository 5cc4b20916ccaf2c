"""The records of a failover: looks, decisions, missed slices.

What belongs here: what they hold, and words for people. What does not: rules (decide.py), keeping
them (market_data/ports/failover.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from market_data.timeframes import Timeframe

REPORT = "ingest_failover"
"""Name of the report on the newest decision."""


class Standing(StrEnum):
    """Where an installation stands.

    normal: the warehouse is used. away: fetching goes on into the lake alone. back: the server
    answers, and what it missed is being made.
    """

    NORMAL = "normal"
    AWAY = "away"
    BACK = "back"


@dataclass(frozen=True)
class Look:
    """One look at the warehouse's server: when, aware; whether it answered; why not."""

    at: datetime
    reachable: bool
    reason: str = ""


@dataclass(frozen=True)
class Streak:
    """Looks in a row that found the same.

    Attributes:
        reachable: what they found.
        since: the first of them.
        last: the newest.
        looks: how many there were.
        reason: of the newest one that found no answer.
    """

    reachable: bool
    since: datetime
    last: datetime
    looks: int = 1
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {
            "reachable": self.reachable,
            "since": self.since.isoformat(),
            "last": self.last.isoformat(),
            "looks": self.looks,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Streak:
        """What `to_json` made."""
        return cls(
            bool(kept["reachable"]),
            datetime.fromisoformat(kept["since"]),
            datetime.fromisoformat(kept["last"]),
            int(kept["looks"]),
            str(kept["reason"]),
        )


@dataclass(frozen=True)
class Missing:
    """How many missed slices are open, by whether their dataset is required."""

    required: int = 0
    optional: int = 0


@dataclass(frozen=True)
class Decision:
    """A change of the standing.

    Attributes:
        at: when it was taken, aware.
        was: the standing before.
        became: the standing from then on.
        reason: a sentence.
        evidence: what it follows from; what JSON can hold.
        author: who decided.
        number: in the order of the decisions; 0 for one that is not kept yet.
    """

    at: datetime
    was: Standing
    became: Standing
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    author: str = ""
    number: int = 0

    def to_json(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "was": str(self.was),
            "became": str(self.became),
            "reason": self.reason,
            "evidence": dict(self.evidence),
            "author": self.author,
        }


@dataclass(frozen=True)
class MissedSlice:
    """A slice that could not be written.

    Attributes:
        dataset: layer/name: curated bars of a timeframe, the scores, the macro calendar, a
            reference table; features/bars_1d is all that is made of the bars of days.
        timeframe: of the bars that it is about, or made of; None for the scores of all of them.
        symbols: whose.
        first: first session.
        last: last session, included.
        run_id: of the run that missed it first; empty where none was launched for it.
        noted_at: when, aware.
        number: names it; 0 for one that is not kept yet.
        decision: number of the decision in force then; None where there was none.
        attempts: runs that were launched to make it.
        replayed_at: when it was found to be whole; None while it is open.
        digest_lake: of its rows as the lake gives them; empty while it is open.
        digest_store: of its rows in the warehouse.
        rows: how many there are.
        remark: what a person should know of its end.
    """

    dataset: str
    timeframe: Timeframe | None
    symbols: tuple[str, ...]
    first: date
    last: date
    run_id: str
    noted_at: datetime
    number: int = 0
    decision: int | None = None
    attempts: int = 0
    replayed_at: datetime | None = None
    digest_lake: str = ""
    digest_store: str = ""
    rows: int = 0
    remark: str = ""

    @property
    def sessions(self) -> tuple[date, date]:
        """First and last session, both included."""
        return self.first, self.last
