"""Which looks an installation needs: one at every part that it stands on.

What belongs here: the choice by mode; a later part adds its probe here.
What does not: looking; each part has a file beside this one. Dagster's daemon, whose probe needs
Dagster (resources/daemon_probe.py).
"""

from __future__ import annotations

from adapters.modes import Installation
from adapters.probes.lake import lake_probe
from adapters.probes.operations import operations_probe
from adapters.probes.probe import Finding, Probe, State
from adapters.variables import read
from adapters.vendors.tws.profile import PROFILE as TWS
from adapters.vendors.tws.profile import TwsSettings

_ABSENT = "bootstrap mode does without it"


def server_probes(found: Installation) -> list[Probe]:
    """A look at every server, and at the lake."""
    lake = lake_probe(found.settings.lake_place)
    servers = found.servers
    gateways = _gateways()
    if servers is None:
        absent = [_off(part) for part in ("timescaledb", "redis", "kafka")]
        return [lake, operations_probe(found.operations_url, "sqlite"), *absent, *gateways]
    from adapters.probes.kafka import kafka_probe
    from adapters.probes.redis import redis_probe
    from adapters.probes.timescale import timescale_probe

    return [
        timescale_probe(servers.timescale),
        operations_probe(found.operations_url, "postgresql"),
        redis_probe(servers.redis),
        kafka_probe(servers.kafka),
        lake,
        *gateways,
    ]


def _gateways() -> list[Probe]:
    """A look at the gateway to Interactive Brokers, where one is named and can be called."""
    if TWS.why_off():
        return []
    from adapters.probes.tws import tws_probe

    return [tws_probe(read(TwsSettings))]


def _off(part: str) -> Probe:
    return Probe(part, lambda: Finding(part, State.OFF, _ABSENT), "")
