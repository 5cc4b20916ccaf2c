"""What a file format is: the `FormatSpec` record and its loading from config/formats/*.yaml.

What belongs here: the record, its validation, inheritance between specs (`extends`).
What does not: reading a file by a spec (parse.py), guessing a spec (sniff.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from adapters import yaml_text
from market_data.basis import Adjustment, Hours, Side
from market_data.errors import ConfigurationError
from market_data.schemas import PRICES
from market_data.timeframes import Timeframe
from market_data.universe import VENDOR_PATTERN, AssetClass

FORMATS_FOLDER = Path(__file__).resolve().parents[3] / "config" / "formats"
"""The specs that the repository ships."""

SIDES = tuple(f"{side}_{price}" for side in ("bid", "ask") for price in PRICES)
NULLABLE = ("adj_close", "volume", "vwap", "trades")
ACTIONS = ("dividend", "split")
"""What a daily file may tell beside its bars: cash per share, and shares after per share before, on
the ex-date; empty or 0 where there is none."""
ROLES = (*PRICES, *NULLABLE, *ACTIONS, "time", "date", "symbol", *SIDES)
UNUSED = "-"
"""Stands in a list of columns for one that no role takes."""

EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
"""Name of an epoch format to the microseconds of one unit."""

MILLISECONDS = "ms_since_midnight"
ZONE_IN_FORMAT = re.compile(r"\s?(%#?z|Z)$")
"""The part of a strptime pattern that reads an offset from UTC."""

OFFSET = re.compile(r"^([+-])(\d{2}):(\d{2})$")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimeSpec(_Record):
    """How a file writes the time of a bar."""

    formats: tuple[str, ...]
    """strptime patterns in order of preference, or one of epoch_s, epoch_ms, epoch_us,
    ms_since_midnight. A pattern with %z gives its own zone."""
    zone: str = "UTC"
    """IANA name, or a fixed offset such as "-05:00"."""
    label: Literal["start", "end"] = "start"
    date_from: Literal["column", "filename"] = "column"
    date_pattern: str = r"(?P<date>\d{8})"
    """Regular expression on the file's name; its group `date` is the day of the file."""
    date_format: str = "%Y%m%d"
    """strptime pattern of the day in the file's name or in the `date` column beside
    ms_since_midnight."""

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if not OFFSET.match(zone):
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"no time zone {zone!r}; say Area/City or -05:00") from error
        return zone

    @property
    def offset(self) -> timedelta | None:
        """The fixed offset from UTC; None where the zone has a name."""
        found = OFFSET.match(self.zone)
        if found is None:
            return None
        length = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return -length if found[1] == "-" else length


class BasisSpec(_Record):
    """What the prices mean, but for the side, which the spec itself names."""

    adjustment: Adjustment = Adjustment.RAW
    unit: str = ""
    """Currency unit as quoted; empty for the instrument's currency."""
    hours: Hours = Hours.REGULAR
    day: str = ""
    """Zone and hour at which a daily bar starts; empty for the instrument's own session."""
    adjusted_on: date | None = None
    """The day on which the files were exported, whose splits their prices are divided by."""
    adjusted_on_pattern: str | None = None
    """Regular expression on the file's stem, where there is no `adjusted_on`; its group `date` is
    that day."""
    adjusted_on_format: str = "%Y%m%d"
    """strptime pattern of that group."""


