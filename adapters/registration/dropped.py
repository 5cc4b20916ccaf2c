"""What a batch of dropped files holds: symbols, sessions, and which of the files cannot be read.

What belongs here: from files and their format to a feed over ranges of sessions. What does not:
gathering the files (adapters/dropped_files.py), reading their bars (adapters/vendors/files).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.registration.entries import Registration, files_feed, find
from adapters.registration.file_spans import session_spans
from adapters.settings import Settings
from market_data.automation.drop import DropFolder
from market_data.backfill.pieces import Day, cut
from market_data.errors import ConfigurationError, VendorError
from market_data.pipeline.feed import Feed
from market_data.timeframes import Timeframe
from market_data.universe import Universe
from market_data.wording import sayable

if TYPE_CHECKING:
    from adapters.vendors.files.extent import FileExtent
    from adapters.vendors.files.spec import FormatSpec

Span = tuple[date, date]
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Content:
    """What a batch holds.

    Attributes:
        timeframe: of its bars.
        symbols: whose bars they are.
        spans: by symbol, first and last session.
        files: by name of a file, whose bars it holds.
        registration: what the universe lacks for it.
        broken: by name of a file, why it cannot be read.
    """

    timeframe: Timeframe
    symbols: tuple[str, ...] = ()
    spans: Mapping[str, Span] = field(default_factory=dict)
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    registration: Registration = field(default_factory=Registration)
    broken: Mapping[str, str] = field(default_factory=dict)

    def ranges(self) -> list[Span]:
        """First and last session of each run, oldest first: stretches far apart are runs each."""
        days = sorted(
            {
                first + n * _DAY
                for first, last in self.spans.values()
                for n in range((last - first).days + 1)
            }
        )
        return cut([Day(day, 1) for day in days], bars_per_run=len(days), by_month=True)

    def feed(self, folder: DropFolder, place: Path, sessions: Span) -> Feed:
        """What a run over some of the sessions asks.

        Args:
            folder: whose files they are.
            place: where they lie now.
            sessions: first and last of the run.
        """
        first, last = sessions
        inside = {
            symbol: (max(first, begin), min(last, end))
            for symbol, (begin, end) in self.spans.items()
            if begin <= last and end >= first
        }
        return Feed(
            folder.vendor,
            tuple(inside),
            path=str(place),
            spec=folder.spec,
            refetch=True,
            spans={symbol: span for symbol, span in inside.items() if span != sessions},
        )


def content_of(
    settings: Settings,
    universe: Universe,
    folder: DropFolder,
    files: Mapping[str, Path],
    now: datetime,
) -> Content:
    """Look into the files of a batch, each by itself: a broken one spoils no other.

    Args:
        settings: say where formats are.
        universe: what is configured.
        folder: whose files they are.
        files: by name, where they lie.
        now: the moment, aware; later bars are none.

    Raises:
        ConfigurationError: the format, or the vendor's entry in the universe, does not fit.
    """
    from adapters.vendors.files.spec import load_format

    spec = load_format(folder.spec, settings.config_dir / "formats")
    config = universe.vendor(folder.vendor)
    if spec.timeframe not in config.timeframes:
        raise ConfigurationError(
            f"vendor {folder.vendor!r} has no {spec.timeframe} bars, which the format {spec.name} "
            f"of drop.{folder.name} holds; add {spec.timeframe} to its timeframes in "
            "config/universe.yaml and reload the code location"
        )
    found: list[FileExtent] = []
    held: dict[str, tuple[str, ...]] = {}
    broken: dict[str, str] = {}
    for name, path in files.items():
        try:
            extents, held[name] = _held(universe, folder, spec, path, now)
            found += extents
        except (VendorError, ConfigurationError) as error:
            broken[name] = str(error)
        except Exception as error:  # noqa: BLE001 - whatever one file brings up, others land
            broken[name] = f"it cannot be read: {type(error).__name__}: {sayable(str(error))}"
    words = list(dict.fromkeys(extent.symbol for extent in found))
    symbols, registration = files_feed(universe, folder.vendor, spec, folder.spec, words)
    merged = registration.on_top_of(universe)
    spans = session_spans(merged, folder.vendor, symbols, spec.timeframe, _whole(found))
    earliest = merged.first_session
    possible = {s: (max(a, earliest), b) for s, (a, b) in spans.items() if b >= earliest}
    return Content(spec.timeframe, tuple(possible), possible, held, registration, broken)


def _held(
    universe: Universe, folder: DropFolder, spec: FormatSpec, path: Path, now: datetime
) -> tuple[list[FileExtent], tuple[str, ...]]:
    """What one file holds, and the platform's symbols of it.

    Raises:
        VendorError: it cannot be read, is not what the format says, or holds no bar.
        ConfigurationError: it holds a symbol that cannot be registered.
    """
    from adapters.vendors.files.discovery import fits
    from adapters.vendors.files.extent import extent

    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise VendorError("its name is not UTF-8; rename it") from None
    if not fits(path, spec.files):
        raise VendorError(f"its name is not like {spec.files}, which the format {spec.name} reads")
    wanted = [
        universe.vendor_symbol(folder.vendor, known.symbol) if known else word
        for word in folder.symbols
        for known in [find(universe, folder.vendor, word)]
    ]
    found = extent(path, spec, wanted or None, within=(universe.earliest_bar, now))
    if not found:
        raise VendorError(f"no bar between {universe.earliest_bar:%Y-%m-%d} and now is in it")
    # Whether each can be registered shows here, where it is known which file names it.
    words = [one.symbol for one in found]
    return found, files_feed(universe, folder.vendor, spec, folder.spec, words)[0]


def _whole(found: list[FileExtent]) -> list[FileExtent]:
    """One per symbol, from the first bar in any file to the last in any."""
    from adapters.vendors.files.extent import FileExtent

    whole: dict[str, FileExtent] = {}
    for one in found:
        old = whole.get(one.symbol)
        whole[one.symbol] = (
            one
            if old is None
            else FileExtent(
                one.symbol,
                min(old.first_ts, one.first_ts),
                max(old.last_ts, one.last_ts),
                (*old.files, *one.files),
            )
        )
    return list(whole.values())
