"""The parts that an installation stands on, and the look at each.

What belongs here: the looks of the command line, the manifest of connectors.
What does not: which probes a mode has (adapters/probes/parts.py), showing (emp/commands).
"""

from __future__ import annotations

from typing import Any

from adapters.modes import Installation, decide
from adapters.probes import Probe
from adapters.settings import Settings


def installed(settings: Settings) -> Installation:
    """The installation with its mode decided.

    Raises:
        ConfigurationError: institutional mode was asked for and lacks settings; it names them.
    """
    return decide(settings)


def probes_of(found: Installation) -> list[Probe]:
    """A look at every part."""
    from adapters.probes.parts import server_probes
    from emp.instance import open_instance
    from resources.daemon_probe import daemon_probe

    daemon = daemon_probe(lambda: open_instance(found.settings), required=found.servers is not None)
    return [*server_probes(found), daemon]


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
