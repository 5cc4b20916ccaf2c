"""Checks of a slice that need more than the slice: the record of actions, or a vendor's raw log.

What belongs here: calling them, for whoever judges or scores a slice, so that both hear the same.
What does not: the checks (market_data/quality), what a view holds already
(market_data/quality/checks.py), bars that curation would make otherwise now: they are not the ones
that a score is about (inspection.py).
"""

from __future__ import annotations

from market_data.datasets import curated_bars
from market_data.pipeline.adjusted_closes import check_adjusted_closes
from market_data.pipeline.platform import Platform
from market_data.quality.consistency import CHECK as CONSISTENCY
from market_data.quality.disputed_splits import check_disputed_splits
from market_data.quality.findings import CheckOutcome
from market_data.quality.price_sanity import CHECK as PRICE_SANITY
from market_data.quality.price_sanity import LOOK_BACK, check_missing_split
from market_data.quality.view import BarsView
from market_data.timeframes import Timeframe


def checks_beside(platform: Platform, view: BarsView) -> list[tuple[str, CheckOutcome]]:
    """What further checks say of a slice.

    Args:
        platform: the stores, and the actions on record.
        view: the slice; of raw bars there is nothing more to say.

    Returns:
        Name of the check, outcome: suspected_missing_split, adjustment_chain (daily bars) and
        splits_disputed.
    """
    if view.kind == "raw":
        return []
    disputed = check_disputed_splits(
        view.bars, check=PRICE_SANITY, dataset=view.dataset, sessions=view.sessions
    )
    if view.timeframe is not Timeframe.D1:
        return [(PRICE_SANITY, disputed)]
    return [
        (PRICE_SANITY, _missing_splits(platform, view)),
        (CONSISTENCY, check_adjusted_closes(platform, view)),
        (PRICE_SANITY, disputed),
    ]


def _missing_splits(platform: Platform, view: BarsView) -> CheckOutcome:
    """Steps of the daily bars that look like splits which nobody told of."""
    start, end = view.sessions
    bars = platform.store.scan(
        curated_bars(view.timeframe),
        symbols=view.bars["symbol"].unique().to_list(),
        sessions=(start - LOOK_BACK, end),
        columns=["symbol", "session", "open", "close", "volume"],
    )
    return check_missing_split(
        bars,
        view.actions,
        view.instruments,
        thresholds=platform.thresholds,
        dataset=view.dataset,
        sessions=view.sessions,
    )
