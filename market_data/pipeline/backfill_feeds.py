"""Who is asked in a backfill, and for bars of which timeframe.

What belongs here: from a wish to groups of vendors and symbols. What does not: which sessions they
are asked for (backfill.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from market_data.backfill.plans import CURATED, BackfillRequest, dataset_parts
from market_data.errors import ConfigurationError
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

FILES = "files"
"""The reader of vendors that are not asked but read."""


@dataclass(frozen=True)
class Group:
    """Symbols whose bars come the same way.

    Attributes:
        timeframe: of the bars that vendors are asked for.
        symbols: in the order of the universe.
        asked: vendor to the symbols that it serves of them.
        also: what is made of these bars, where they are not what is wanted.
    """

    timeframe: Timeframe
    symbols: tuple[str, ...]
    asked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    also: tuple[Timeframe, ...] = ()


def groups_of(platform: Platform, request: BackfillRequest) -> list[Group]:
    """The groups of a wish.

    Bars that no vendor of a symbol has are made of its one-minute bars, as in a market slice.

    Raises:
        ConfigurationError: a symbol or vendor is not configured, a vendor that was named is off or
            reads files, or nobody serves what was named.
    """
    universe = platform.universe
    raw_vendor, wanted = dataset_parts(request.dataset)
    symbols = tuple(universe.instrument(s).symbol for s in request.symbols)
    symbols = symbols or tuple(i.symbol for i in universe.instruments)
    if request.layer == CURATED and request.outdated:
        return [Group(wanted, symbols)]
    named = (raw_vendor,) if raw_vendor else request.vendors
    for vendor in named:
        _check(platform, vendor, wanted, raw=bool(raw_vendor))
    native = _asked(platform, wanted, symbols, named)
    groups = [_group(wanted, symbols, native)] if native else []
    rest = [s for s in symbols if not groups or s not in groups[0].symbols]
    if rest and request.layer == CURATED and wanted is not Timeframe.M1:
        minutes = _asked(platform, Timeframe.M1, rest, named)
        groups += [_group(Timeframe.M1, rest, minutes, (wanted,))] if minutes else []
    served = {symbol for group in groups for symbol in group.symbols}
    unserved = tuple(s for s in symbols if s not in served)
    if unserved and (request.overwrite_curated or request.overwrite_features):
        return [*groups, Group(wanted, unserved)]
    if not groups or (unserved and request.symbols):
        raise ConfigurationError(
            f"nobody who can be asked serves {', '.join(unserved[:5])} for {request.dataset}; "
            "'emp vendors' says who is on, files are read with 'emp ingest --path', and "
            "--overwrite-curated makes anew what the raw logs hold"
        )
    return groups


def askable(platform: Platform, dataset: str) -> frozenset[str]:
    """The symbols of a dataset of which somebody can be asked now.

    Args:
        platform: configuration and ports.
        dataset: curated/bars_<timeframe> or raw/<vendor>_bars_<timeframe>.

    Raises:
        ConfigurationError: it is no such dataset, its vendor cannot be asked, or nobody serves it.
    """
    whenever = platform.universe.first_session
    groups = groups_of(platform, BackfillRequest(dataset, (), whenever, whenever))
    return frozenset(symbol for group in groups for symbol in group.symbols)


def _check(platform: Platform, vendor: str, wanted: Timeframe, *, raw: bool) -> None:
    config = platform.universe.vendor(vendor)
    if reason := platform.vendors.why_off(vendor):
        raise ConfigurationError(f"vendor {vendor!r} is off: {reason}")
    if config.reader == FILES:
        raise ConfigurationError(
            f"vendor {vendor!r} reads files, which 'emp ingest --path' does; a backfill asks "
            "vendors"
        )
    if raw and wanted not in config.timeframes:
        raise ConfigurationError(
            f"vendor {vendor!r} has no {wanted} bars; it has {', '.join(config.timeframes)}"
        )


def _asked(
    platform: Platform, timeframe: Timeframe, symbols: Sequence[str], named: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    universe, vendors = platform.universe, platform.vendors
    asked: dict[str, tuple[str, ...]] = {}
    for vendor in universe.vendors_of(timeframe):
        if vendor.reader == FILES or (named and vendor.name not in named):
            continue
        if vendors.why_off(vendor.name):
            continue
        served = set(universe.symbols_of(vendor.name))
        if chosen := tuple(s for s in symbols if s in served):
            asked[vendor.name] = chosen
    return asked


def _group(
    timeframe: Timeframe,
    symbols: Sequence[str],
    asked: Mapping[str, tuple[str, ...]],
    also: tuple[Timeframe, ...] = (),
) -> Group:
    served = {symbol for chosen in asked.values() for symbol in chosen}
    return Group(timeframe, tuple(s for s in symbols if s in served), asked, also)
