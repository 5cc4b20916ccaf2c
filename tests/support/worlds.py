"""A whole platform in a temporary folder, for tests that run the pipeline from end to end.

What belongs here: opening a platform with vendors that read files, a clock that stands where the
test wants it, and the way from files to curated bars in one call.
What does not: data, assertions.

    world = World.at(tmp_path, datetime(2024, 1, 1, tzinfo=UTC))
    world.register(FileVendor("lean", {"1d": ("lean_daily", folder / "aapl.zip")}, ("AAPL",)))
    world.load("lean", "1d", "AAPL", "1998-01-02", "2021-03-31")
    world.curate("1d", "AAPL", "1998-01-02", "2021-03-31")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import polars as pl

from adapters.backend import open_platform
from adapters.clock import FixedClock
from adapters.configuration import register
from adapters.settings import Settings
from market_data.calendars import trading_sessions
from market_data.corporate_actions.lean_factors import lean_actions, parse_factor_file
from market_data.pipeline.curate import CurateReport, curate_sessions
from market_data.pipeline.ingest import IngestReport, ingest
from market_data.pipeline.inspection import Inspection, inspect_curated, inspect_raw
from market_data.pipeline.planning import IngestRequest
from market_data.pipeline.platform import Platform
from market_data.pipeline.read import read_bars
from market_data.ports import BarStore
from market_data.timeframes import Timeframe
from market_data.universe import Instrument, VendorConfig
from tests.support.operations_file import give_operations

Day = date | str
Symbols = str | tuple[str, ...]


@dataclass(frozen=True)
class FileVendor:
    """A vendor whose bars come from files.

    Attributes:
        name: the vendor's name.
        feeds: timeframe to (file format, file or folder).
        symbols: what it serves.
    """

    name: str
    feeds: Mapping[str, tuple[str, Path]]
    symbols: tuple[str, ...]

    @property
    def config(self) -> VendorConfig:
        """Its entry in the universe."""
        return VendorConfig(
            name=self.name,
            reader="files",
            timeframes=tuple(Timeframe(t) for t in self.feeds),
            symbols=self.symbols,
            options={"feeds": [{"spec": s, "path": str(p)} for s, p in self.feeds.values()]},
        )


@dataclass(frozen=True)
class World:
    """One installation, seen at one moment.

    Attributes:
        settings: of the installation; the shipped configuration under a folder of its own.
        now: what its clock says.
        store: keeps curated bars and scores; the settings' own where None.
    """

    settings: Settings
    now: datetime
    store: BarStore | None = None

    @classmethod
    def at(cls, folder: Path, now: datetime) -> World:
        """A world whose data lies in a folder."""
        settings = Settings(data_dir=folder / "data")
        give_operations(settings)
        return cls(settings, now)

    def later(self, now: datetime) -> World:
        """The same installation at another moment."""
        return replace(self, now=now)

    def register(self, *vendors: FileVendor, instruments: tuple[Instrument, ...] = ()) -> World:
        """Add vendors and instruments to the universe; earlier vendors go first."""
        register(self.settings, vendors=[v.config for v in vendors], instruments=instruments)
        return replace(self)

    @cached_property
    def platform(self) -> Platform:
        """The platform as the configuration stands when it is first asked for."""
        opened = open_platform(self.settings, clock=FixedClock(self.now))
        return opened if self.store is None else replace(opened, store=self.store)

    def load(
        self,
        vendor: str,
        timeframe: str,
        symbols: Symbols,
        first: Day,
        last: Day,
        *,
        refetch: bool = False,
        exported: date | None = None,
    ) -> IngestReport:
        """Fetch a range of sessions; `exported` is the day of split-adjusted files."""
        request = IngestRequest(
            vendor, Timeframe(timeframe), _tuple(symbols), _day(first), _day(last), refetch
        )
        return ingest(
            self.platform, request, self.platform.vendors.open(vendor, prices_as_of=exported)
        )

    def curate(self, timeframe: str, symbols: Symbols, first: Day, last: Day) -> CurateReport:
        """Curate a range of sessions."""
        return curate_sessions(
            self.platform, Timeframe(timeframe), _tuple(symbols), _day(first), _day(last)
        )

    def load_and_curate(
        self,
        vendors: Symbols,
        timeframe: str,
        symbols: Symbols,
        first: Day,
        last: Day,
        *,
        exported: date | None = None,
    ) -> CurateReport:
        """Fetch a range from each vendor, then curate it; every symbol must have rows."""
        for vendor in _tuple(vendors):
            report = self.load(vendor, timeframe, symbols, first, last, exported=exported)
            missing = set(_tuple(symbols)) - set(report.rows)
            if missing or report.errors:
                raise AssertionError(f"{vendor} has no {timeframe} rows of {missing}: {report}")
        return self.curate(timeframe, symbols, first, last)

    def read(self, timeframe: str, symbols: Symbols, **how: object) -> pl.DataFrame:
        """Curated bars, see `market_data.pipeline.read.read_bars`."""
        return read_bars(
            self.platform,
            _tuple(symbols),
            timeframe=Timeframe(timeframe),
            **how,  # type: ignore[arg-type]
        )

    def inspect(self, timeframe: str, first: Day, last: Day, vendor: str = "") -> Inspection:
        """The checks of the curated bars, or of one vendor's raw bars."""
        span = _day(first), _day(last)
        if vendor:
            return inspect_raw(self.platform, vendor, Timeframe(timeframe), *span)
        return inspect_curated(self.platform, Timeframe(timeframe), *span)

    def add_lean_actions(self, factor_file: Path, symbol: str, *, snap: bool = False) -> None:
        """Keep the splits and dividends behind a LEAN factor file."""
        factors = parse_factor_file(factor_file.read_text(encoding="utf-8"))
        calendar = self.platform.universe.instrument(symbol).calendar
        sessions = trading_sessions(calendar, factors["date"][0], date(2021, 12, 31))
        self.platform.actions.add(
            lean_actions(factors, symbol=symbol, sessions=sessions, snap_splits=snap),
            now=self.now,
        )


def _day(value: Day) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _tuple(value: Symbols) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
