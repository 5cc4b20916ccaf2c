"""What 'emp ingest' is asked for, made definite: vendor, symbols, sessions, registrations.

What belongs here: from options to one feed and one range of sessions.
What does not: what the ledger lacks of it (market_data/pipeline/planning.py), the run (emp/run.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.configuration import load_universe
from adapters.registration.entries import Registration, files_feed, find, network_feed
from adapters.registration.file_spans import session_spans
from adapters.settings import Settings
from emp.errors import PeriodError, SourceError
from emp.moments import day
from market_data.pipeline.feed import Feed
from market_data.pipeline.market_slice import newest_session
from market_data.timeframes import Timeframe
from market_data.universe import Universe

if TYPE_CHECKING:
    from adapters.vendors.files.extent import FileExtent
    from adapters.vendors.files.spec import FormatSpec

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Wish:
    """The options of 'emp ingest' as they were typed."""

    vendor: str | None = None
    symbols: Sequence[str] = ()
    timeframe: Timeframe | None = None
    start: str | None = None
    end: str | None = None
    lookback_days: int | None = None
    path: str | None = None
    spec: str | None = None
    refetch: bool = False
    prices_as_of: str | None = None

    @property
    def is_dated(self) -> bool:
        """Whether the period was said."""
        return self.start is not None or self.lookback_days is not None

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            PeriodError: the period is said twice, or by its end alone.
            SourceError: neither a vendor nor files are named, or only half of it.
        """
        if self.lookback_days is not None and (self.start or self.end):
            raise PeriodError("say --lookback-days or --start and --end, not both")
        if self.lookback_days is not None and self.lookback_days < 1:
            raise PeriodError("--lookback-days takes a number of days, 1 or more")
        if self.end is not None and self.start is None:
            raise PeriodError("--end needs --start")
        if (self.path is None) != (self.spec is None):
            raise SourceError(
                "--path and --spec go together; 'emp files specs' lists the formats, "
                "'emp files sniff FILE' proposes one"
            )
        if self.path is None and self.prices_as_of is not None:
            raise SourceError("--prices-as-of says when files were exported; it goes with --path")
        if self.path is None and self.vendor is None:
            raise SourceError("say where bars come from: --vendor NAME, or --path with --spec")
        if self.path is None and not self.is_dated:
            raise PeriodError("say a period: --lookback-days N, or --start and --end")


@dataclass(frozen=True)
class Prepared:
    """A definite wish.

    Attributes:
        feed: what to ask whom.
        timeframe: of the bars.
        first: first session.
        last: last session, included.
        universe: the configured one with the registration on top.
        registration: what is new in it, not yet written.
        notes: sentences about what was decided for the user.
    """

    feed: Feed
    timeframe: Timeframe
    first: date
    last: date
    universe: Universe
    registration: Registration
    notes: list[str] = field(default_factory=list)


def prepare(settings: Settings, wish: Wish, now: datetime) -> Prepared:
    """Make a wish definite; reads configuration and files, writes nothing.

    Raises:
        PeriodError, SourceError: see `Wish.check`; or the period holds no session that can exist.
        ConfigurationError: vendor, format or symbol; the message names the cure.
        VendorError: the files cannot be read.
    """
    wish.check()
    universe = load_universe(settings)
    notes: list[str] = []
    if wish.path is None:
        feed, timeframe, registration = _network(universe, wish)
        found: list[FileExtent] = []
    else:
        feed, timeframe, registration, found = _files(settings, universe, wish, notes, now)
    merged = registration.on_top_of(universe)
    spans = session_spans(merged, feed.vendor, feed.symbols, timeframe, found)
    span = (min(s[0] for s in spans.values()), max(s[1] for s in spans.values())) if spans else None
    if not wish.is_dated:
        feed = replace(feed, spans={s: own for s, own in spans.items() if own != span})
    first, last = _sessions(wish, merged, feed.symbols, span, now)
    first, last = _possible(first, last, merged.first_session, now, notes)
    return Prepared(feed, timeframe, first, last, merged, registration, notes)


def _network(universe: Universe, wish: Wish) -> tuple[Feed, Timeframe, Registration]:
    vendor = wish.vendor or ""
    timeframe = wish.timeframe or Timeframe.D1
    symbols, registration = network_feed(universe, vendor, timeframe, wish.symbols)
    return Feed(vendor, symbols, refetch=wish.refetch), timeframe, registration


