"""Reads config/*.yaml and what command lines registered on top of it.

What belongs here: files to parsed objects, and back for registrations.
What does not: the meaning of the objects (market_data/universe.py, market_data/quality).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from filelock import FileLock
from pydantic import BaseModel, ValidationError

from adapters import yaml_text
from adapters.reference_files import INSTRUMENTS, load_reference
from adapters.settings import PROJECT, Settings
from market_data.errors import ConfigurationError
from market_data.quality.expectations import Expectations
from market_data.quality.thresholds import Thresholds
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument, Universe, VendorConfig

Rules = TypeVar("Rules", bound=BaseModel)
CURATION_VERSION = "2"
"""Raised by hand when the code of curation changes what it makes of the same rows."""


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigurationError: the file is absent, is not YAML, or holds no mapping.
    """
    try:
        content = yaml_text.values(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing; EMP_CONFIG_DIR names its folder") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from error
    except ValueError as error:  # 2024-13-01
        raise ConfigurationError(f"{path} holds a date that is none: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} must hold a mapping of names to values")
    return content


def own_or_shipped(settings: Settings, name: str) -> Path:
    """A file of the configuration folder, or the shipped one where that has none."""
    own = settings.config_dir / name
    return own if own.exists() else PROJECT / "config" / name


def load_rules(settings: Settings, name: str, rules: type[Rules]) -> Rules:
    """What a file of the configuration folder, own or shipped, says in the form of a model.

    Args:
        settings: say where the files are.
        name: of the file.
        rules: the model.

    Raises:
        ConfigurationError: naming the file, the key, and what is wrong.
    """
    path = own_or_shipped(settings, name)
    try:
        return rules.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {problems(error)}") from error


def problems(error: ValidationError) -> str:
    """What is wrong with the content of a file, each with its key."""
    return "; ".join(
        f"{'.'.join(str(part) for part in e['loc']) or 'file'}: "
        f"{e['msg'].removeprefix('Value error, ')}"
        for e in error.errors(include_url=False)
    )


def load_universe(settings: Settings, *, refresh: bool = False) -> Universe:
    """config/universe.yaml and config/reference with this data folder's registrations merged in.

    Args:
        settings: say where the files are.
        refresh: read config/reference again whatever is remembered of it.

    Raises:
        ConfigurationError: naming the file, the entry and what is wrong with it.
    """
    content = _configured(settings, refresh=refresh)
    if settings.registered_universe.exists():
        registered = read_yaml(settings.registered_universe)
        _refuse_two_readers(content, registered, settings)
        for kind, name in (("instruments", "symbol"), ("vendors", "name")):
            content[kind] = _merge(content.get(kind, []), registered.get(kind, []), name)
    return _parse_universe(content, settings.config_dir / "universe.yaml")


def _refuse_two_readers(
    content: dict[str, Any], registered: dict[str, Any], settings: Settings
) -> None:
    """Refuse a name under which the data folder keeps another vendor than the configuration has.

    Bars of the one would land among those of the other.
    """
    readers = {v.get("name"): v.get("reader") for v in content.get("vendors") or []}
    for vendor in registered.get("vendors") or []:
        name, reader = vendor.get("name"), vendor.get("reader")
        if reader and readers.get(name, reader) != reader:
            raise ConfigurationError(
                f"{settings.registered_universe} keeps bars of a vendor {name!r} with the reader "
                f"{reader!r}, and {settings.config_dir / 'universe.yaml'} gives that name to the "
                f"reader {readers[name]!r}; give the latter another name there, for instance "
                f"{name}_web"
            )


def _configured(settings: Settings, *, refresh: bool = False) -> dict[str, Any]:
    """What the files of the configuration say, without registrations."""
    path = settings.config_dir / "universe.yaml"
    content = read_yaml(path)
    if "calendars" in content:
        raise ConfigurationError(f"{path}: calendars belong into config/reference")
    reference = load_reference(settings, refresh=refresh)
    known = {entry.get("symbol") for entry in content.get("instruments") or []}
    twice = sorted(known & {entry.get("symbol") for entry in reference.instruments})
    if twice:
        raise ConfigurationError(
            f"{path} and {INSTRUMENTS} both hold {', '.join(map(str, twice))}; keep each "
            "instrument in one of them"
        )
    content["instruments"] = [*(content.get("instruments") or []), *reference.instruments]
    content["calendars"] = reference.calendars
    return content


def _parse_universe(content: dict[str, Any], path: Path) -> Universe:
    try:
        return Universe.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {problems(error)}") from error


def _merge(base: list[Any], extra: list[Any], name: str) -> list[Any]:
    """Entries by name; a registered one adds to the entry of the same name, never replaces it."""
    merged = {entry[name]: dict(entry) for entry in base}
    for entry in extra:
        known = merged.setdefault(entry[name], {})
        for key, value in entry.items():
            if isinstance(value, dict):
                known[key] = {**value, **known.get(key, {})}
            elif key == "tickers":
                named = {ticker["vendor"] for ticker in known.get(key, [])}
                others = [t for t in value if t["vendor"] not in named]
                known[key] = [*known.get(key, []), *others]
            elif isinstance(value, list) and key == "timeframes":
                known[key] = [
                    *known.get(key, []),
                    *(v for v in value if v not in known.get(key, [])),
                ]
            else:
                known.setdefault(key, value)
    return list(merged.values())


def register(
    settings: Settings,
    *,
    instruments: Iterable[Instrument] = (),
    vendors: Iterable[VendorConfig] = (),
) -> None:
    """Remember instruments and vendors that a command line named, beside the data.

    The file is checked together with config/universe.yaml before it replaces the old one, and
    two processes that register at once both succeed. Tickers of a vendor replace those registered
    before.

    Raises:
        ConfigurationError: the result would not be a valid universe.
    """
    path = settings.registered_universe
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        content = read_yaml(path) if path.exists() else {}
        instruments = list(instruments)
        _forget_tickers(content.get("instruments", []), instruments)
        for kind, name, new in (
            (
                "instruments",
                "symbol",
                [i.model_dump(mode="json", exclude_defaults=True) for i in instruments],
            ),
            (
                "vendors",
                "name",
                [v.model_dump(mode="json", exclude_defaults=True) for v in vendors],
            ),
        ):
            content[kind] = _merge(content.get(kind, []), new, name)
        base = _configured(settings)
        for kind, name in (("instruments", "symbol"), ("vendors", "name")):
            base[kind] = _merge(base.get(kind, []), content[kind], name)
        _parse_universe(base, path)
        draft = path.with_suffix(".tmp")
        draft.write_text(
            "# Registered by 'emp ingest' on top of config/universe.yaml.\n"
            + yaml.safe_dump(content, sort_keys=False),
            encoding="utf-8",
        )
        draft.replace(path)


def _forget_tickers(registered: list[dict[str, Any]], new: Iterable[Instrument]) -> None:
    """Take out the tickers that new ones of the same symbol and vendor replace."""
    replaced = {(i.symbol, t.vendor) for i in new for t in i.tickers}
    for entry in registered:
        if "tickers" in entry:
            entry["tickers"] = [
                t for t in entry["tickers"] if (entry["symbol"], t["vendor"]) not in replaced
            ]


def load_thresholds(settings: Settings) -> Thresholds:
    """config/quality.yaml."""
    return Thresholds.parse(read_yaml(settings.config_dir / "quality.yaml"))


def load_expectations(settings: Settings) -> Expectations:
    """config/expectations.yaml; nothing is expected where there is no such file.

    Raises:
        ConfigurationError: naming the entry and what is wrong with it.
    """
    path = settings.config_dir / "expectations.yaml"
    return Expectations.parse(read_yaml(path)) if path.exists() else Expectations()


def rule_version(universe: Universe, thresholds: Thresholds) -> str:
    """Names the rules that make curated rows: code, thresholds, vendor priority."""
    return _digest([thresholds.version, universe.priority])


def rule_versions(
    universe: Universe, thresholds: Thresholds
) -> dict[tuple[AssetClass, Timeframe], str]:
    """The same for the rows of each asset class and timeframe.

    Bars may be made of minutes, and scores look at prices by the limits of days: limits and order
    of both belong to a version.
    """
    return {
        (of, timeframe): _digest(
            [
                [
                    thresholds.rule(of, length).model_dump(mode="json")
                    for length in (timeframe, Timeframe.M1, Timeframe.D1)
                ],
                [universe.named_order(of, length) for length in (timeframe, Timeframe.M1)],
            ]
        )
        for of in AssetClass
        for timeframe in Timeframe
    }


def _digest(rules: list[Any]) -> str:
    content = json.dumps([CURATION_VERSION, *rules], default=str, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]
