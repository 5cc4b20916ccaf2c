"""Settings of Spark: where it runs, what it is given.

What belongs here: the variables of exports with Spark. What does not: engine and folder of exports
(adapters/settings.py), the session (spark_session.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SparkSettings(BaseSettings):
    """Where Spark runs.

    Each field but the master is read from the environment variable EMP_SPARK_<FIELD>. What
    SPARK_CONF_DIR, PYSPARK_SUBMIT_ARGS and Spark's other variables say holds as well.
    """

    model_config = SettingsConfigDict(
        title="SPARK_MASTER, EMP_SPARK_*",
        env_prefix="EMP_SPARK_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    master: str = Field(default="", validation_alias=AliasChoices("SPARK_MASTER"))
    """Where Spark runs: local[4], spark://host:7077, yarn, k8s://...; empty: what Spark's own
    configuration says, and all processors of this machine where it says nothing."""

    options: str = ""
    """Further options of the session, as name=value, separated by spaces or line ends:
    'spark.executor.memory=4g spark.executor.cores=2'."""

    jdbc_jar: Path | None = None
    """Jar of PostgreSQL's JDBC driver, by which Spark reads TimescaleDB; the lake needs none."""

    fetch_size: int = Field(default=20_000, ge=10_000)
    """Rows that Spark fetches from TimescaleDB at a time."""

    @field_validator("options")
    @classmethod
    def _pairs(cls, value: str) -> str:
        wrong = [one for one in value.split() if not one.startswith("spark.") or "=" not in one]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no option like spark.executor.memory=4g")
        return value

    @model_validator(mode="after")
    def _there(self) -> Self:
        if self.jdbc_jar is not None and not self.jdbc_jar.is_file():
            raise ValueError(f"EMP_SPARK_JDBC_JAR: there is no file {self.jdbc_jar}")
        return self

    def pairs(self) -> dict[str, str]:
        """`options` by name."""
        return dict(one.split("=", 1) for one in self.options.split())
