"""Settings: what the environment says about this installation.

What belongs here: the EMP_* variables of the installation, their defaults and checks, in one class.
What does not: what the platform holds (config/universe.yaml) and its limits (config/quality.yaml).
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from market_data.errors import UnsupportedOperationError

PROJECT = Path(__file__).resolve().parents[1]


class Mode(StrEnum):
    """Which adapters stand behind the ports."""

    BOOTSTRAP = "bootstrap"
    INSTITUTIONAL = "institutional"
    AUTO = "auto"


class ExportEngine(StrEnum):
    """What writes exports."""

    SPARK = "spark"
    POLARS = "polars"


class Settings(BaseSettings):
    """Where this installation keeps its data and how it behaves.

    Each field is read from the environment variable EMP_<FIELD>, or given by keyword.
    """

    model_config = SettingsConfigDict(
        env_prefix="EMP_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
    )

    mode: Mode = Mode.BOOTSTRAP
    """bootstrap: everything in files below EMP_DATA_DIR, no server. institutional: TimescaleDB,
    PostgreSQL, Redis and Kafka. auto: institutional where its settings are there and right."""

    operations_url: SecretStr | None = None
    """PostgreSQL URL of the operations database, for institutional mode."""

    data_dir: Path = Field(default=PROJECT / "data")
    """Folder of all data: lake, warehouse, operations database, Dagster's own records."""

    lake_uri: str | None = None
    """s3://bucket/prefix of an S3-compatible object store: the lake, and in bootstrap mode the
    warehouse, lie there instead of below EMP_DATA_DIR; AWS_* say how it is reached."""

    config_dir: Path = Field(default=PROJECT / "config")
    """Folder of universe.yaml, quality.yaml, alerts.yaml and formats/."""

    reference_dir: Path | None = None
    """Folder of sessions.yaml, holidays.yaml and instruments.yaml; reference/ in EMP_CONFIG_DIR
    unless given."""

    ui_port: int = Field(default=3000, ge=1, le=65535)
    """Port of the Dagster UI that 'emp dev' opens on 127.0.0.1."""

    warm_runs: bool = True
    """Runs that a code server starts are forked from a process that has Dagster in memory, and so
    begin some two seconds earlier. 0: each gets a Python of its own, as Dagster does it."""

    request_patience: float = Field(default=90.0, ge=0)
    """Seconds that a request to a vendor waits for its turn; one whose turn is later is refused,
    and its sessions are asked for again by the next run."""

    request_margin: float = Field(default=150.0, ge=0, le=86_400)
    """Seconds that a request to a vendor may be on its way. Until it is answered, for as long at
    most, it occupies its windows, and their length from then on: vendors count what arrives, and
    a slow connection must not make two of their windows one. 0 counts from the sending alone."""

    backup_dir: Path | None = None
    """Folder of backups ('emp backup'), best on another disk; where it is set, the schedule back_up
    makes one every week."""

    backup_keep: int = Field(default=0, ge=0)
    """How many of the newest backups stay when another one is made; 0 keeps all."""

    export_engine: ExportEngine = ExportEngine.SPARK
    """What writes exports: spark, on this machine or on SPARK_MASTER's; polars, on this machine and
    without Java. Both write the same files."""

    export_dir: Path | None = None
    """Folder of exports; exports/ in EMP_DATA_DIR unless given. Where it is set, every day's run is
    followed by one that exports what it brought."""

    export_keep_hours: float = Field(default=48.0, ge=0)
    """Hours for which files that an export has replaced stay for those who still read them."""

    @property
    def export_root(self) -> Path:
        """Folder of exports."""
        return (self.export_dir or self.data_dir / "exports").resolve()

    @property
    def requests_path(self) -> Path:
        """File in which this machine counts its requests to vendors."""
        return self.data_dir.resolve() / "operations" / "requests.sqlite"

    @property
    def lake_place(self) -> str:
        """Folder, or URI, of the raw log and the payload archive."""
        return self._place("lake")

    @property
    def warehouse_place(self) -> str:
        """Folder, or URI, of curated, quality and reference tables."""
        return self._place("warehouse")

    @property
    def lake_root(self) -> Path:
        """Folder of the raw log and the payload archive, for what works on files alone.

        Raises:
            UnsupportedOperationError: they lie on an object store.
        """
        return self._folder("lake")

    @property
    def warehouse_root(self) -> Path:
        """Folder of curated, quality and reference tables, for what works on files alone.

        Raises:
            UnsupportedOperationError: they lie on an object store.
        """
        return self._folder("warehouse")

    def _place(self, name: str) -> str:
        if self.lake_uri:
            return f"{self.lake_uri.rstrip('/')}/{name}"
        return str(self._folder(name))

    def _folder(self, name: str) -> Path:
        if self.lake_uri:
            raise UnsupportedOperationError(
                f"this works on files, and the {name} lies at {self._place(name)}: copy that with "
                "the object store's own tools, or do it where EMP_LAKE_URI is not set"
            )
        return self.data_dir.resolve() / name

    @field_validator("lake_uri")
    @classmethod
    def _bucket(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+(/[^\s?#]*)?", value):
            raise ValueError("must be s3://bucket or s3://bucket/prefix, without a login")
        return value

    @field_validator("mode", "export_engine", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value

    @property
    def local_operations_url(self) -> str:
        """SQLAlchemy URL of bootstrap mode's operations database."""
        return f"sqlite:///{self.data_dir.resolve() / 'operations' / 'operations.sqlite'}"

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's instance, unless DAGSTER_HOME names another."""
        return self.data_dir.resolve() / "dagster"

    @property
    def registered_universe(self) -> Path:
        """What command lines registered on top of config/universe.yaml."""
        return self.data_dir.resolve() / "universe.yaml"