class FormatSpec(_Record):
    """One file format: how to read it and what its prices mean.

    `vendor`, `asset_class`, `calendar` and `currency` are defaults for a symbol that is met for
    the first time.
    """

    name: str = Field(pattern=VENDOR_PATTERN)
    aliases: tuple[str, ...] = ()
    description: str
    vendor: str = Field(pattern=VENDOR_PATTERN)
    asset_class: AssetClass
    calendar: str
    currency: str = "USD"
    timeframe: Timeframe
    files: str = "*"
    """Glob on file names below a folder, letters of either case."""
    member: str = "*"
    """Glob on the names inside a zip."""
    compression: Literal["auto", "none", "gzip", "zip"] = "auto"
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1)
    decimal_comma: bool = False
    skip_lines: int = Field(default=0, ge=0)
    comment: str | None = None
    header: bool = True
    columns: dict[str, tuple[str | int, ...]]
    """Role to the header names that it may have (letters of either case), or to its index."""
    width: int | None = None
    """Fields of a line of a file without header; set by a list of columns."""
    optional: tuple[str, ...] = NULLABLE[0:1] + NULLABLE[2:] + ACTIONS
    """Columns that a header may lack."""
    null_values: tuple[str, ...] = ("", "null", "NULL", "N/A")
    time: TimeSpec
    price_scale: float = Field(default=1.0, gt=0)
    """Prices in the file are this many times the price."""
    side: Side = Side.TRADE
    """Whose price is taken; mid is the mean of the bid and ask columns, open by open."""
    zero_volume_is_null: bool = False
    basis: BasisSpec = BasisSpec()
    symbol_from: Literal["argument", "stem", "parent", "column", "regex"] = "argument"
    symbol_pattern: str | None = None
    """For regex: tried on the file's stem; its group `symbol` names the instrument. A file that
    does not match speaks for whichever symbol is asked for."""

    @model_validator(mode="before")
    @classmethod
    def _plain_columns(cls, values: Any) -> Any:
        columns = values.get("columns") if isinstance(values, dict) else None
        if isinstance(columns, list):
            taken = {role: (i,) for i, role in enumerate(columns) if role != UNUSED}
            if len(taken) != sum(role != UNUSED for role in columns):
                raise ValueError("columns names a role twice")
            return {**values, "columns": taken, "width": len(columns)}
        if isinstance(columns, dict):
            named = {k: (v,) if isinstance(v, str | int) else tuple(v) for k, v in columns.items()}
            return {**values, "columns": named}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> FormatSpec:
        wrong = self._wrong_columns() + self._wrong_patterns()
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _wrong_columns(self) -> list[str]:
        wrong = [f"unknown role {role!r}" for role in self.columns if role not in ROLES]
        if "open" not in self.columns and self.side is Side.TRADE:
            wrong.append("bid and ask columns need side: bid, ask or mid")
        else:
            wrong += [f"no column for {role}" for role in self.prices if role not in self.columns]
        if not {"time", "date"} & set(self.columns):
            wrong.append("no column for time or date")
        if not self.header and (
            self.width is None
            or any(not isinstance(names[0], int) for names in self.columns.values())
        ):
            wrong.append("a file without header needs its columns as a list")
        if self.symbol_from == "column" and "symbol" not in self.columns:
            wrong.append("symbol_from: column needs a symbol column")
        if self.tells_actions and (self.timeframe.is_intraday or self.time.date_from != "column"):
            wrong.append("columns for dividend and split are of daily bars with their dates")
        return wrong

    def _wrong_patterns(self) -> list[str]:
        wrong = []
        for name, pattern, group in (
            ("symbol_pattern", self.symbol_pattern, "symbol"),
            ("date_pattern", self.time.date_pattern, "date"),
            ("adjusted_on_pattern", self.basis.adjusted_on_pattern, "date"),
        ):
            try:
                known = group in re.compile(pattern or f"(?P<{group}>)").groupindex
            except re.error as error:
                wrong.append(f"{name}: {error}")
            else:
                if not known:
                    wrong.append(f"{name} needs a group (?P<{group}>...)")
        if self.symbol_from == "regex" and not self.symbol_pattern:
            wrong.append("symbol_from: regex needs a symbol_pattern")
        if MILLISECONDS in self.time.formats and self.time.date_from == "column":
            wrong += ["ms_since_midnight needs a date"] if "date" not in self.columns else []
        numeric = {MILLISECONDS, *EPOCHS} & set(self.time.formats)
        if not self.time.formats or (numeric and len(self.time.formats) > 1):
            wrong.append("time.formats needs patterns, or one of the numeric formats alone")
        aware = [bool(ZONE_IN_FORMAT.search(f)) for f in self.time.formats]
        if self.timeframe.is_intraday and len(set(aware)) > 1 and self.time.zone != "UTC":
            wrong.append("patterns with and without an offset stand together in zone UTC alone")
        return wrong

    @property
    def prices(self) -> tuple[str, ...]:
        """Roles that a bar's prices are made from."""
        if "open" in self.columns:
            return PRICES
        sides = ("bid", "ask") if self.side is Side.MID else (str(self.side),)
        return tuple(f"{side}_{price}" for price in PRICES for side in sides)

    @property
    def tells_actions(self) -> bool:
        """Whether its files may tell dividends or splits."""
        return not set(ACTIONS).isdisjoint(self.columns)

    def but(self, **changes: Any) -> FormatSpec:
        """The same spec with some settings changed, validated again.

        Raises:
            ConfigurationError: the changed spec does not hold together.
        """
        return _build({**self.model_dump(), **changes}, self.name)


def load_formats(folder: Path = FORMATS_FOLDER) -> dict[str, FormatSpec]:
    """Every spec of a folder by its name and by each alias.

    Raises:
        ConfigurationError: a file is not a valid spec, or a name is given twice.
    """
    raw = {path.stem: _read(path) for path in sorted(folder.glob("*.yaml"))}
    specs: dict[str, FormatSpec] = {}
    for stem in raw:
        spec = _build(_inherited(stem, raw), stem)
        for name in (spec.name, *spec.aliases):
            if name in specs:
                raise ConfigurationError(f"format {name!r} is given twice in {folder}")
            specs[name] = spec
    return specs


def load_format(name: str, folder: Path = FORMATS_FOLDER) -> FormatSpec:
    """The spec of a name, an alias, or a path to a YAML file (which may extend a shipped one).

    Raises:
        ConfigurationError: there is none of that name, or it is not valid.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        raw = {p.stem: _read(p) for p in folder.glob("*.yaml")} | {path.stem: _read(path)}
        return _build(_inherited(path.stem, raw), str(path))
    specs = load_formats(folder)
    if name not in specs:
        raise ConfigurationError(f"no file format {name!r}; there are: {', '.join(sorted(specs))}")
    return specs[name]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml_text.values(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"cannot read the format {path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"the format {path} is not a mapping")
    return {"name": path.stem, **content}


def _inherited(
    stem: str, raw: Mapping[str, dict[str, Any]], seen: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A spec's own settings over those of the one it extends; `time` and `basis` merge inside."""
    own = dict(raw[stem])
    parent = own.pop("extends", None)
    if parent is None:
        return own
    if parent not in raw or parent in (*seen, stem):
        raise ConfigurationError(f"format {stem!r} extends {parent!r}, which is unknown or itself")
    base = _inherited(parent, raw, (*seen, stem))
    base.pop("aliases", None)
    for key in ("time", "basis"):
        if key in own and key in base:
            own[key] = {**base[key], **own[key]}
    return {**base, **own}


def _build(values: dict[str, Any], where: str) -> FormatSpec:
    try:
        return FormatSpec.model_validate(values)
    except ValidationError as error:
        what = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'spec'}: {e['msg']}" for e in error.errors()
        )
        raise ConfigurationError(f"format {where}: {what}") from error
