"""Reads config/reference: calendars' own hours, days that differ, and instruments.

What belongs here: the three files to parsed records, with the line of whatever is wrong in them.
What does not: the meaning of the records (market_data/calendar_rules.py, market_data/universe.py),
merging instruments with config/universe.yaml (configuration.py).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters import yaml_text
from adapters.settings import Settings
from market_data.calendar_rules import CODE_PATTERN, CalendarRules, DayRule, OwnHours
from market_data.calendars.continuous import ZONES
from market_data.errors import ConfigurationError
from market_data.universe import Instrument

SESSIONS, HOLIDAYS, INSTRUMENTS = "sessions.yaml", "holidays.yaml", "instruments.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _SessionsFile(_Strict):
    calendars: dict[str, OwnHours] = Field(default_factory=dict)


class _HolidaysFile(_Strict):
    calendars: dict[str, tuple[DayRule, ...]] = Field(default_factory=dict)


class _InstrumentsFile(_Strict):
    instruments: tuple[Instrument, ...] = ()


_File = TypeVar("_File", bound=_Strict)


@dataclass(frozen=True)
class ReferenceFiles:
    """What the folder says.

    Attributes:
        calendars: rules by calendar code.
        instruments: those of instruments.yaml, as they are written there.
    """

    calendars: Mapping[str, CalendarRules] = field(default_factory=dict)
    instruments: Sequence[Mapping[str, Any]] = ()


def reference_paths(settings: Settings) -> tuple[Path, ...]:
    """The files that are read where they exist."""
    folder = settings.reference_dir or settings.config_dir / "reference"
    return tuple(folder / name for name in (SESSIONS, HOLIDAYS, INSTRUMENTS))


def configuration_paths(settings: Settings) -> tuple[Path, ...]:
    """Every file that instruments, calendars and vendor priorities are read from."""
    universe = (settings.config_dir / "universe.yaml", settings.registered_universe)
    return (*universe, *reference_paths(settings))


def digest(paths: Iterable[Path]) -> str:
    """Names the content of some files, absent ones included."""
    found = hashlib.sha256()
    for path in paths:
        content = path.read_bytes() if path.exists() else None
        found.update(f"{path.name}:{None if content is None else len(content)}\n".encode())
        found.update(content or b"")
    return found.hexdigest()[:16]


def load_reference(settings: Settings, *, refresh: bool = False) -> ReferenceFiles:
    """The records of the folder, read once until a file's content changes.

    Args:
        settings: say where the folder is.
        refresh: read and validate the files again whatever is remembered.

    Raises:
        ConfigurationError: naming the file, the line, the entry and what is wrong with it.
    """
    if refresh:
        _load.cache_clear()
    paths = reference_paths(settings)
    return _load(paths, digest(paths))


@lru_cache(maxsize=8)
def _load(paths: tuple[Path, ...], _digest: str) -> ReferenceFiles:
    sessions, holidays, instruments = paths
    hours = _read(sessions, _SessionsFile).calendars
    days = _read(holidays, _HolidaysFile).calendars
    for path, codes in ((sessions, hours), (holidays, days)):
        for code in codes:
            _check_code(path, code, own=path == sessions)
    _read(instruments, _InstrumentsFile)
    return ReferenceFiles(
        calendars={
            code: _rules(holidays, code, hours.get(code), days.get(code, ()))
            for code in sorted({*hours, *days})
        },
        instruments=tuple(_content(instruments).get("instruments") or ()),
    )


def _check_code(path: Path, code: str, *, own: bool) -> None:
    if code not in ZONES and not re.fullmatch(CODE_PATTERN, code):
        raise ConfigurationError(
            f"{_at(path, ('calendars', code))}: a calendar's code takes letters, digits and . _ - /"
        )
    if own and code in ZONES:
        raise ConfigurationError(
            f"{_at(path, ('calendars', code))}: {code} has hours already; choose another code, or "
            f"change single days in {HOLIDAYS}"
        )


def _rules(
    path: Path, code: str, hours: OwnHours | None, days: tuple[DayRule, ...]
) -> CalendarRules:
    try:
        return CalendarRules(hours=hours, days=days)
    except ValidationError as error:
        told = "; ".join(str(e["msg"]) for e in error.errors())
        raise ConfigurationError(f"{_at(path, ('calendars', code))}: {told}") from error


def _content(path: Path) -> dict[str, Any]:
    """The mapping in a file; nothing where there is no file, or an empty one."""
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml_text.nodes(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from error
    twice, wrong = _given_twice(node), _no_date(node)
    if wrong is not None:
        raise ConfigurationError(
            f"{path}, line {wrong.start_mark.line + 1}: {wrong.value} is no date"
        )
    if twice is not None:
        raise ConfigurationError(
            f"{path}, line {twice.start_mark.line + 1}: {twice.value} is given twice; YAML would "
            "take the last one alone"
        )
    content = yaml_text.values(text)
    if content is not None and not isinstance(content, dict):
        raise ConfigurationError(f"{path} must hold a mapping of names to values")
    return content or {}


def _given_twice(node: yaml.Node | None) -> yaml.Node | None:
    """A name that a mapping holds twice."""
    if isinstance(node, yaml.MappingNode):
        names = [name.value for name, _ in node.value]
        twice = next((name for name, _ in node.value if names.count(name.value) > 1), None)
        if twice is not None:
            return cast("yaml.Node", [n for n, _ in node.value if n.value == twice.value][-1])
    return next((found for child in _children(node) if (found := _given_twice(child))), None)


def _no_date(node: yaml.Node | None) -> yaml.Node | None:
    """What looks like a date and is none: 2024-13-01."""
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":timestamp"):
        try:
            yaml_text.values(node.value)
        except ValueError:
            return node
    return next((found for child in _children(node) if (found := _no_date(child))), None)


def _children(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _read(path: Path, kind: type[_File]) -> _File:
    try:
        return kind.model_validate(_content(path))
    except ValidationError as error:
        problems = "; ".join(
            f"{_at(path, e['loc'])}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise ConfigurationError(problems) from error


def _at(path: Path, where: Sequence[str | int]) -> str:
    """The file, the line of an entry where it is found, and its name."""
    name = ".".join(str(part) for part in where)
    line = _line(path, where)
    return f"{path}, line {line}: {name}" if line else f"{path}: {name or 'file'}"


def _line(path: Path, where: Sequence[str | int]) -> int | None:
    """The line of the innermost part of an entry that the file has."""
    node = yaml_text.nodes(path.read_text(encoding="utf-8"))
    if node is None:
        return None
    line = node.start_mark.line
    for part in where:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return int(line) + 1
