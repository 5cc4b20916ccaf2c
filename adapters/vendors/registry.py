"""Which reader serves a configured vendor.

What belongs here: from the `reader` and `options` of config/universe.yaml to a Vendor. Readers are
imported when they are built, so that a process pays only for those that it uses.
What does not: how a reader works (the packages beside this file).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from adapters.settings import Settings
from adapters.variables import read
from adapters.vendors.allowances import claims_of
from adapters.vendors.settings import CoinbaseSettings, OandaSettings
from market_data.errors import ConfigurationError
from market_data.ports import OpenGate, RequestGate, Vendor
from market_data.universe import VendorConfig

_EARLIEST = "earliest"
"""Added to the options of every reader; no configuration may name it."""


@dataclass(frozen=True)
class Means:
    """What an installation gives its vendors besides their own configuration.

    Attributes:
        settings: of the installation.
        gate: grants the vendor's requests.
    """

    settings: Settings
    gate: RequestGate = field(default_factory=OpenGate)


def build_vendor(
    config: VendorConfig,
    *,
    means: Means | None = None,
    path: str | None = None,
    spec: str | None = None,
    prices_as_of: date | None = None,
    earliest: datetime | None = None,
    **overrides: Any,
) -> Vendor:
    """The vendor that a configuration names.

    Args:
        config: its entry in config/universe.yaml.
        means: of this installation; None for the defaults.
        path: file or folder for this run, instead of the configured one (reader `files`).
        spec: file format for this run, instead of the configured one (reader `files`).
        prices_as_of: day on which split-adjusted files were exported, for this run (reader
            `files`).
        earliest: no bar of the universe can be older.
        overrides: options that go before the configured ones.

    Raises:
        ConfigurationError: no such reader, or options that it has not or lacks.
    """
    if config.reader not in _READERS:
        readers = ", ".join(sorted(_READERS))
        raise ConfigurationError(
            f"vendor {config.name!r} names the reader {config.reader!r}; there are: {readers}"
        )
    build, allowed = _READERS[config.reader]
    files = {k: v for k, v in (("path", path), ("spec", spec)) if v is not None}
    dated = {} if prices_as_of is None else {"prices_as_of": prices_as_of}
    options = {**config.options, **overrides, **files, **dated}
    unknown = sorted(set(options) - allowed)
    if unknown:
        raise ConfigurationError(
            f"vendor {config.name!r}: the reader {config.reader!r} has no option "
            f"{', '.join(unknown)}; it has: {', '.join(sorted(allowed))}"
        )
    if files:
        # A path or format for one run replaces every configured feed.
        options = {**_single_feed(config, options), **dated}
    if earliest is not None:
        options = {**options, _EARLIEST: earliest}
    return build(config, options, means or Means(Settings()))


def _own(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != _EARLIEST}


def _sample(config: VendorConfig, options: Mapping[str, Any], _means: Means) -> Vendor:
    from adapters.vendors.sample.vendor import SampleVendor

    return SampleVendor(config.name, **_own(options))


def _yahoo(_config: VendorConfig, options: Mapping[str, Any], means: Means) -> Vendor:
    from adapters.vendors.yahoo.vendor import YahooVendor

    redirected = {"base_url": means.settings.yahoo_url} if means.settings.yahoo_url else {}
    gated = {"gate": means.gate, "claims": claims_of("yahoo")}
    return YahooVendor(**{**redirected, **gated, **_own(options)})


def _files(config: VendorConfig, options: Mapping[str, Any], means: Means) -> Vendor:
    from adapters.vendors.files.spec import load_format
    from adapters.vendors.files.vendor import Feed, FilesVendor
    from adapters.vendors.files.window import EARLIEST

    given = options.get("feeds") or [options]
    if not all(feed.get("path") and feed.get("spec") for feed in given):
        raise ConfigurationError(
            f"vendor {config.name!r}: the reader 'files' needs a path and a spec, in its options "
            "or for the run"
        )
    formats = means.settings.config_dir / "formats"
    feeds = [Feed(load_format(feed["spec"], formats), feed["path"]) for feed in given]
    return FilesVendor(
        config.name,
        feeds[0].spec,
        feeds[0].paths,
        also=feeds[1:],
        prices_as_of=_day(config, options.get("prices_as_of")),
        earliest=options.get(_EARLIEST, EARLIEST),
    )


def _day(config: VendorConfig, value: date | str | None) -> date | None:
    """A day from a configuration, where YAML reads it as a date or as a text."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ConfigurationError(
            f"vendor {config.name!r}: prices_as_of is {value!r}; it takes a day like 2018-01-20"
        ) from error


def _single_feed(config: VendorConfig, options: Mapping[str, Any]) -> dict[str, Any]:
    """Path and spec of one run; what it leaves open comes from the only configured feed."""
    feeds = options.get("feeds") or [{}]
    wanted = {k: options[k] for k in ("path", "spec") if k in options}
    if len(feeds) > 1 and len(wanted) < 2:
        raise ConfigurationError(
            f"vendor {config.name!r} has several feeds: name the path and the spec"
        )
    return {**feeds[0], **wanted}


def _tws(config: VendorConfig, options: Mapping[str, Any], means: Means) -> Vendor:
    from adapters.stores.locks import NamedLocks
    from adapters.variables import read
    from adapters.vendors.settings import TwsSettings
    from adapters.vendors.tws.vendor import TwsVendor

    return TwsVendor(
        read(TwsSettings),
        name=config.name,
        gate=means.gate,
        locks=NamedLocks(means.settings.data_dir.resolve() / "locks" / "tws"),
        **_own(options),
    )


def _alpha_vantage(config: VendorConfig, options: Mapping[str, Any], means: Means) -> Vendor:
    from adapters.vendors.alpha_vantage.opening import open_vendor

    return open_vendor(config, _own(options), means.gate)


def _coinbase(config: VendorConfig, _options: Mapping[str, Any], means: Means) -> Vendor:
    from adapters.vendors.coinbase.vendor import CoinbaseVendor

    url, claims = read(CoinbaseSettings).url, claims_of("coinbase")
    return CoinbaseVendor(name=config.name, base_url=url, gate=means.gate, claims=claims)


def _oanda(config: VendorConfig, _options: Mapping[str, Any], means: Means) -> Vendor:
    from adapters.vendors.oanda.vendor import OandaVendor

    found = read(OandaSettings)
    return OandaVendor(
        found.api_token.get_secret_value() if found.api_token else "",
        name=config.name,
        base_url=found.url,
        gate=means.gate,
        claims=claims_of("oanda"),
    )


def _fred(config: VendorConfig, _options: Mapping[str, Any], means: Means) -> Vendor:
    from adapters.vendors.fred.opening import open_client
    from adapters.vendors.fred.vendor import FredVendor

    return FredVendor(open_client(means.gate), name=config.name)


_Builder = Callable[[VendorConfig, Mapping[str, Any], Means], Vendor]
_READERS: dict[str, tuple[_Builder, frozenset[str]]] = {
    "alpha_vantage": (_alpha_vantage, frozenset({"adjusted", "label"})),
    "coinbase": (_coinbase, frozenset()),
    "fred": (_fred, frozenset()),
    "files": (_files, frozenset({"path", "spec", "feeds", "prices_as_of"})),
    "oanda": (_oanda, frozenset()),
    "sample": (_sample, frozenset({"seed", "faults"})),
    "tws": (_tws, frozenset({"attempts", "sleep"})),
    "yahoo": (
        _yahoo,
        frozenset({"base_url", "attempts", "timeout", "min_interval", "sleep"}),
    ),
}
"""Reader to its builder and the options that it has."""
