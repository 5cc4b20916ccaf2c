"""Instruments, vendors and who goes first: the parsed form of config/universe.yaml.

What belongs here: the records, their validation, and questions that they answer alone.
What does not: reading files (adapters/configuration.py), calendars (market_data/calendars).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
    history: date | None = None
    """First session that the store should hold; without it, what was asked for decides."""
    assumed: bool = False
    """Registered from a command line, its class and calendar guessed from the symbol."""


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
        return self

    @property
    def earliest_bar(self) -> datetime:
        """No bar of the first session starts earlier; it may open the evening before."""
        return datetime.combine(self.first_session, time(), UTC) - timedelta(days=1)

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
        return (
            vendor.name in instrument.vendor_symbols
            and instrument.asset_class in vendor.asset_classes
        )

    def symbols_of(self, vendor: str) -> tuple[str, ...]:
        """Symbols that a vendor is configured to serve."""
        config = self.vendor(vendor)
        return tuple(i.symbol for i in self.instruments if self.serves(config, i))

    def vendor_symbol(self, vendor: str, symbol: str) -> str:
        """What a vendor calls a symbol; its own name where nothing else is configured."""
        return self.instrument(symbol).vendor_symbols.get(vendor, symbol)

    def vendors_of(self, timeframe: Timeframe) -> tuple[VendorConfig, ...]:
        """Vendors with native bars of a timeframe."""
        return tuple(v for v in self.vendors if timeframe in v.timeframes)

    def order(self, asset_class: AssetClass, timeframe: Timeframe) -> tuple[str, ...]:
        """Vendors of a timeframe, best first; those the priority leaves out come last."""
        named = next(
            (
                self.priority[key]
                for key in (f"{asset_class}/{timeframe}", str(asset_class), "default")
                if key in self.priority
            ),
            (),
        )
        serving = [v.name for v in self.vendors_of(timeframe)]
        return tuple([v for v in named if v in serving] + [v for v in serving if v not in named])
