"""The parts that an installation stands on, and the look at each.

What belongs here: which probes a mode has; a later part adds its own here.
What does not: looking (adapters/probes), showing (emp/commands/doctor.py).
"""

from __future__ import annotations

from typing import Any

from adapters.modes import Installation, decide
from adapters.probes import Finding, Probe, State
from adapters.settings import Settings
from emp.daemon_probe import daemon_probe

_BOOTSTRAP = "bootstrap mode does without it"


def installed(settings: Settings) -> Installation:
    """The installation with its mode decided.

    Raises:
        ConfigurationError: institutional mode was asked for and lacks settings; it names them.
    """
    return decide(settings)


def probes_of(found: Installation) -> list[Probe]:
    """A look at every part."""
    from adapters.probes.lake import lake_probe
    from adapters.probes.operations import operations_probe

    settings, servers = found.settings, found.servers
    lake = lake_probe(settings.lake_root)
    daemon = daemon_probe(settings, required=servers is not None)
    if servers is None:
        absent = [_off(part) for part in ("timescaledb", "redis", "kafka")]
        return [lake, operations_probe(found.operations_url, "sqlite"), *absent, daemon]
    from adapters.probes.kafka import kafka_probe
    from adapters.probes.redis import redis_probe
    from adapters.probes.timescale import timescale_probe

    return [
        timescale_probe(servers.timescale),
        operations_probe(found.operations_url, "postgresql"),
        redis_probe(servers.redis),
        kafka_probe(servers.kafka),
        lake,
        daemon,
    ]


def _off(part: str) -> Probe:
    return Probe(part, lambda: Finding(part, State.OFF, _BOOTSTRAP), "")


def manifest(found: Installation) -> dict[str, Any]:
    """Every connector with its settings, without a login."""
    told: dict[str, Any] = {
        "mode": str(found.mode),
        "reason": found.reason,
        "connectors": {"lake": {"path": str(found.settings.lake_root)}},
    }
    servers = found.servers
    if servers is None:
        told["connectors"]["warehouse"] = {"path": str(found.settings.warehouse_root)}
        return told
    from adapters.cache.policy import RedisCacheSettings
    from adapters.variables import read

    timescale, redis, kafka = servers.timescale, servers.redis, servers.kafka
    policy = read(RedisCacheSettings).policy()
    told["connectors"] |= {
        "timescaledb": {
            "server": timescale.shown,
            "pool": f"{timescale.pool_size}+{timescale.max_overflow}",
            "statement_timeout_ms": timescale.statement_timeout_ms,
            "application_name": timescale.application_name,
        },
        "redis": {
            "server": redis.shown,
            "tls": redis.tls,
            "client_name": redis.client_name,
            "namespace": policy.namespace,
            "ttl_seconds": policy.ttl_seconds,
            "max_keys": policy.max_keys,
        },
        "kafka": {
            "bootstrap_servers": ",".join(kafka.bootstrap_servers),
            "security_protocol": kafka.security_protocol,
            "client_id": kafka.client_id,
            "streaming": kafka.streaming,
            "topics": {str(d): topic for d, topic in kafka.topics().items()},
            "consumer_group": kafka.ingest_consumer_group,
        },
    }
    return told
