"""Settings of Kafka: every KAFKA_* variable, its default and its check.

What belongs here: the variables and what follows from them: topics, options of clients.
What does not: clients (clients.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from adapters.kafka.faults import faults
from market_data.errors import ConfigurationError
from market_data.operations.kafka_readiness import KafkaLimits
from market_data.ports.event_results import Dimension

List = Annotated[tuple[str, ...], NoDecode]
"""Comma-separated in the environment."""

_PLACES = {
    Dimension.SLOS: "operational",
    Dimension.CHECKLIST: "operational",
    Dimension.RETENTION: "data_backbone",
}
"""What stands in the place of `ingest` in topics of reports on other things."""


@dataclass(frozen=True)
class TopicSpec:
    """One topic as it should be; a replication factor of None leaves it to the broker."""

    name: str
    partitions: int
    replication_factor: int | None
    config: Mapping[str, str]


class KafkaSettings(BaseSettings):
    """Where Kafka is, how to speak to it, and what goes to which topic.

    Each field is read from the environment variable KAFKA_<FIELD>.
    """

    model_config = SettingsConfigDict(
        title="KAFKA_*",
        env_prefix="KAFKA_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    bootstrap_servers: List = ()
    """Brokers as host:port, comma-separated. Empty: there is no Kafka."""

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How brokers are spoken to: in the clear, over TLS, with a login, or both."""

    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """Kind of login, for the SASL protocols."""

    sasl_username: str | None = None
    """Login name."""

    sasl_password: SecretStr | None = None
    """Login password."""

    ssl_cafile: Path | None = None
    """PEM file of the authority that signed the brokers' certificates; empty: the system's."""

    ssl_certfile: Path | None = None
    """PEM file of the client's certificate, where brokers ask for one."""

    ssl_keyfile: Path | None = None
    """PEM file of the certificate's key, without a password."""

    client_id: str = "emp-institutional-ingest"
    """Name under which brokers log this client."""

    timeout_seconds: float = Field(default=10.0, gt=0, le=600)
    """How long to wait for a broker before giving up. Events wait in the outbox meanwhile."""

    max_message_bytes: int = Field(default=900_000, ge=10_000, le=100_000_000)
    """Largest message to send; below the topics' max.message.bytes."""

    replay_topic: str = "market-data.replay"
    """Topic of replayed rows."""

    refresh_topic: str = "market-data.refresh"
    """Topic of messages that ask for a refresh, see docs/messages.md."""

    refresh_group: str = "emp-refresh"
    """Consumer group under which Kafka keeps how far they were taken."""

    ingest_enable_streaming: bool = True
    """false: nothing is sent, whatever else is set; events are dropped where they arise."""

    ingest_default_topic: str = "telemetry.ingest"
    """Topic of ingested slices; with .health, .metrics, .quality, .observability and .trends behind
    it, of those. SLO reports, daily checklists and reports on retention go to .operational.slos,
    .operational.checklist and .data_backbone.retention behind what is before .ingest."""

    ingest_topics: List = ()
    """Topics by dimension, as dimension:topic, comma-separated. Dimensions are daily_bars,
    intraday_bars, health, metrics, quality, observability, trends, slos, checklist, retention."""

    ingest_topic_daily_bars: str | None = None
    """Topic of ingested slices of daily bars; goes before KAFKA_INGEST_TOPICS, as the next ones."""

    ingest_topic_intraday_bars: str | None = None
    """Topic of ingested slices of intraday bars."""

    ingest_topic_health: str | None = None
    """Topic of the health of ingests, and of the report on it."""

    ingest_topic_metrics: str | None = None
    """Topic of the numbers of ingests, and of the report on them."""

    ingest_topic_quality: str | None = None
    """Topic of quality scores."""

    ingest_topic_observability: str | None = None
    """Topic of the one payload about ingest."""

    ingest_topic_trends: str | None = None
    """Topic of the trends of ingest."""

    ingest_topic_slos: str | None = None
    """Topic of SLO reports."""

    ingest_topic_checklist: str | None = None
    """Topic of daily checklists."""

    ingest_topic_retention: str | None = None
    """Topic of reports on how much history is held."""

    ingest_default_topic_partitions: int = Field(default=3, ge=1, le=10_000)
    """Partitions of a topic that is made here."""

    ingest_default_topic_replication_factor: int | None = Field(default=None, ge=1, le=100)
    """Copies of a topic that is made here; empty: the broker's default."""

    ingest_default_topic_config: List = ()
    """Settings of a topic that is made here, as name=value, comma-separated."""

    ingest_auto_create_topics: bool = Field(
        default=False,
        validation_alias=AliasChoices(
            "KAFKA_INGEST_AUTO_CREATE_TOPICS", "KAFKA_AUTO_CREATE_TOPICS"
        ),
    )
    """Make missing topics before the first event is sent."""

    ingest_consumer_group: str = "emp-ingest-bridge"
    """Consumer group of the bridge from topics back into the platform."""

    ingest_consumer_offset_reset: Literal["latest", "earliest"] = "latest"
    """Where a group without offsets begins."""

    ingest_consumer_auto_commit: bool = False
    """Let the client commit offsets every few seconds, whether events were handled or not."""

    ingest_consumer_commit_on_publish: bool = True
    """Commit offsets once the events before them were handled."""

    ingest_consumer_commit_async: bool = False
    """Do not wait for the broker's word on such a commit."""

    readiness_lag_warn: int = Field(default=1_000, ge=0)
    """Messages by which a group may be behind before readiness warns: the bridge's, or the one that
    takes requests for a refresh."""

    readiness_lag_fail: int = Field(default=10_000, ge=0)
    """The same, before readiness fails."""

    readiness_stale_warn_seconds: float = Field(default=600, gt=0)
    """Age of the oldest unsent event, or of the look at the broker, at which readiness warns."""

    readiness_stale_fail_seconds: float = Field(default=1_800, gt=0)
    """Such an age at which readiness fails."""

    @field_validator("bootstrap_servers", "ingest_topics", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("ingest_default_topic_config", mode="before")
    @classmethod
    def _assigned(cls, value: Any) -> Any:
        """A part without "=" belongs to the value before it: cleanup.policy=compact,delete."""
        if not isinstance(value, str):
            return value
        parts: list[str] = []
        for part in (p.strip() for p in value.split(",") if p.strip()):
            if "=" in part:
                parts.append(part)
            elif parts:
                parts[-1] += f",{part}"
            else:
                raise ValueError("must be name=value, comma-separated")
        return tuple(parts)

    @field_validator("security_protocol", "sasl_mechanism", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.strip().upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wrong = faults(self)
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def configured(self) -> bool:
        """Whether there is a Kafka to speak to."""
        return bool(self.bootstrap_servers)

    @property
    def streaming(self) -> bool:
        """Whether events are sent."""
        return self.configured and self.ingest_enable_streaming

    @property
    def limits(self) -> KafkaLimits:
        """Where readiness warns and fails."""
        return KafkaLimits(
            lag_warn=self.readiness_lag_warn,
            lag_fail=self.readiness_lag_fail,
            stale_warn_seconds=self.readiness_stale_warn_seconds,
            stale_fail_seconds=self.readiness_stale_fail_seconds,
        )

    def topics(self) -> dict[Dimension, str]:
        """The topic of every dimension."""
        default = self.ingest_default_topic
        mapped = {
            dimension.strip(): topic.strip()
            for dimension, _, topic in (entry.partition(":") for entry in self.ingest_topics)
        }
        bars = (Dimension.DAILY_BARS, Dimension.INTRADAY_BARS)
        before = default.removesuffix(".ingest")
        return {
            dimension: getattr(self, f"ingest_topic_{dimension}")
            or mapped.get(dimension)
            or (
                default
                if dimension in bars
                else f"{before}.{_PLACES[dimension]}.{dimension}"
                if dimension in _PLACES
                else f"{default}.{dimension}"
            )
            for dimension in Dimension
        }

    def topic_specs(self, *others: str) -> list[TopicSpec]:
        """Every topic that the platform writes to, by name.

        Args:
            others: topics that other settings name, such as those of alerts.
        """
        config = dict(entry.split("=", 1) for entry in self.ingest_default_topic_config)
        return [
            TopicSpec(
                name,
                self.ingest_default_topic_partitions,
                self.ingest_default_topic_replication_factor,
                config,
            )
            for name in sorted({*self.topics().values(), self.replay_topic, *others})
        ]

    def client_options(self) -> dict[str, Any]:
        """Options that every client of kafka-python takes; they hold the password.

        Raises:
            ConfigurationError: no broker is named.
        """
        if not self.configured:
            raise ConfigurationError("KAFKA_BOOTSTRAP_SERVERS is not set: name a broker, host:port")
        milliseconds = int(self.timeout_seconds * 1_000)
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "client_id": self.client_id,
            "security_protocol": self.security_protocol,
            "bootstrap_timeout_ms": milliseconds,
            "request_timeout_ms": milliseconds,
            "reconnect_backoff_max_ms": 1_000,
        }
        if self.security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            password = self.sasl_password or SecretStr("")
            options["sasl_plain_password"] = password.get_secret_value()
        for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
            if (path := getattr(self, name)) is not None:
                options[name] = str(path)
        # Without one the library would ask for the password of a key on the terminal.
        options["ssl_password"] = ""
        return options
