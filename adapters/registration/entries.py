"""Symbols and vendors as a command line names them, and what has to be registered for them.

What belongs here: the platform's symbol, the vendor's own name or a new instrument, whichever a
word means; a universe with the new entries; the record that a person is shown.
What does not: keeping registrations (adapters/configuration.py), names at other vendors
(vendor_names.py) and guesses about Yahoo's (yahoo_symbols.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from adapters.registration.vendor_names import name_at
from adapters.registration.yahoo_symbols import guess_instrument
from adapters.vendors.registry import profile_of
from market_data.calendars import calendar_name
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe
from market_data.universe import Instrument, Universe, VendorConfig

if TYPE_CHECKING:
    from adapters.vendors.files.spec import FormatSpec


@dataclass
class Registration:
    """What a command line needs that the universe has not.

    Attributes:
        instruments: new ones, or a known one with one more vendor's name for it.
        vendors: new ones, or a known one with one more timeframe.
    """

    instruments: list[Instrument] = field(default_factory=list)
    vendors: list[VendorConfig] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to register."""
        return bool(self.instruments or self.vendors)

    def on_top_of(self, universe: Universe) -> Universe:
        """The universe with these entries, in memory alone."""
        instruments = {i.symbol: i for i in universe.instruments}
        for new in self.instruments:
            old = instruments.get(new.symbol)
            instruments[new.symbol] = (
                new
                if old is None
                else old.model_copy(
                    update={"vendor_symbols": {**new.vendor_symbols, **old.vendor_symbols}}
                )
            )
        vendors = {v.name: v for v in universe.vendors}
        for vendor in self.vendors:
            known = vendors.get(vendor.name)
            vendors[vendor.name] = (
                vendor
                if known is None
                else known.model_copy(
                    update={"timeframes": (*known.timeframes, *vendor.timeframes)}
                )
            )
        return universe.model_copy(
            update={
                "instruments": tuple(instruments.values()),
                "vendors": tuple(vendors.values()),
            }
        ).on_calendars()

    def told(self) -> dict[str, Any]:
        """The entries as a JSON summary shows them."""
        return {
            "instruments": [
                {
                    "symbol": i.symbol,
                    "asset_class": str(i.asset_class),
                    "calendar": calendar_name(i.calendar),
                    "currency": i.currency,
                    "vendor_symbols": i.vendor_symbols,
                    "assumed": i.assumed,
                }
                for i in self.instruments
            ],
            "vendors": [
                {"name": v.name, "reader": v.reader, "timeframes": [str(t) for t in v.timeframes]}
                for v in self.vendors
            ],
        }

    def sentences(self) -> list[str]:
        """The entries in words, one line each."""
        lines = [
            f"registered vendor {v.name} (reader {v.reader}) for {', '.join(v.timeframes)}"
            for v in self.vendors
        ]
        for i in self.instruments:
            names = ", ".join(f"{name} at {vendor}" for vendor, name in i.vendor_symbols.items())
            guess = (
                f", assumed to be {i.asset_class} on calendar {calendar_name(i.calendar)} in "
                f"{i.currency}"
                if i.assumed
                else ""
            )
            lines.append(f"registered {i.symbol} as {names}{guess}")
        return lines


def network_feed(
    universe: Universe, vendor: str, timeframe: Timeframe, words: Sequence[str]
) -> tuple[tuple[str, ...], Registration]:
    """The platform symbols that words mean to a configured vendor, and what is new about them.

    Args:
        universe: what is configured.
        vendor: a configured vendor that is not a reader of files.
        timeframe: of the bars that are wanted.
        words: platform symbols or the vendor's own names; none means all that it serves.

    Raises:
        ConfigurationError: the vendor is not configured, is off, lacks the timeframe, or cannot
            serve a symbol; the message says what there is.
    """
    config = universe.vendor(vendor)
    if config.reader == "files":
        raise ConfigurationError(f"vendor {vendor!r} reads files: name them with --path and --spec")
    if reason := profile_of(config.reader).why_off():
        raise ConfigurationError(f"vendor {vendor!r} is off: {reason}")
    if timeframe not in config.timeframes:
        raise ConfigurationError(
            f"vendor {vendor!r} has no {timeframe} bars; it has: {', '.join(config.timeframes)}"
        )
    served = universe.symbols_of(vendor)
    if not words:
        if not served:
            raise ConfigurationError(f"vendor {vendor!r} serves no symbol yet; name some")
        return served, Registration()
    symbols, registration = [], Registration()
    for word in words:
        known = find(universe, vendor, word)
        if known is not None and known.symbol in served:
            symbols.append(known.symbol)
            continue
        new = _named_at(known, config, served) if known else _unheard_of(word, config, served)
        symbols.append(_add(universe, registration, config, new))
    return _once(symbols), registration


def _named_at(known: Instrument, config: VendorConfig, served: Sequence[str]) -> Instrument:
    """A configured instrument with the vendor's name for it, where that follows from its symbol."""
    name = name_at(config.reader, known)
    if name is None:
        raise ConfigurationError(
            f"vendor {config.name!r} does not serve {known.symbol!r}; it serves: "
            f"{', '.join(served)}; where it has a name for it, add that to the vendor_symbols of "
            f"{known.symbol} in config/universe.yaml"
        )
    return _known_at(known, config.name, name)


