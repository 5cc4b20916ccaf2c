"""Instruments, vendors and who goes first: the parsed form of config/universe.yaml.

What belongs here: the records, their validation, and questions that they answer alone.
What does not: reading files (adapters/configuration.py), calendars (market_data/calendars).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator

from market_data.calendar_rules import CalendarRules
from market_data.calendar_versions import calendar_name, versioned
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

SYMBOL_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.=^/\-]{0,31}$"
VENDOR_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"


class AssetClass(StrEnum):
    """Decides thresholds, and whether corporate actions apply."""

    EQUITY = "equity"
    FX = "fx"
    CRYPTO = "crypto"
    INDEX = "index"
    FUTURE = "future"

    @property
    def is_adjustable(self) -> bool:
        """Whether splits and dividends exist in this class."""
        return self is AssetClass.EQUITY


class Ticker(BaseModel):
    """What a vendor called an instrument from one session to another.

    Attributes:
        vendor: whose name it is.
        symbol: the name.
        first: first session under it, `from` in the file; None since ever.
        last: last session under it, `to` in the file; None until further notice.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True
    )

    vendor: str = Field(pattern=VENDOR_PATTERN)
    symbol: str = Field(pattern=SYMBOL_PATTERN)
    first: date | None = Field(default=None, alias="from")
    last: date | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since > self.until:
            raise ValueError(f"{self.vendor}={self.symbol}: from is later than to")
        return self

    @property
    def since(self) -> date:
        """First session under the name."""
        return self.first or date.min

    @property
    def until(self) -> date:
        """Last session under the name."""
        return self.last or date.max

    def meets(self, other: Ticker) -> bool:
        """Whether two spans have a session in common."""
        return self.since <= other.until and other.since <= self.until

    def __str__(self) -> str:
        """Vendor, name and span."""
        return f"{self.vendor}={self.symbol} {self.first or ''}..{self.last or ''}"


class Instrument(BaseModel):
    """One instrument under its permanent symbol."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str = Field(pattern=SYMBOL_PATTERN)
    name: str = ""
    asset_class: AssetClass
    calendar: str
    currency: str = "USD"
    listed: date | None = None
    delisted: date | None = None
    vendor_symbols: dict[str, str] = Field(default_factory=dict)
    tickers: tuple[Ticker, ...] = ()
    """Names that changed. For a vendor that is named here they go before vendor_symbols, and it is
    asked for the sessions of these spans alone: outside them the name may be another company's."""
    history: date | None = None
    """First session that the store should hold; without it, what was asked for decides."""
    assumed: bool = False
    """Registered from a command line, its class and calendar guessed from the symbol."""

    @field_serializer("calendar")
    def _plain_calendar(self, value: str) -> str:
        return calendar_name(value)

    @model_validator(mode="after")
    def _one_name_at_a_time(self) -> Self:
        for number, one in enumerate(self.tickers):
            for other in self.tickers[:number]:
                if one.vendor == other.vendor and one.meets(other):
                    raise ValueError(f"tickers of {self.symbol} overlap: {other} and {one}")
        if self.listed and self.delisted and self.listed > self.delisted:
            raise ValueError(f"{self.symbol} is listed ({self.listed}) after it is delisted")
        return self

    def tickers_at(self, vendor: str) -> tuple[Ticker, ...]:
        """The vendor's names by session, oldest first; none where its name never changed."""
        return tuple(sorted((t for t in self.tickers if t.vendor == vendor), key=lambda t: t.since))

    def name_spans(self, vendor: str) -> tuple[tuple[date, date], ...]:
        """First and last session under each of the vendor's names; endless where none changed."""
        spans = tuple((t.since, t.until) for t in self.tickers_at(vendor))
        return spans or ((date.min, date.max),)


