"""Interactive Brokers: whether TWS or IB Gateway lets us in, tells the time, reaches IB."""

from __future__ import annotations

from adapters.probes.probe import Facts, Finding, Probe, State
from adapters.vendors.tws.codes import ClientIdTakenError
from adapters.vendors.tws.inquiry import Address
from adapters.vendors.tws.profile import TwsSettings
from market_data.errors import VendorError

PART = "tws"
_CURE = "is it running, logged in, and set to take API clients? docs/runbooks/tws-outage.md"
_TIMEOUT = 8.0


def tws_probe(settings: TwsSettings) -> Probe:
    """A look at the gateway; without it everything but this vendor works."""
    return Probe(PART, lambda: _look(settings), _CURE)


def _look(settings: TwsSettings) -> Finding:
    from adapters.vendors.tws.gateway import Gateway

    address = Address(settings.host, settings.port, settings.client_id)
    gateway = Gateway(address, min(settings.timeout, _TIMEOUT))
    try:
        version, farms_down = gateway.look()
    except ClientIdTakenError:
        told = f"somebody is connected as client {settings.client_id}, perhaps a run of ours"
        return Finding(PART, State.OK, told)
    except VendorError as error:
        return Finding(PART, State.DEGRADED, str(error), _CURE)
    finally:
        gateway.close()
    facts: Facts = {"server_version": version}
    if farms_down:
        return Finding(PART, State.DEGRADED, farms_down, "wait for IB, then rerun", facts)
    return Finding(PART, State.OK, f"server version {version} at {address}", facts=facts)
