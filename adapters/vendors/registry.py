"""Every reader there is, and the vendor that an entry of the universe makes of one.

What belongs here: the list of profiles; a new vendor is one line of it.
What does not: what a profile says (profile.py in the package of each vendor).
"""

from __future__ import annotations

from datetime import date

from adapters.vendors.alpha_vantage.profile import PROFILE as ALPHA_VANTAGE
from adapters.vendors.coinbase.profile import PROFILE as COINBASE
from adapters.vendors.files.profile import PROFILE as FILES
from adapters.vendors.fred.profile import PROFILE as FRED
from adapters.vendors.oanda.profile import PROFILE as OANDA
from adapters.vendors.profile import Means, VendorProfile
from adapters.vendors.sample.profile import PROFILE as SAMPLE
from adapters.vendors.settings import VendorSettings
from adapters.vendors.tws.profile import PROFILE as TWS
from adapters.vendors.yahoo.profile import PROFILE as YAHOO
from market_data.errors import ConfigurationError
from market_data.ports import Vendor
from market_data.universe import VendorConfig

PROFILES = {
    profile.reader: profile
    for profile in (
        YAHOO,
        ALPHA_VANTAGE,
        FRED,
        TWS,
        COINBASE,
        OANDA,
        FILES,
        SAMPLE,
    )
}
"""By reader, in the order of the documentation."""

MACRO = FRED
"""Who is asked for macro releases, whether it is a vendor of bars or not."""

VENDOR_SETTINGS: tuple[type[VendorSettings], ...] = tuple(
    profile.settings for profile in PROFILES.values() if profile.settings is not None
)


def profile_of(reader: str) -> VendorProfile:
    """The profile of a reader.

    Raises:
        ConfigurationError: there is no such reader.
    """
    if reader not in PROFILES:
        readers = ", ".join(sorted(PROFILES))
        raise ConfigurationError(f"there is no reader {reader!r}; there are: {readers}")
    return PROFILES[reader]


def build_vendor(
    config: VendorConfig,
    means: Means,
    *,
    path: str | None = None,
    spec: str | None = None,
    prices_as_of: date | None = None,
) -> Vendor:
    """The vendor that an entry of the universe names.

    Args:
        config: the entry.
        means: of this installation.
        path: file or folder for this run, instead of the configured ones (reader `files`).
        spec: file format for this run, instead of the configured one (reader `files`).
        prices_as_of: day on which split-adjusted files were exported, for this run (reader
            `files`).

    Raises:
        ConfigurationError: no such reader, or options that it has not or lacks.
    """
    if config.reader not in PROFILES:
        readers = ", ".join(sorted(PROFILES))
        raise ConfigurationError(
            f"vendor {config.name!r} names the reader {config.reader!r}; there are: {readers}"
        )
    profile = PROFILES[config.reader]
    of_run = {"path": path, "spec": spec, "prices_as_of": prices_as_of}
    said = config.options | {k: v for k, v in of_run.items() if v is not None}
    return profile.build(config, profile.options_of(config.name, said), means)