class VendorConfig(BaseModel):
    """One vendor: the reader that serves it and what it serves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=VENDOR_PATTERN)
    reader: str
    timeframes: tuple[Timeframe, ...]
    asset_classes: tuple[AssetClass, ...] = tuple(AssetClass)
    symbols: tuple[str, ...] | None = None
    """The symbols served; None: every instrument of the asset classes that names this vendor in
    vendor_symbols."""
    options: dict[str, Any] = Field(default_factory=dict)


class Universe(BaseModel):
    """Everything the platform is configured to hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_session: date = date(1990, 1, 1)
    instruments: tuple[Instrument, ...]
    vendors: tuple[VendorConfig, ...]
    priority: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """'<asset class>', '<asset class>/<timeframe>' or 'default' to vendor names, first is best."""
    calendars: dict[str, CalendarRules] = Field(default_factory=dict)
    """What the configuration says about calendars, by plain code."""

    @model_validator(mode="after")
    def _consistent(self) -> Universe:
        symbols = [i.symbol for i in self.instruments]
        names = [v.name for v in self.vendors]
        for what, values in (("instrument", symbols), ("vendor", names)):
            twice = sorted({v for v in values if values.count(v) > 1})
            if twice:
                raise ValueError(f"{what} given twice: {', '.join(twice)}")
        unknown = sorted({v for order in self.priority.values() for v in order} - set(names))
        if unknown:
            raise ValueError(f"priority names vendors that are not configured: {unknown}")
        owners: dict[tuple[str, str], list[tuple[Ticker, str]]] = {}
        for instrument in self.instruments:
            for one in instrument.tickers:
                known = owners.setdefault((one.vendor, one.symbol), [])
                for other, owner in known:
                    if owner != instrument.symbol and one.meets(other):
                        raise ValueError(
                            f"tickers: {one} of {instrument.symbol} is {owner}'s at the same time "
                            f"({other})"
                        )
                known.append((one, instrument.symbol))
        # A universe that was written down and read again follows its own calendars too.
        self.__dict__["instruments"] = self.on_calendars().instruments
        return self

    def on_calendars(self) -> Universe:
        """The universe with each instrument on the version of its calendar that is configured.

        A validated one is; this is for copies that were given other instruments or calendars.
        """
        return self.model_copy(
            update={
                "instruments": tuple(
                    i.model_copy(update={"calendar": versioned(i.calendar, self.calendars)})
                    for i in self.instruments
                )
            }
        )

    @property
    def earliest_bar(self) -> datetime:
        """No bar of the first session starts earlier; it may open the evening before."""
        return datetime.combine(self.first_session, time(), UTC) - timedelta(days=1)

    @property
    def classes(self) -> dict[str, str]:
        """Symbol to asset class."""
        return {i.symbol: str(i.asset_class) for i in self.instruments}

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol.

        Raises:
            ConfigurationError: the universe has no such symbol.
        """
        found = next((i for i in self.instruments if i.symbol == symbol), None)
        if found is None:
            raise ConfigurationError(
                f"symbol {symbol!r} is not in the universe; add it to config/universe.yaml "
                "or ingest it once with 'emp ingest'"
            )
        return found

    def vendor(self, name: str) -> VendorConfig:
        """The vendor of a name.

        Raises:
            ConfigurationError: no vendor of that name is configured.
        """
        found = next((v for v in self.vendors if v.name == name), None)
        if found is None:
            known = ", ".join(v.name for v in self.vendors)
            raise ConfigurationError(f"vendor {name!r} is not configured; known: {known}")
        return found

    def serves(self, vendor: VendorConfig, instrument: Instrument) -> bool:
        """Whether a vendor is configured to serve an instrument."""
        if vendor.symbols is not None:
            return instrument.symbol in vendor.symbols
        named = vendor.name in instrument.vendor_symbols or instrument.tickers_at(vendor.name)
        return bool(named) and instrument.asset_class in vendor.asset_classes

    def symbols_of(self, vendor: str) -> tuple[str, ...]:
        """Symbols that a vendor is configured to serve."""
        config = self.vendor(vendor)
        return tuple(i.symbol for i in self.instruments if self.serves(config, i))

    def vendor_symbol(self, vendor: str, symbol: str, session: date | None = None) -> str:
        """What a vendor calls a symbol; its own name where nothing else is configured.

        Args:
            vendor: the vendor.
            symbol: the platform's symbol.
            session: on this session; None for the newest name.

        Raises:
            ConfigurationError: the universe has no such symbol, or the vendor has no name for it
                on that session.
        """
        instrument = self.instrument(symbol)
        spans = instrument.tickers_at(vendor)
        if not spans:
            return instrument.vendor_symbols.get(vendor, symbol)
        if session is None:
            return spans[-1].symbol
        found = next((t.symbol for t in spans if t.since <= session <= t.until), None)
        if found is None:
            raise ConfigurationError(
                f"no ticker of {symbol} at {vendor} is given for {session}; complete its tickers"
            )
        return found

    def vendors_of(self, timeframe: Timeframe) -> tuple[VendorConfig, ...]:
        """Vendors with native bars of a timeframe."""
        return tuple(v for v in self.vendors if timeframe in v.timeframes)

    def named_order(self, asset_class: AssetClass, timeframe: Timeframe) -> tuple[str, ...]:
        """The priority that is written down for an asset class and timeframe, best first."""
        return next(
            (
                self.priority[key]
                for key in (f"{asset_class}/{timeframe}", str(asset_class), "default")
                if key in self.priority
            ),
            (),
        )

    def order(self, asset_class: AssetClass, timeframe: Timeframe) -> tuple[str, ...]:
        """Vendors of a timeframe, best first; those the priority leaves out come last."""
        named = self.named_order(asset_class, timeframe)
        serving = [v.name for v in self.vendors_of(timeframe)]
        return tuple([v for v in named if v in serving] + [v for v in serving if v not in named])
