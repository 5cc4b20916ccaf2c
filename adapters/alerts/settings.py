"""Settings of alerts: which variables change what config/alerts.yaml says.

What belongs here: their names, defaults and checks. What does not: the secrets of routes, which
lie in variables that the file names.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from market_data.alerts.alert import Severity


class AlertSettings(BaseSettings):
    """What the environment says about alerts."""

    model_config = SettingsConfigDict(
        title="OPERATIONS_*, EMP_ALERTS_*",
        env_prefix="OPERATIONS_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    alert_routes: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default=None, validation_alias=AliasChoices("OPERATIONS_ALERT_ROUTES")
    )
    """Routes of config/alerts.yaml that are told, comma-separated, each as name or severity:name;
    the others are off. 'none' for no route at all; empty: what the file says."""

    runbooks: str | None = Field(default=None, validation_alias=AliasChoices("EMP_ALERTS_RUNBOOKS"))
    """Address of the folder of the runbooks in messages, goes before the file's."""

    ui: str | None = Field(default=None, validation_alias=AliasChoices("EMP_ALERTS_UI"))
    """Address of the Dagster UI in messages, goes before the file's."""

    heartbeat_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("EMP_ALERTS_HEARTBEAT_URL")
    )
    """Address that the daemon asks (GET) after every delivery of alerts, every 30 seconds: a
    watcher outside, such as healthchecks.io, alarms when it hears nothing. Empty: none."""

    @field_validator("alert_routes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        if "none" in parts:
            if len(parts) > 1:
                raise ValueError("'none' stands alone")
            return ()
        for part in parts:
            severity, mark, _ = part.partition(":")
            if mark and severity not in tuple(Severity):
                raise ValueError(f"{severity!r} is no severity: write warn:name or error:name")
        return parts