def _unheard_of(word: str, config: VendorConfig, served: Sequence[str]) -> Instrument:
    """A new instrument; Yahoo's names alone say enough about one."""
    if config.reader != "yahoo":
        raise ConfigurationError(
            f"vendor {config.name!r} does not serve {word!r}; it serves: {', '.join(served)}; an "
            f"instrument of its own begins in config/universe.yaml, with {config.name} in its "
            "vendor_symbols"
        )
    return _guess(config.name, word)


def files_feed(
    universe: Universe, vendor: str, spec: FormatSpec, spec_name: str, words: Iterable[str]
) -> tuple[tuple[str, ...], Registration]:
    """The platform symbols of a vendor that speaks through files, and what is new about them.

    Args:
        universe: what is configured.
        vendor: who the files speak for.
        spec: their format; a new instrument takes its class, calendar and currency from it.
        spec_name: what the format was called.
        words: platform symbols or the vendor's own names.

    Raises:
        ConfigurationError: the vendor is configured with another reader.
    """
    registration = Registration()
    config = next((v for v in universe.vendors if v.name == vendor), None)
    if config is not None and config.reader != "files":
        raise ConfigurationError(
            f"vendor {vendor!r} is served by the reader {config.reader!r}, not by files; give the "
            f"files a vendor of their own, for instance --vendor {vendor}_files"
        )
    if config is None or spec.timeframe not in config.timeframes:
        config = _vendor(vendor, spec, spec_name)
        registration.vendors.append(config)
    symbols = []
    for word in words:
        known = find(universe, vendor, word)
        if known is not None and universe.serves(config, known):
            symbols.append(known.symbol)
            continue
        new = _known_at(known, vendor, word) if known else _from_spec(vendor, word, spec)
        symbols.append(_add(universe, registration, config, new))
    return _once(symbols), registration


def find(universe: Universe, vendor: str, word: str) -> Instrument | None:
    """The instrument that a word names: the platform's symbol, or else the vendor's own name."""
    named = {i.symbol.upper(): i for i in universe.instruments}
    theirs = {
        universe.vendor_symbol(vendor, i.symbol).upper(): i
        for i in universe.instruments
        if vendor in i.vendor_symbols or i.tickers_at(vendor)
    }
    return theirs.get(word.upper()) or named.get(word.upper())


def _known_at(known: Instrument, vendor: str, vendor_symbol: str) -> Instrument:
    """A configured instrument with no more said about it than another vendor's name."""
    return Instrument(
        symbol=known.symbol,
        asset_class=known.asset_class,
        calendar=known.calendar,
        currency=known.currency,
        vendor_symbols={vendor: vendor_symbol},
    )


def _guess(vendor: str, word: str) -> Instrument:
    try:
        return guess_instrument(vendor, word)
    except ValidationError as error:
        raise ConfigurationError(f"{word!r} cannot be a symbol: {_reason(error)}") from error


def _from_spec(vendor: str, word: str, spec: FormatSpec) -> Instrument:
    try:
        return Instrument(
            symbol=word.upper(),
            asset_class=spec.asset_class,
            calendar=spec.calendar,
            currency=spec.currency,
            vendor_symbols={vendor: word},
            assumed=True,
        )
    except ValidationError as error:
        raise ConfigurationError(
            f"{word!r} cannot be a symbol: {_reason(error)}; name it with --symbols"
        ) from error


def _vendor(name: str, spec: FormatSpec, spec_name: str) -> VendorConfig:
    try:
        return VendorConfig(
            name=name, reader="files", timeframes=(spec.timeframe,), options={"spec": spec_name}
        )
    except ValidationError as error:
        raise ConfigurationError(f"{name!r} cannot be a vendor: {_reason(error)}") from error


def _reason(error: ValidationError) -> str:
    return "; ".join(str(e["msg"]) for e in error.errors())


def _add(
    universe: Universe, registration: Registration, config: VendorConfig, new: Instrument
) -> str:
    """Note a new entry, unless its symbol already means something else."""
    if config.symbols is not None and new.symbol not in config.symbols:
        raise ConfigurationError(
            f"vendor {config.name!r} is configured for a fixed list of symbols; "
            f"add {new.symbol} to it in config/universe.yaml"
        )
    if new.asset_class not in config.asset_classes:
        classes = ", ".join(config.asset_classes)
        raise ConfigurationError(
            f"vendor {config.name!r} is configured for {classes}; {new.symbol} is {new.asset_class}"
        )
    known = next((i for i in universe.instruments if i.symbol == new.symbol), None)
    if known is not None and new.assumed:
        if known.asset_class is not new.asset_class or config.name in known.vendor_symbols:
            theirs = known.vendor_symbols.get(config.name, "another instrument")
            raise ConfigurationError(
                f"{new.vendor_symbols[config.name]} would become {new.symbol}, which is already "
                f"{known.asset_class} {theirs}; give it a symbol of its own in config/universe.yaml"
            )
        new = _known_at(known, config.name, new.vendor_symbols[config.name])
    registration.instruments.append(new)
    return new.symbol


def _once(symbols: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(symbols))