def _files(
    settings: Settings, universe: Universe, wish: Wish, notes: list[str], now: datetime
) -> tuple[Feed, Timeframe, Registration, list[FileExtent]]:
    from adapters.vendors.files.spec import load_format

    spec_name = str(wish.spec)
    if Path(spec_name).suffix in (".yaml", ".yml"):
        spec_name = str(Path(spec_name).expanduser().resolve())
    spec = load_format(spec_name, settings.config_dir / "formats")
    if wish.timeframe is not None and wish.timeframe is not spec.timeframe:
        raise SourceError(
            f"the format {spec.name} holds {spec.timeframe} bars, not {wish.timeframe}; "
            "'emp files specs' lists the formats"
        )
    path = str(Path(str(wish.path)).expanduser().absolute())
    vendor = wish.vendor or _vendor_of(universe, spec, notes)
    words: Sequence[str] = wish.symbols
    found: list[FileExtent] = []
    if not wish.is_dated or not words:
        names = [name for w in words for name in _vendor_names(universe, vendor, w)]
        found = _extent(path, spec, names, (universe.earliest_bar, now))
        words = words or [e.symbol for e in found]
    symbols, registration = files_feed(universe, vendor, spec, spec_name, words)
    as_of = day(wish.prices_as_of, "--prices-as-of").isoformat() if wish.prices_as_of else None
    feed = Feed(
        vendor, symbols, path=path, spec=spec_name, refetch=wish.refetch, prices_as_of=as_of
    )
    return feed, spec.timeframe, registration, found


def _vendor_of(universe: Universe, spec: FormatSpec, notes: list[str]) -> str:
    """Who the files of a format speak for, unless a vendor of that name answers otherwise."""
    config = next((v for v in universe.vendors if v.name == spec.vendor), None)
    if config is None or config.reader == "files":
        return spec.vendor
    own = f"{spec.vendor}_files"
    notes.append(
        f"the files speak for vendor {own}, since {spec.vendor} is asked over the network; "
        "--vendor names another"
    )
    return own


def _vendor_names(universe: Universe, vendor: str, word: str) -> list[str]:
    """What the vendor calls, or ever called, what a word means."""
    known = find(universe, vendor, word)
    if known is None:
        return [word]
    tickers = dict.fromkeys(t.symbol for t in known.tickers_at(vendor))
    return list(tickers) or [known.vendor_symbols.get(vendor, word)]


def _extent(
    path: str, spec: FormatSpec, symbols: Sequence[str], within: tuple[datetime, datetime]
) -> list[FileExtent]:
    from adapters.vendors.files.extent import extent

    found = extent(path, spec, symbols or None, within=within)
    if not found:
        whose = f" of {', '.join(symbols)}" if symbols else ""
        raise SourceError(
            f"no bar{whose} between {within[0]:%Y-%m-%d} (first_session in config/universe.yaml) "
            f"and now was found in {path} with the format {spec.name}; "
            "'emp files sniff FILE' says what the format is"
        )
    return found


def _sessions(
    wish: Wish,
    universe: Universe,
    symbols: Sequence[str],
    span: tuple[date, date] | None,
    now: datetime,
) -> tuple[date, date]:
    if wish.lookback_days is not None:
        newest = newest_session(universe, symbols, now)
        return now.date() - wish.lookback_days * _DAY, newest
    if wish.start is not None:
        last = newest_session(universe, symbols, now) if wish.end is None else day(wish.end, "end")
        return day(wish.start, "start"), last
    if span is None:
        raise PeriodError("say a period: --lookback-days N, or --start and --end")
    return span


def _possible(
    first: date, last: date, earliest: date, now: datetime, notes: list[str]
) -> tuple[date, date]:
    """The range within the sessions that can exist: from the configured first one to tomorrow."""
    latest = now.date() + _DAY
    if last < first:
        raise PeriodError(f"the period ends ({last}) before it starts ({first})")
    kept = max(first, earliest), min(last, latest)
    if kept[1] < kept[0]:
        raise PeriodError(
            f"no session from {first} to {last} can exist: they reach from {earliest} "
            f"(first_session in config/universe.yaml) to {latest}"
        )
    if kept != (first, last):
        notes.append(f"sessions {first} to {last} were cut to {kept[0]} to {kept[1]}")
    return kept
