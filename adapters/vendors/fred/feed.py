"""Macro releases as an installation asks for them: the reviewed table, and FRED.

What belongs here: who is asked, and why nobody can be. What does not: asking (source.py).
"""

from __future__ import annotations

from adapters.requests.opening import Gates
from adapters.vendors.fred.profile import PROFILE, open_client
from market_data.macro.releases import MacroTable
from market_data.pipeline.platform import MacroFeed
from market_data.ports import MacroSource


def macro_feed(table: MacroTable, gates: Gates) -> MacroFeed:
    """The releases of a table, asked of FRED; nothing of it is loaded before."""

    def source() -> MacroSource:
        from adapters.vendors.fred.source import FredSource

        names = {release.release: release.name for release in table.releases}
        return FredSource(open_client(gates.of(PROFILE.reader)), names)

    def off() -> str:
        none = "" if table.releases else "config/reference has no macro_releases.yaml"
        return PROFILE.why_off() or none

    return MacroFeed(table, source, off)
