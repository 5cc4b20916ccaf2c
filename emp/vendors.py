"""Vendors as commands list them: the reviewed table, and what this installation makes of it.

What belongs here: which line a vendor gets, and whether it is on.
What does not: the table (adapters/vendors/table.py), how lines are shown (emp/commands/vendors.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.configuration import load_universe
from adapters.vendors.registry import MACRO, profile_of
from adapters.vendors.table import VendorEntry, load_vendor_table
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.settings import Settings
    from market_data.timeframes import Timeframe
    from market_data.universe import VendorConfig


@dataclass(frozen=True)
class VendorLine:
    """One vendor.

    Attributes:
        name: of config/universe.yaml, or of the table.
        reader: what understands its answers; empty where nothing does.
        on: whether it can be asked.
        standing: the same with the reason.
        kept: the limits that are kept, by the settings.
        others: those of the table.
    """

    name: str
    title: str
    reader: str
    tier: int
    cost: str
    latency: str
    entitlement: str
    limits: str
    kept: list[str]
    timeframes: list[str]
    on: bool
    standing: str
    note: str


def vendor_lines(settings: Settings) -> list[VendorLine]:
    """The configured vendors in the order of the universe, then those that are only listed.

    Raises:
        ConfigurationError: naming the file or the variable that is wrong.
    """
    table, universe = load_vendor_table(settings), load_universe(settings)
    lines, told = [], set()
    for config in universe.vendors:
        entry = table.of(config.name, config.reader)
        if entry is None:
            raise ConfigurationError(
                f"config/reference/vendors.yaml has no vendor of the reader {config.reader!r}, "
                f"which {config.name} needs"
            )
        told.add(entry.name)
        lines.append(_configured(config, entry))
    readers = {config.reader: config.name for config in universe.vendors}
    listed = (entry for entry in table.vendors if entry.name not in told)
    return [*lines, *_listed(listed, readers)]


def _configured(config: VendorConfig, entry: VendorEntry) -> VendorLine:
    off = profile_of(config.reader).why_off()
    return _line(
        entry, config.name, config.timeframes, f"off: {off}" if off else "on", is_asked=True
    )


def _listed(entries: Iterator[VendorEntry], readers: dict[str, str]) -> Iterator[VendorLine]:
    for entry in entries:
        standing = _standing(entry, readers)
        is_asked = entry.reader == MACRO.reader
        yield _line(entry, entry.name, entry.timeframes, standing, is_asked=is_asked)


def _standing(entry: VendorEntry, readers: dict[str, str]) -> str:
    """Of a vendor that is no vendor of bars here."""
    if not entry.reader:
        return "not connected"
    profile = profile_of(entry.reader)
    if not profile.asks_somebody:
        return "on demand"
    if entry.reader in readers:
        return f"another plan of {readers[entry.reader]}"
    if off := profile.why_off():
        return f"off: {off}"
    if profile is MACRO:
        return "on, for macro releases"
    return "off: no vendor of config/universe.yaml has this reader"


def _line(
    entry: VendorEntry,
    name: str,
    timeframes: Iterable[Timeframe],
    standing: str,
    *,
    is_asked: bool,
) -> VendorLine:
    return VendorLine(
        name=name,
        title=entry.title,
        reader=entry.reader,
        tier=entry.tier,
        cost=entry.cost,
        latency=entry.latency,
        entitlement=entry.entitlement,
        limits=entry.limits,
        kept=list(map(str, profile_of(entry.reader).allowances())) if is_asked else [],
        timeframes=[str(timeframe) for timeframe in timeframes],
        on=standing.partition(",")[0] == "on",
        standing=standing,
        note=entry.note,
    )
