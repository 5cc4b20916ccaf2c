"""From the questions of a plan to what a vendor is asked, and what that costs.

What belongs here: the request that a planned question becomes, and counting those of a plan.
What does not: which questions there are (planning.py), asking them (landing.py).
"""

from __future__ import annotations

from datetime import datetime

from market_data.pipeline.planning import IngestPlan, IngestRequest, PlannedFetch
from market_data.pipeline.platform import Platform
from market_data.ports import FetchRequest, SymbolRequest, Vendor
from market_data.requests.cost import Cost, cost_of


def question(
    platform: Platform, request: IngestRequest, fetch: PlannedFetch, now: datetime
) -> FetchRequest:
    """What the vendor is asked, in its own names of the symbols.

    Args:
        platform: knows the symbols.
        request: of which the question is a part.
        fetch: the question.
        now: the time of asking.
    """
    universe = platform.universe
    start, end = fetch.window(request.timeframe)
    symbols = tuple(
        SymbolRequest(
            universe.instrument(s), universe.vendor_symbol(request.vendor, s, fetch.first)
        )
        for s in fetch.symbols
    )
    return FetchRequest(symbols, request.timeframe, start, end, now)


def plan_cost(platform: Platform, request: IngestRequest, plan: IngestPlan, vendor: Vendor) -> Cost:
    """What the questions of a plan cost, and what is left for them now.

    Raises:
        StorageError: what is used cannot be read.
    """
    now = platform.clock.now()
    questions = (question(platform, request, fetch, now) for fetch in plan.fetches)
    windows = platform.vendors.windows(request.vendor)
    return cost_of(vendor, request.vendor, questions, windows, platform.vendors.patience)
