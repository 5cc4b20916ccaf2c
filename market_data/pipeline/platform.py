"""Everything a use-case may touch, in one record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

from market_data.errors import ConfigurationError
from market_data.macro.releases import MacroTable
from market_data.ports import (
    ActionLog,
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
    Vendor,
    Window,
)
from market_data.quality.thresholds import Thresholds
from market_data.universe import Universe

Progress = Callable[[str], None]
"""Told, in a sentence, what a long step is doing."""


def silent(_: str) -> None:
    """A progress that nobody watches."""


class Unheard:
    """An event publisher without listeners."""

    def publish(self, events: Sequence[Event]) -> None:
        """Drop the events."""


class VendorFactory(Protocol):
    """Builds the adapter of a configured vendor."""

    def __call__(
        self,
        name: str,
        path: str | None = None,
        spec: str | None = None,
        prices_as_of: date | None = None,
    ) -> Vendor:
        """The adapter; the others are about the files of a vendor that reads files.

        Args:
            name: the vendor.
            path: the files.
            spec: their format.
            prices_as_of: the day on which they were exported, for split-adjusted prices.
        """
        ...


def _nobody() -> MacroSource:
    raise ConfigurationError("this platform has no source of macro releases")


@dataclass(frozen=True)
class MacroFeed:
    """Macro releases: which ones, and who is asked.

    Attributes:
        table: the reviewed table of releases.
        source: builds who is asked.
        off: why nobody can be asked, in a sentence; empty where somebody can.
    """

    table: MacroTable = field(default_factory=MacroTable)
    source: Callable[[], MacroSource] = _nobody
    off: Callable[[], str] = lambda: "there is no source of macro releases"


@dataclass(frozen=True)
class Platform:
    """Configuration and ports of one installation.

    Attributes:
        universe: instruments, vendors, priorities.
        thresholds: limits of the checks.
        rule_version: names the rules that make curated rows.
        vendor: builds the adapter of a configured vendor.
        delay: time after a bar's end at which a configured vendor has it.
        off: why a configured vendor cannot be asked, in a sentence; empty where it can.
        settling: time after a session's close from which bars that a configured vendor still
            lacks are not to be expected any more; None where they may always come.
        tells_splits: whether a configured vendor's answers tell every split since their first bar.
        events: where steps tell what they did.
        macro: macro releases.
        windows: how much is used now of what a configured vendor lets us ask; empty where it sets
            no limit.
        patience: how long a request to a vendor waits for its turn before it is refused.
    """

    universe: Universe
    thresholds: Thresholds
    rule_version: str
    store: BarStore
    raw_log: RawLog
    payloads: PayloadArchive
    ledger: Ledger
    journal: Journal
    quarantine: QuarantineLog
    actions: ActionLog
    clock: Clock
    locks: Locks
    vendor: VendorFactory
    delay: Callable[[str], timedelta]
    settling: Callable[[str], timedelta | None]
    tells_splits: Callable[[str], bool]
    events: EventPublisher = field(default_factory=Unheard)
    off: Callable[[str], str] = lambda _: ""
    macro: MacroFeed = field(default_factory=MacroFeed)
    windows: Callable[[str], tuple[Window, ...]] = lambda _: ()
    patience: timedelta = timedelta(0)
