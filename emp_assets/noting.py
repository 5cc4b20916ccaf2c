"""Noting what the warehouse could not take, so that it is made later.

What belongs here: the note around a step's writes. What does not: making it (jobs/failover.py),
when the warehouse counts as away (market_data/failover).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

import dagster as dg

from market_data.errors import StoreUnavailableError
from market_data.failover.state import MissedSlice
from market_data.timeframes import Timeframe
from resources.platform import PlatformResource


@contextmanager
def noted_table(
    context: dg.AssetExecutionContext, platform: PlatformResource, *skipped: dg.AssetKey
) -> Iterator[None]:
    """The same for a table that is replaced whole: it is published as it is then.

    Args:
        context: of the step, which makes one asset.
        platform: whose operations database takes the note.
        skipped: tables whose steps Dagster does not even begin once this one has failed; to publish
            one that was not asked for does no harm.

    Raises:
        StoreUnavailableError: what the block raised.
    """
    now = platform.open().clock.now()
    today = now.date()
    try:
        with noted(context, platform, None, (), (today, today)):
            yield
    except StoreUnavailableError:
        failover = platform.operations.open().failover
        for key in skipped:
            run, name = context.run.run_id, key.to_user_string()
            failover.note(MissedSlice(name, None, (), today, today, run, now))
        raise


@contextmanager
def noted(
    context: dg.AssetExecutionContext,
    platform: PlatformResource,
    timeframe: Timeframe | None,
    symbols: Sequence[str],
    sessions: tuple[date, date],
) -> Iterator[None]:
    """Note the slice of a step whose warehouse does not answer; the step fails as it would have.

    Args:
        context: of the step, which makes one asset.
        platform: whose operations database takes the note.
        timeframe: of the bars; None for scores.
        symbols: of the slice.
        sessions: first and last session.

    Raises:
        StoreUnavailableError: what the block raised.
    """
    try:
        yield
    except StoreUnavailableError:
        dataset = context.asset_key.to_user_string()
        now = platform.open().clock.now()
        missed = MissedSlice(dataset, timeframe, tuple(symbols), *sessions, context.run.run_id, now)
        number = platform.operations.open().failover.note(missed)
        context.log.warning(
            "%s from %s to %s is noted as missed slice %d: it is made when the warehouse answers "
            "again ('emp failover status')",
            dataset,
            *sessions,
            number,
        )
        raise
