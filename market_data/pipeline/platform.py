"""Everything a use-case may touch, in one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from market_data.errors import ConfigurationError
from market_data.macro.releases import MacroTable
from market_data.ports import (
    ActionLog,
    Annotations,
    BarStore,
    Clock,
    Event,
    EventPublisher,
    Journal,
    Ledger,
    Locks,
    MacroSource,
    PayloadArchive,
    QuarantineLog,
    RawLog,
    Vendors,
)
from market_data.ports.shapes import AnswerShapes
from market_data.quality.expectations import NOTHING_EXPECTED, Expectations
from market_data.quality.thresholds import Thresholds
from market_data.requests.cost import Cost
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Universe

Progress = Callable[[str], None]
"""Told, in a sentence, what a long step is doing."""


def silent(_: str) -> None:
    """A progress that nobody watches."""


class Unheard:
    """An event publisher without listeners."""

    def publish(self, events: Sequence[Event]) -> None:
        """Drop the events."""


def _nobody() -> MacroSource:
    raise ConfigurationError("this platform has no source of macro releases")


@dataclass(frozen=True)
class MacroFeed:
    """Macro releases: which ones, and who is asked.

    Attributes:
        table: the reviewed table of releases.
        source: builds who is asked.
        off: why nobody can be asked, in a sentence; empty where somebody can.
        cost: what the dates of so many releases and the values of so many series of a range cost
            at most; nobody is asked for that.
    """

    table: MacroTable = field(default_factory=MacroTable)
    source: Callable[[], MacroSource] = _nobody
    off: Callable[[], str] = lambda: "there is no source of macro releases"
    cost: Callable[[int, int, date, date], Cost] = lambda *_: Cost("nobody", 0, ())


@dataclass(frozen=True)
class Platform:
    """Configuration and ports of one installation.

    Attributes:
        universe: instruments, vendors, priorities.
        thresholds: limits of the checks.
        rule_version: names all rules that make curated rows.
        rule_versions: names those that make the rows of an asset class and timeframe.
        vendors: the configured vendors.
        events: where steps tell what they did.
        macro: macro releases.
        shapes: what vendors' answers looked like.
        expectations: what sessions are expected to hold beside the limits of the checks.
    """

    universe: Universe
    thresholds: Thresholds
    rule_version: str
    rule_versions: Mapping[tuple[AssetClass, Timeframe], str]
    store: BarStore
    raw_log: RawLog
    payloads: PayloadArchive
    ledger: Ledger
    journal: Journal
    quarantine: QuarantineLog
    actions: ActionLog
    annotations: Annotations
    clock: Clock
    locks: Locks
    vendors: Vendors
    shapes: AnswerShapes
    events: EventPublisher = field(default_factory=Unheard)
    macro: MacroFeed = field(default_factory=MacroFeed)
    expectations: Expectations = NOTHING_EXPECTED
