"""Macro releases as an installation asks for them: the reviewed table, and FRED.

What belongs here: who is asked, and why nobody can be. What does not: asking (source.py).
"""

from __future__ import annotations

from datetime import date

from adapters.requests.opening import Gates
from adapters.vendors.fred.cost import requests_at_most
from adapters.vendors.fred.profile import PROFILE, open_client
from market_data.macro.releases import MacroTable
from market_data.pipeline.platform import MacroFeed
from market_data.ports import MacroSource
from market_data.requests.cost import Cost


def macro_feed(table: MacroTable, gates: Gates) -> MacroFeed:
    """The releases of a table, asked of FRED; nothing of it is loaded before."""

    def source() -> MacroSource:
        from adapters.vendors.fred.source import FredSource

        names = {release.release: release.name for release in table.releases}
        return FredSource(open_client(gates.of(PROFILE.reader)), names)

    def off() -> str:
        none = "" if table.releases else "config/reference has no macro_releases.yaml"
        return PROFILE.why_off() or none

    def cost(releases: int, series: int, first: date, last: date) -> Cost:
        requests = requests_at_most(releases, series, first, last)
        return Cost(PROFILE.reader, requests, gates.windows(PROFILE.reader))

    return MacroFeed(table, source, off, cost)
