"""Vendors: whether they can be asked, and whether they are left alone for a while.

What belongs here: what the breaker, a pause and the settings of an account mean for a person.
What does not: asking a vendor anything: a look would cost a request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from adapters.probes.probe import Facts, Finding, Probe, State
from adapters.requests.report import AccountReport, report
from adapters.requests.store import RequestStore
from adapters.vendors.registry import profile_of
from market_data.ports import Clock
from market_data.requests.breaker import State as BreakerState

_CURE = "emp budget reads the same counts; does it work?"


def vendor_probes(
    accounts: Sequence[str], store: Callable[[], RequestStore], clock: Clock
) -> list[Probe]:
    """A look at each account.

    Args:
        accounts: readers whose requests are counted.
        store: where they are counted.
        clock: of the reader of the report.
    """
    return [_probe(account, store, clock) for account in accounts]


def _probe(account: str, store: Callable[[], RequestStore], clock: Clock) -> Probe:
    return Probe(f"vendor_{account}", lambda: _look(account, store, clock), _CURE)


def _look(account: str, store: Callable[[], RequestStore], clock: Clock) -> Finding:
    part, profile = f"vendor_{account}", profile_of(account)
    if off := profile.why_off():
        return Finding(part, State.OFF, off, _to_turn_on(off))
    found = report(store(), account, profile.allowances(), clock)
    facts: Facts = {f"left per {w.allowance.name}": w.left for w in found.windows if not w.subject}
    if found.state is not BreakerState.CLOSED:
        return Finding(part, State.DEGRADED, _alone(found), _reset(account), facts)
    if found.held_until is not None:
        told = f"it asked to be left in peace until {_text(found.held_until)}"
        return Finding(part, State.DEGRADED, told, f"wait until then, or {_reset(account)}", facts)
    return Finding(part, State.OK, "it can be asked", facts=facts)


def _to_turn_on(off: str) -> str:
    variable, is_lacking, _ = off.partition(" is not set")
    if is_lacking:
        return f"set {variable}; docs/vendors.md says where its value comes from"
    return off.partition(": ")[2] or off


def _alone(found: AccountReport) -> str:
    when = f"is left alone until {_text(found.retry_at)}" if found.retry_at else "is tried again"
    return f"its breaker is {found.state}: it {when}; the last failure: {found.trouble}"


def _reset(account: str) -> str:
    return f"emp budget reset --vendor {account} --breaker asks it again at once"


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
