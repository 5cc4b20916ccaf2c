"""Accounts at vendors, as commands ask for them.

What belongs here: which accounts an installation has, their reports, closing a breaker.
What does not: how they are shown (emp/commands), how requests are counted (adapters/requests).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.backend import open_gates
from adapters.clock import SystemClock
from adapters.configuration import load_universe
from adapters.requests.opening import ASK_NOBODY
from adapters.requests.report import AccountReport, report
from adapters.vendors.allowances import allowances_of
from market_data.errors import ConfigurationError
from market_data.requests.breaker import Breaker

if TYPE_CHECKING:
    from adapters.settings import Settings

_MACRO = "fred"
"""Asked for macro releases, whether it is a vendor of bars or not."""


def accounts(settings: Settings, vendor: str | None) -> list[str]:
    """The readers that are asked over a network, or that of one vendor.

    Raises:
        ConfigurationError: there is no such vendor, or it is one that nobody asks.
    """
    readers = {v.name: v.reader for v in load_universe(settings).vendors}
    asked = sorted({r for r in readers.values() if r not in ASK_NOBODY} | {_MACRO})
    if vendor is None:
        return asked
    account = readers.get(vendor, vendor)
    if account not in asked:
        why = "sends no requests" if account in ASK_NOBODY else "is no vendor of the universe"
        raise ConfigurationError(f"{vendor} {why}; there are: {', '.join(asked)}")
    return [account]


def reports(settings: Settings, vendor: str | None = None) -> list[AccountReport]:
    """What is used of each account's allowances, and its breaker.

    Raises:
        ConfigurationError: there is no such vendor; a setting is wrong.
        StorageError: the counts cannot be read.
    """
    store, clock = open_gates(settings).store, SystemClock()
    return [
        report(store, account, allowances_of(account), clock)
        for account in accounts(settings, vendor)
    ]


def close_breaker(settings: Settings, vendor: str) -> str:
    """Close the breaker of a vendor, and say whose account that was.

    Raises:
        ConfigurationError: there is no such vendor.
        StorageError: it cannot be written.
    """
    (account,) = accounts(settings, vendor)
    open_gates(settings).store.change(account, lambda *_: Breaker())
    return account
