"""The reviewed table of vendors: tiers, cost, latency, entitlement, limits.

What belongs here: reading config/reference/vendors.yaml.
What does not: whether a vendor is on and the limits that are kept (its profile).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.configuration import problems, read_yaml
from adapters.settings import PROJECT, Settings
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe
from market_data.universe import VENDOR_PATTERN

FILE = "vendors.yaml"


class VendorEntry(BaseModel):
    """One vendor as it was reviewed; the fields are those of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=VENDOR_PATTERN)
    title: str = Field(min_length=1)
    reader: str = ""
    tier: int = Field(ge=0, le=2)
    cost: str = Field(min_length=1)
    latency: str = Field(min_length=1)
    entitlement: str = Field(min_length=1)
    limits: str = Field(min_length=1)
    timeframes: tuple[Timeframe, ...]
    note: str = ""


class VendorTable(BaseModel):
    """All of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vendors: tuple[VendorEntry, ...]

    @model_validator(mode="after")
    def _names_are_unique(self) -> VendorTable:
        names = [entry.name for entry in self.vendors]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}")
        return self

    def of(self, vendor: str, reader: str) -> VendorEntry | None:
        """The entry of a configured vendor: by its name, else the first of its reader."""
        named = (entry for entry in self.vendors if entry.name == vendor)
        return next(named, None) or next((e for e in self.vendors if e.reader == reader), None)


def load_vendor_table(settings: Settings) -> VendorTable:
    """The table of an installation, or the one that comes with the platform where it has none.

    Raises:
        ConfigurationError: naming the file, the entry and what is wrong with it.
    """
    folder = settings.reference_dir or settings.config_dir / "reference"
    path = folder / FILE
    if not path.exists():
        path = PROJECT / "config" / "reference" / FILE
    return _load(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=4)
def _load(path: Path, _written: int) -> VendorTable:
    try:
        return VendorTable.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {problems(error)}") from error
