"""Accounts at vendors, as commands ask for them.

What belongs here: which accounts an installation has, their reports as frames, closing a breaker.
What does not: how they are shown (emp/commands), how requests are counted (adapters/requests).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from adapters.backend import open_gates
from adapters.clock import SystemClock
from adapters.configuration import load_universe
from adapters.requests.report import AccountReport, report
from adapters.settings import Settings
from adapters.vendors.registry import MACRO, profile_of
from emp.platforms import installation
from market_data.errors import ConfigurationError
from market_data.requests.breaker import Breaker

_MOMENT = pl.Datetime("us", "UTC")


def accounts(settings: Settings, vendor: str | None) -> list[str]:
    """The readers that are asked over a network, or that of one vendor.

    Raises:
        ConfigurationError: there is no such vendor, or it is one that nobody asks.
    """
    readers = {v.name: v.reader for v in load_universe(settings).vendors}
    profiles = [MACRO, *map(profile_of, readers.values())]
    asked = sorted({profile.reader for profile in profiles if profile.asks_somebody})
    if vendor is None:
        return asked
    account = readers.get(vendor, vendor)
    if account not in asked:
        known = account in readers.values()
        why = "sends no requests" if known else "is no vendor of the universe"
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
        report(store, account, profile_of(account).allowances(), clock)
        for account in accounts(settings, vendor)
    ]


def get_request_budget(
    vendor: str | None = None, *, settings: Settings | None = None
) -> pl.DataFrame:
    """What vendors let us ask in any stretch of time, and what is used of it now.

    Args:
        vendor: only this one.
        settings: of the installation; those of the environment, if not given.

    Returns:
        Columns vendor, window, subject (whose requests it counts; empty for all), limit, used,
        left, next_slot (UTC; null where a request can be sent at once).

    Raises:
        ConfigurationError: there is no such vendor; a setting is wrong.
        StorageError: the counts cannot be read.
    """
    return windows_frame(reports(installation(settings), vendor))


def get_circuit_breaker_stats(
    vendor: str | None = None, *, settings: Settings | None = None
) -> pl.DataFrame:
    """The breaker of each vendor: whether it is asked at all, and how often it failed of late.

    Args:
        vendor: only this one.
        settings: of the installation; those of the environment, if not given.

    Returns:
        Columns vendor, state (closed, open or half open), failures (since the last answer),
        opened (times in a row), retry_at (UTC; when it is tried again), held_until (UTC; until
        when it asked for peace), trouble (the last failure).

    Raises:
        ConfigurationError: there is no such vendor; a setting is wrong.
        StorageError: the breakers cannot be read.
    """
    return breakers_frame(reports(installation(settings), vendor))


def windows_frame(reports: Sequence[AccountReport]) -> pl.DataFrame:
    """Columns of `get_request_budget`."""
    return pl.DataFrame(
        [
            (
                report.account,
                window.allowance.name,
                window.subject,
                window.allowance.requests,
                window.used,
                window.left,
                window.next_slot,
            )
            for report in reports
            for window in report.windows
        ],
        schema={
            "vendor": pl.String,
            "window": pl.String,
            "subject": pl.String,
            "limit": pl.Int64,
            "used": pl.Int64,
            "left": pl.Int64,
            "next_slot": _MOMENT,
        },
        orient="row",
    )


def breakers_frame(reports: Sequence[AccountReport]) -> pl.DataFrame:
    """Columns of `get_circuit_breaker_stats`."""
    return pl.DataFrame(
        [
            (
                report.account,
                str(report.state),
                report.failures,
                report.opened,
                report.retry_at,
                report.held_until,
                report.trouble,
            )
            for report in reports
        ],
        schema={
            "vendor": pl.String,
            "state": pl.String,
            "failures": pl.Int64,
            "opened": pl.Int64,
            "retry_at": _MOMENT,
            "held_until": _MOMENT,
            "trouble": pl.String,
        },
        orient="row",
    )


def close_breaker(settings: Settings, vendor: str) -> str:
    """Close the breaker of a vendor, and say whose account that was.

    Raises:
        ConfigurationError: there is no such vendor.
        StorageError: it cannot be written.
    """
    (account,) = accounts(settings, vendor)
    open_gates(settings).store.change(account, lambda *_: Breaker())
    return account
