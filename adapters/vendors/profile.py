"""What the platform knows of a vendor before it asks: the record that each package fills in once.

What belongs here: the form of a profile, and what follows from every profile alike.
What does not: the facts (profile.py in the package of each vendor), the list of all profiles
(registry.py), what a vendor says of its terms (config/reference/vendors.yaml).

A profile loads no adapter: listing vendors, limits or settings costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.settings import Settings
from adapters.variables import read
from adapters.vendors.settings import VendorSettings
from market_data.answer_shapes import AnswerFields
from market_data.errors import ConfigurationError
from market_data.ports import Allowance, Claim, RequestGate, Telling, Vendor
from market_data.timeframes import Timeframe
from market_data.universe import VendorConfig


class Options(BaseModel):
    """What `options` of config/universe.yaml may say to a reader; by itself, nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Package(NamedTuple):
    """A package that a reader needs, and the extra of this project that brings it."""

    name: str
    extra: str


@dataclass(frozen=True)
class Means:
    """What an installation gives its vendors besides their own configuration.

    Attributes:
        settings: of the installation.
        gate: grants the vendor's requests.
        earliest: no bar of the universe can be older; None where nobody says.
    """

    settings: Settings
    gate: RequestGate
    earliest: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class VendorProfile:
    """One reader: what understands the answers of a vendor.

    Attributes:
        reader: its name in config/universe.yaml.
        delay: time after a bar's end at which it can be had. Too short a one makes believe that
            bars were known too early.
        settling: time after a session's close from which bars that are missing are not to be
            expected any more; None where they may always come.
        build: makes the vendor of an entry of the universe, its options and the means of an
            installation. It imports the adapter, nothing before does.
        settings: its variables, and what they let us ask; None for a reader that asks nobody.
        options: what an entry of the universe may say to it.
        needs: a package that may not be installed.
        tells_splits: by its options and the length of the bars, which answers tell every split
            from their first bar until now; None where none does.
        fields: which fields of its answers matter; None for a reader whose answers are not watched.
    """

    reader: str
    delay: timedelta
    settling: timedelta | None
    build: Callable[[VendorConfig, Any, Means], Vendor]
    settings: type[VendorSettings] | None = None
    options: type[Options] = Options
    needs: Package | None = None
    tells_splits: Callable[[Any, Timeframe], Telling] | None = None
    fields: AnswerFields | None = None

    @property
    def asks_somebody(self) -> bool:
        """Whether requests are sent, which have to be counted."""
        return self.settings is not None

    def why_off(self) -> str:
        """Why the vendors of this reader cannot be asked, in a sentence; empty where they can.

        Raises:
            ConfigurationError: a variable of the reader is wrong.
        """
        if self.settings is not None and (variable := read(self.settings).lacks):
            return f"{variable} is not set"
        if self.needs is not None and find_spec(self.needs.name) is None:
            return (
                f"the package {self.needs.name} is not installed: "
                f"pip install 'emp[{self.needs.extra}]'"
            )
        return ""

    def allowances(self) -> tuple[Allowance, ...]:
        """The windows that all of its requests share, the shortest first; none for files.

        Raises:
            ConfigurationError: a variable of the reader is wrong.
        """
        return () if self.settings is None else read(self.settings).allowances

    def claims(self, cost: int = 1) -> tuple[Claim, ...]:
        """What one request takes of each of these windows.

        Args:
            cost: how many requests it counts as.

        Raises:
            ConfigurationError: a variable of the reader is wrong.
        """
        return tuple(Claim(allowance, cost=cost) for allowance in self.allowances())

    def options_of(self, name: str, said: Mapping[str, Any]) -> Options:
        """The options of a vendor, checked.

        Args:
            name: the vendor, for messages.
            said: by its entry in the universe and by the run.

        Raises:
            ConfigurationError: one is unknown or has a wrong value.
        """
        if unknown := sorted(set(said) - set(self.options.model_fields)):
            has = ", ".join(sorted(self.options.model_fields)) or "none"
            raise ConfigurationError(
                f"vendor {name!r}: the reader {self.reader!r} has no option "
                f"{', '.join(unknown)}; it has: {has}"
            )
        try:
            return self.options.model_validate(said)
        except ValidationError as error:
            # Not chained: the text of the error repeats the values.
            raise ConfigurationError(
                "; ".join(f"vendor {name!r}: {trouble}" for trouble in _troubles(error))
            ) from None


def every_answer(_options: Options, _timeframe: Timeframe) -> Telling:
    """Of a vendor that tells every split with bars of any length."""
    return Telling.EVERY


def _troubles(error: ValidationError) -> list[str]:
    found = error.errors(include_input=False, include_context=False, include_url=False)
    return [
        f"option {'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
        for e in found
    ]
