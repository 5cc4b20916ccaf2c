"""Feeds that a run can afford, where it leaves a share of each vendor's allowance to others.

What belongs here: who is left out of a slice, and why. What does not: what a plan costs
(questions.py, market_data/requests/cost.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from market_data.pipeline.feed import Feed
from market_data.pipeline.market_slice import SlicePart
from market_data.pipeline.planning import IngestRequest, plan_ingest
from market_data.pipeline.platform import Platform
from market_data.pipeline.questions import plan_cost

_DAY = timedelta(days=1)


def affordable(
    platform: Platform, parts: Sequence[SlicePart], reserve: float
) -> tuple[list[SlicePart], list[str]]:
    """The parts without the feeds that are off or would take too much, and why these were left out.

    Args:
        platform: knows what is used.
        parts: what would be asked.
        reserve: share of each allowance of a day or longer that stays for others.
    """
    kept: list[SlicePart] = []
    short: list[str] = []
    for part in parts:
        feeds: list[Feed] = []
        for feed in part.feeds:
            reason = _why_not(platform, part, feed, reserve)
            if reason:
                short.append(reason)
            else:
                feeds.append(feed)
        if feeds:
            kept.append(replace(part, feeds=tuple(feeds)))
    return kept, short


def _why_not(platform: Platform, part: SlicePart, feed: Feed, reserve: float) -> str:
    """Why a feed is left out; empty where it is not."""
    if off := platform.vendors.why_off(feed.vendor):
        return f"{feed.vendor} is off: {off}"
    daily = [w for w in platform.vendors.windows(feed.vendor) if w.allowance.per >= _DAY]
    if not daily:
        return ""
    request = IngestRequest(feed.vendor, part.timeframe, feed.symbols, part.first, part.last)
    plan = plan_ingest(platform, request)
    cost = plan_cost(platform, request, plan, platform.vendors.open(feed.vendor))
    for window in daily:
        floor = reserve * window.allowance.requests
        if window.left - cost.requests < floor:
            return (
                f"{feed.vendor} has {window.left:,} requests left of {window.allowance}; "
                f"{floor:,.0f} of them stay for other runs"
            )
    return ""
