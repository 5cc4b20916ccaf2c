"""Planning a backfill from what an installation holds.

What belongs here: which sessions need work, who is asked for them, what that costs. What does not:
records (market_data/backfill), cutting (backfill_pieces.py), what is without an answer afterwards
(backfill_answers.py), launching (jobs/backfill_piece.py, emp/commands/backfill.py).

The plan counts with the functions by which a run asks: what it says of requests is what the run
puts, unless the ledger changes in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from market_data.backfill.estimate import Estimate, Rates, vendor_seconds
from market_data.backfill.plans import CURATED, BackfillPlan, BackfillRequest
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.spans import within
from market_data.calendars import expected_bars
from market_data.errors import ConfigurationError, StoreUnavailableError
from market_data.features.registry import bar_groups
from market_data.pipeline.backfill_feeds import Group, groups_of
from market_data.pipeline.backfill_pieces import Work, pieces_of
from market_data.pipeline.outdated import by_other_rules, sessions_outdated
from market_data.pipeline.outdated_features import by_other_definitions, under_features
from market_data.pipeline.planning import (
    IngestRequest,
    sessions_asked,
)
from market_data.pipeline.platform import Platform
from market_data.requests.cost import Cost
from market_data.timeframes import Timeframe

BYTES_PER_ROW = 45
"""On disk, compressed, about."""
_KEY = ["symbol", "session"]
_FEATURES = {"timeframe": pl.String, "symbol": pl.String, "session": pl.Date}


@dataclass(frozen=True)
class Planned:
    """A plan, and what it costs under the limits of the vendors now.

    Attributes:
        plan: what a backfill would do.
        costs: one per vendor that is asked.
    """

    plan: BackfillPlan
    costs: tuple[Cost, ...]


def plan_backfill(
    platform: Platform,
    request: BackfillRequest,
    policy: BackfillPolicy,
    rates: Rates,
    *,
    pilot: bool = False,
) -> Planned:
    """Find what a backfill would do; nobody is asked and nothing is written.

    Sessions of which nothing is lacking are left out, unless the request says otherwise.

    Args:
        platform: configuration and ports.
        request: what is to be there afterwards.
        policy: how it is cut.
        rates: what is known of this machine and its vendors.
        pilot: take the newest sessions only.

    Raises:
        ConfigurationError: a symbol, vendor or dataset is not configured, nobody serves what was
            named, the range is none, or its options contradict each other.
        StorageError: what is used of a vendor's limits cannot be read.
    """
    request = _checked(platform, request)
    works = [_work(platform, request, group) for group in groups_of(platform, request)]
    counted = works
    if pilot:
        works = [work.newest(policy, platform.universe.classes) for work in works]
    made = [piece for work in works for piece in pieces_of(platform, request, policy, work)]
    made.sort(key=lambda piece: (piece.first, piece.timeframe.duration))
    pieces = [replace(piece, number=number) for number, piece in enumerate(made)]
    requests: Counter[str] = Counter()
    for piece in pieces:
        requests.update(piece.requests)
    costs = tuple(
        Cost(v, n, platform.vendors.windows(v), platform.vendors.patience)
        for v, n in sorted(requests.items())
    )
    layer = request.layer
    estimate = Estimate(
        sum(
            vendor_seconds(
                c.requests, c.duration.total_seconds(), rates.request_seconds.get(c.vendor)
            )
            for c in costs
        ),
        rates.work(piece.work(layer) for piece in pieces),
        rates.pieces,
        BYTES_PER_ROW * sum(piece.rows(layer) for piece in pieces),
    )
    plan = BackfillPlan(
        request,
        tuple(pieces),
        complete=sum(work.begun - work.sessions.height for work in counted),
        not_begun=sum(work.not_begun for work in counted),
        estimate=estimate,
        pilot=pilot,
    )
    return Planned(plan, costs)


def _checked(platform: Platform, request: BackfillRequest) -> BackfillRequest:
    if request.last < request.first:
        raise ConfigurationError(
            f"the backfill ends ({request.last}) before it starts ({request.first})"
        )
    anew = request.overwrite_curated or request.overwrite_features
    if request.outdated and (request.refetch or anew or request.vendors):
        raise ConfigurationError(
            "--outdated asks nobody and makes anew exactly what is outdated; it goes without "
            "--refetch, --overwrite-curated, --overwrite-features and --vendor"
        )
    if request.thorough and not request.outdated:
        raise ConfigurationError("--thorough says how --outdated looks; give both")
    if request.layer != CURATED and (request.outdated or anew):
        raise ConfigurationError(
            f"{request.dataset} is a raw log, in which nothing is ever made anew; --outdated, "
            f"--overwrite-curated and --overwrite-features are for bars_{request.timeframe}"
        )
    if request.overwrite_features and not bar_groups(request.timeframe):
        raise ConfigurationError(f"there are no features of {request.timeframe} bars")
    first = max(request.first, platform.universe.first_session)
    if request.last < first:
        raise ConfigurationError(
            f"the backfill ends ({request.last}) before the first session of the universe ({first})"
        )
    return replace(request, first=first)


def _work(platform: Platform, request: BackfillRequest, group: Group) -> Work:
    span = request.first, request.last
    lacking: dict[str, pl.DataFrame] = {}
    begun: list[pl.DataFrame] = []
    later = 0
    for vendor, symbols in group.asked.items():
        asked = sessions_asked(
            platform,
            IngestRequest(vendor, group.timeframe, symbols, *span, request.refetch),
        )
        lacking[vendor] = within(asked.lacking.select(*_KEY, "expected"), request.only)
        begun.append(within(asked.begun.select(*_KEY, "expected"), request.only))
        later = max(later, asked.not_begun)
    if request.outdated or request.overwrite_curated or request.overwrite_features:
        instruments = [platform.universe.instrument(symbol) for symbol in group.symbols]
        opened = expected_bars(instruments, group.timeframe, *span).filter(
            pl.col("open") <= platform.clock.now()
        )
        begun.append(opened.select(*_KEY, "expected"))
    known = _once(begun)
    needed = _once(list(lacking.values()))
    bars = known if request.overwrite_curated else needed
    made = [(request.timeframe, known)] if request.overwrite_features else []
    if request.outdated:
        bars = known.join(_outdated(platform, request, group.symbols), on=_KEY, how="semi")
        old = by_other_definitions(platform, group.symbols, request.timeframe, span)
        made.append((request.timeframe, old))
    if request.layer == CURATED:
        # Features stand on bars: where those are made, so are these, if there are any.
        made += [(t, _under_features(platform, t, bars)) for t in (group.timeframe, *group.also)]
    features = pl.concat(
        [
            pl.DataFrame(schema=_FEATURES),
            *(days.select(pl.lit(str(t)).alias("timeframe"), *_KEY) for t, days in made),
        ]
    )
    needed = _once([bars, known.join(features, on=_KEY, how="semi")])
    return Work(group, needed.sort(_KEY), lacking, known.height, later, bars, features)


def _under_features(platform: Platform, timeframe: Timeframe, bars: pl.DataFrame) -> pl.DataFrame:
    try:
        return under_features(platform, timeframe, bars)
    except StoreUnavailableError:
        # Nobody can tell now. Features too many are right ones; what is left out would stay old.
        days = bars.select(_KEY)
        return days if bar_groups(timeframe) else days.clear()


def _outdated(platform: Platform, request: BackfillRequest, symbols: Sequence[str]) -> pl.DataFrame:
    span = request.first, request.last
    found = by_other_rules(platform, symbols, request.timeframe, span)
    if not request.thorough:
        return found
    return pl.concat(
        [found, sessions_outdated(platform, symbols, [request.timeframe], span).select(_KEY)]
    ).unique()


def _once(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    schema = {"symbol": pl.String, "session": pl.Date, "expected": pl.Int64}
    return pl.concat([pl.DataFrame(schema=schema), *frames]).unique(_KEY)
