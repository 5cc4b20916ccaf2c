"""Settings of Dagster's own records in PostgreSQL: every DAGSTER_POSTGRES_* variable.

What belongs here: the variables, and that they are all there or none is. What does not: Dagster's
instance, which reads the same variables (docker/dagster.yaml).
"""

from __future__ import annotations

from typing import Self

from pydantic import SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class DagsterStorageSettings(BaseSettings):
    """Where Dagster keeps its runs, events and schedules in institutional mode.

    Each field is read from the environment variable DAGSTER_POSTGRES_<FIELD>. Either all of them
    are set, or none is and the records lie in SQLite.
    """

    model_config = SettingsConfigDict(
        title="DAGSTER_POSTGRES_*",
        env_prefix="DAGSTER_POSTGRES_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
    )

    host: str = ""
    """Server of Dagster's own records, in institutional mode. Either all of these five are set, or
    none is and the records lie in SQLite below EMP_DATA_DIR, or where DAGSTER_HOME says."""

    port: str = ""
    """Its port."""

    user: str = ""
    """Login name."""

    password: SecretStr | None = None
    """Login password."""

    db: str = ""
    """Database; Dagster makes its tables in it."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wrong = []
        port = self.port.strip()
        # A check of its own type would hide that others are not set.
        if port and not (port.isdecimal() and 1 <= int(port) <= 65535):
            wrong.append("DAGSTER_POSTGRES_PORT: must be a number from 1 to 65535")
        unset = [f"DAGSTER_POSTGRES_{name.upper()}" for name, value in self if not value]
        if len(unset) < len(type(self).model_fields):
            wrong += [f"{name}: set it, or none of DAGSTER_POSTGRES_*" for name in unset]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def configured(self) -> bool:
        """Whether the records lie in PostgreSQL."""
        return bool(self.host)
