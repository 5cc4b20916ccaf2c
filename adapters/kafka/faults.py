"""What is wrong with the KAFKA_* variables taken together.

What belongs here: rules that concern several variables, or the form of a whole list, each fault as
a sentence that names the variable. What does not: the variables (settings.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from market_data.ports.event_results import Dimension

if TYPE_CHECKING:
    from adapters.kafka.settings import KafkaSettings

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d{1,5}")


def faults(settings: KafkaSettings) -> list[str]:
    """Every fault; none where all is well. No sentence repeats a value that may be a secret."""
    return [
        *_servers(settings),
        *_login(settings),
        *_files(settings),
        *_topics(settings),
        *_limits(settings),
    ]


def _limits(settings: KafkaSettings) -> list[str]:
    wrong = []
    if settings.readiness_lag_warn > settings.readiness_lag_fail:
        wrong.append("KAFKA_READINESS_LAG_WARN must not exceed KAFKA_READINESS_LAG_FAIL")
    if settings.readiness_stale_warn_seconds > settings.readiness_stale_fail_seconds:
        wrong.append(
            "KAFKA_READINESS_STALE_WARN_SECONDS must not exceed KAFKA_READINESS_STALE_FAIL_SECONDS"
        )
    return wrong


def _servers(settings: KafkaSettings) -> list[str]:
    # Not repeated: somebody may have put a login into it.
    if all(_SERVER.fullmatch(server) for server in settings.bootstrap_servers):
        return []
    return ["KAFKA_BOOTSTRAP_SERVERS must be host:port, comma-separated, without a login"]


def _login(settings: KafkaSettings) -> list[str]:
    login = {
        "KAFKA_SASL_MECHANISM": settings.sasl_mechanism,
        "KAFKA_SASL_USERNAME": settings.sasl_username,
        "KAFKA_SASL_PASSWORD": settings.sasl_password,
    }
    if settings.security_protocol.startswith("SASL"):
        missing = [name for name, value in login.items() if not value]
        return [f"{name} is missing for {settings.security_protocol}" for name in missing]
    given = [name for name, value in login.items() if value]
    if not given:
        return []
    return [
        f"{', '.join(given)} would not be used: set KAFKA_SECURITY_PROTOCOL to SASL_SSL, "
        "or to SASL_PLAINTEXT on a network that nobody listens to"
    ]


def _files(settings: KafkaSettings) -> list[str]:
    files = {
        "KAFKA_SSL_CAFILE": settings.ssl_cafile,
        "KAFKA_SSL_CERTFILE": settings.ssl_certfile,
        "KAFKA_SSL_KEYFILE": settings.ssl_keyfile,
    }
    wrong = [f"{n}: there is no file {f}" for n, f in files.items() if f and not f.is_file()]
    if (settings.ssl_certfile is None) != (settings.ssl_keyfile is None):
        wrong.append("KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE belong together")
    if any(files.values()) and not settings.security_protocol.endswith("SSL"):
        wrong.append("KAFKA_SSL_* would not be used: set KAFKA_SECURITY_PROTOCOL to SSL")
    return wrong


def _topics(settings: KafkaSettings) -> list[str]:
    wrong = []
    for entry in settings.ingest_topics:
        dimension, _, topic = entry.partition(":")
        if dimension.strip() not in list(Dimension) or not topic.strip():
            known = ", ".join(Dimension)
            wrong.append(f"KAFKA_INGEST_TOPICS: {entry!r} is not one of {known}, with :topic")
    names = [*settings.topics().values(), settings.replay_topic, settings.refresh_topic]
    bad = sorted({n for n in names if not _TOPIC.fullmatch(n) or n in (".", "..")})
    return [*wrong, *(f"{name!r} cannot name a topic" for name in bad)]
