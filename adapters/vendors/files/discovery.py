"""Which files a path means, and which symbol and which day each of them speaks for.

What belongs here: names of files and folders. What does not: their content.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatch
from glob import has_magic
from pathlib import Path

from adapters.vendors.files.spec import FormatSpec
from market_data.errors import VendorUnavailableError


@dataclass(frozen=True)
class FoundFile:
    """One file.

    Attributes:
        path: where it is.
        symbol: the vendor symbol that its name speaks for, in capitals; None where the name tells
            nothing, so that it speaks for whoever is asked for, or its rows say.
        day: the day that its name gives, for specs whose rows hold the time of day alone.
    """

    path: Path
    symbol: str | None = None
    day: date | None = None


def discover(path: Path | str | Sequence[Path | str], spec: FormatSpec) -> list[FoundFile]:
    """The files of a path: a file, a folder (searched to the bottom), a glob, or several of them.

    Args:
        path: where to look. A file named outright is taken whatever its name is.
        spec: says which names count in a folder and how to read them.

    Returns:
        Files sorted by path, each once.

    Raises:
        VendorUnavailableError: a path does not exist, or nothing below it has a fitting name.
    """
    roots = [path] if isinstance(path, Path | str) else list(path)
    found = {p for root in roots for p in _files(Path(root).expanduser(), spec.files)}
    return [FoundFile(p, _symbol(p, spec), _day(p, spec)) for p in sorted(found)]


def _files(root: Path, pattern: str) -> list[Path]:
    if root.is_file():
        return [root]
    if root.is_dir():
        below = [p for p in root.rglob("*") if fits(p, pattern)]
        if not below:
            raise VendorUnavailableError(f"no file below {root} has a name like {pattern}")
        return below
    if has_magic(str(root)):
        anchor = Path(root.anchor)
        parts = root.relative_to(anchor) if root.is_absolute() else root
        below = [p for p in anchor.glob(str(parts)) if p.is_file()]
        if not below:
            raise VendorUnavailableError(f"no file matches {root}")
        return below
    raise VendorUnavailableError(f"there is no file or folder {root}")


def fits(path: Path, pattern: str) -> bool:
    """Whether a file of a folder has a name like a pattern, in letters of either case."""
    name = path.name.lower()
    return not name.startswith(".") and fnmatch(name, pattern.lower()) and path.is_file()


def plain_stem(path: Path) -> str:
    """The file's name without its extensions: `AAPL.csv.gz` gives `AAPL`."""
    name = path.name
    for _ in range(2):
        stem, dot, extension = name.rpartition(".")
        if not dot or extension.lower() not in ("csv", "txt", "tsv", "gz", "zip", "dat"):
            break
        name = stem
    return name


def _symbol(path: Path, spec: FormatSpec) -> str | None:
    if spec.symbol_from == "stem":
        return plain_stem(path).upper()
    if spec.symbol_from == "parent":
        return path.absolute().parent.name.upper()
    if spec.symbol_from == "regex" and spec.symbol_pattern:
        match = re.search(spec.symbol_pattern, plain_stem(path))
        return match["symbol"].upper() if match and match["symbol"] else None
    return None


def _day(path: Path, spec: FormatSpec) -> date | None:
    if spec.time.date_from != "filename":
        return None
    return day_in(path.name, spec.time.date_pattern, spec.time.date_format)


def day_in(name: str, pattern: str, written: str) -> date | None:
    """The day in a file's name; None where it holds none.

    Args:
        name: the name, or a part of it.
        pattern: regular expression with a group `date`.
        written: strptime pattern of that group.
    """
    match = re.search(pattern, name)
    if match is None:
        return None
    try:
        return datetime.strptime(match["date"], written).replace(tzinfo=UTC).date()
    except (TypeError, ValueError):
        return None
