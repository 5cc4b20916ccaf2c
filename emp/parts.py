"""The parts that an installation stands on, and the look at each.

What belongs here: the looks of the command line, the manifest of connectors.
What does not: which probes a mode has (adapters/probes/parts.py), showing (emp/commands).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters import yaml_text
from adapters.modes import Installation, Servers, decide
from adapters.probes import Probe
from adapters.settings import Settings

if TYPE_CHECKING:
    from adapters.kafka.settings import KafkaSettings
    from adapters.timescale.settings import TimescaleSettings

_WITHOUT = "none"


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


def vendors_of(found: Installation) -> list[Probe]:
    """A look at what is known of every vendor; none of them is asked.

    Raises:
        ConfigurationError: the universe is wrong.
    """
    from adapters.backend import open_gates
    from adapters.clock import SystemClock
    from adapters.probes.vendors import vendor_probes
    from emp.budgets import accounts

    gates = open_gates(found.settings)
    return vendor_probes(accounts(found.settings, None), lambda: gates.store, SystemClock())


def manifest(found: Installation) -> dict[str, Any]:
    """Every connector with its settings, without a login."""
    settings = found.settings
    connectors: dict[str, Any] = {"lake": {"path": settings.lake_place}}
    if found.servers is None:
        operations = {"path": found.operations_url.removeprefix("sqlite:///")}
        connectors |= {"warehouse": {"path": settings.warehouse_place}, "sqlite": operations}
    else:
        connectors |= _servers(found.servers)
    connectors["dagster"] = dagster_records(found)
    return {"mode": str(found.mode), "reason": found.reason, "connectors": connectors}


def dagster_records(found: Installation) -> dict[str, str]:
    """Where Dagster keeps its records: a PostgreSQL server, or a folder with SQLite files.

    Raises:
        ConfigurationError: some of DAGSTER_POSTGRES_* are set, and others are not.
    """
    from adapters.dagster_storage import DagsterStorageSettings
    from adapters.variables import read

    named = os.environ.get("DAGSTER_HOME")
    # A folder with a dagster.yaml of its own says itself what it stands on.
    if _stands_on_a_server(Path(named)) if named else found.servers is not None:
        storage = read(DagsterStorageSettings)
        if storage.configured:
            return {"server": f"{storage.host}:{storage.port}/{storage.db}"}
    return {"path": named or str(found.settings.dagster_home)}


def _stands_on_a_server(home: Path) -> bool:
    file = home / "dagster.yaml"
    stated = (yaml_text.values(file.read_text()) or {}) if file.is_file() else {}
    storage = stated.get("storage") or {}
    own = (storage.get("custom") or {}).get("config") or {}
    return "postgres" in storage or "postgres_db" in own


def _servers(servers: Servers) -> dict[str, dict[str, Any]]:
    from adapters.cache.policy import RedisCacheSettings
    from adapters.variables import read

    redis, policy = servers.redis, read(RedisCacheSettings).policy()
    return {
        "timescaledb": _timescale(servers.timescale),
        "postgresql": _operations(servers.operations_url),
        "redis": {
            "server": redis.shown,
            "tls": redis.tls,
            "client_name": redis.client_name,
            "namespace": policy.namespace,
            "ttl_seconds": policy.ttl_seconds,
            "max_keys": policy.max_keys,
        },
        "kafka": _kafka(servers.kafka),
    }


def _timescale(timescale: TimescaleSettings) -> dict[str, Any]:
    from psycopg.conninfo import conninfo_to_dict

    mode = conninfo_to_dict(timescale.conninfo()).get("sslmode")
    return {
        "server": timescale.shown,
        "tls": str(mode or _default_tls()),
        "pool": f"{timescale.pool_size}+{timescale.max_overflow}",
        "statement_timeout_ms": timescale.statement_timeout_ms,
        "application_name": timescale.application_name,
    }


def _operations(url: str) -> dict[str, Any]:
    from adapters.operations.database import parse_url

    parts = parse_url(url)
    host = parts.host or parts.query.get("host") or "localhost"
    return {
        "server": f"{host}:{parts.port or 5432}/{parts.database or ''}",
        "tls": str(parts.query.get("sslmode") or _default_tls()),
    }


def _default_tls() -> str:
    """How far PostgreSQL's driver asks for TLS where nothing is said, PGSSLMODE included."""
    from psycopg.pq import Conninfo

    found = next(o.val for o in Conninfo.get_defaults() if o.keyword == b"sslmode")
    return found.decode() if found else "prefer"


def _kafka(kafka: KafkaSettings) -> dict[str, Any]:
    topics = {str(dimension): topic for dimension, topic in kafka.topics().items()}
    return {
        "bootstrap_servers": ",".join(kafka.bootstrap_servers),
        "security_protocol": kafka.security_protocol,
        "sasl_mechanism": kafka.sasl_mechanism or _WITHOUT,
        "client_id": kafka.client_id,
        "streaming": kafka.streaming,
        "topics": {**topics, "replay": kafka.replay_topic},
        "consumer_group": kafka.ingest_consumer_group,
    }
