"""Noting what the warehouse could not take, so that it is made later.

What belongs here: the note around a step's writes. What does not: making it (jobs/failover.py),
when the warehouse counts as away (market_data/failover).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import date, datetime

import dagster as dg

from emp_assets.naming import SCORES_KEY, curated_key
from emp_assets.retrying import LeftToReplayError
from market_data.errors import StoreUnavailableError
from market_data.failover.state import MissedSlice, Standing
from market_data.pipeline.missed_features import features_of, timeframes_of
from market_data.ports.failover import Failover
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

    So are the features that its run would have made of it: Dagster does not even begin their steps.

    Args:
        context: of the step, which makes one asset.
        platform: whose operations database takes the note.
        timeframe: of the bars; None for scores.
        symbols: of the slice.
        sessions: first and last session.

    Raises:
        StoreUnavailableError: what the block raised.
        LeftToReplayError: the same, while the warehouse counts as away.
    """
    try:
        yield
    except StoreUnavailableError as error:
        dataset = context.asset_key.to_user_string()
        now = platform.open().clock.now()
        missed = MissedSlice(dataset, timeframe, tuple(symbols), *sessions, context.run.run_id, now)
        failover = platform.operations.open().failover
        number = failover.note(missed)
        _note_features(context, failover, symbols, sessions, now)
        context.log.warning(
            "%s from %s to %s is noted as missed slice %d: it is made when the warehouse answers "
            "again ('emp failover status')",
            dataset,
            *sessions,
            number,
        )
        _leave_to_replay(failover, error)
        raise


@contextmanager
def noted_features(
    context: dg.AssetExecutionContext,
    platform: PlatformResource,
    symbols: Sequence[str],
    sessions: tuple[date, date],
) -> Iterator[None]:
    """The same for a step that makes features, or what is made of them.

    Args:
        context: of the step.
        platform: whose operations database takes the note.
        symbols: of the slice.
        sessions: first and last session.

    Raises:
        StoreUnavailableError: what the block raised.
        LeftToReplayError: the same, while the warehouse counts as away.
    """
    try:
        yield
    except StoreUnavailableError as error:
        now = platform.open().clock.now()
        failover = platform.operations.open().failover
        numbers = _note_features(context, failover, symbols, sessions, now)
        for number in numbers:
            context.log.warning("features from %s to %s: missed slice %d", *sessions, number)
        if numbers:
            _leave_to_replay(failover, error)
        raise


@contextmanager
def noted_checks(
    context: dg.AssetCheckExecutionContext,
    platform: PlatformResource,
    asset: dg.AssetKey,
    symbols: Sequence[str],
    sessions: tuple[date, date],
) -> Iterator[None]:
    """The same for the checks of an asset: what is behind them does not even begin.

    Args:
        context: of the step.
        platform: whose operations database takes the notes.
        asset: that is checked.
        symbols: of the run; empty for all.
        sessions: first and last session.

    Raises:
        StoreUnavailableError: what the block raised.
    """
    try:
        yield
    except StoreUnavailableError:
        opened, failover = platform.open(), platform.operations.open().failover
        names = tuple(symbols) or tuple(i.symbol for i in opened.universe.instruments)
        run, now = context.op_execution_context.run_id, opened.clock.now()
        for dataset, timeframe in _behind(context, asset):
            failover.note(MissedSlice(dataset, timeframe, names, *sessions, run, now))
        _note_features(context, failover, names, sessions, now)
        raise


def _behind(
    context: dg.AssetCheckExecutionContext, asset: dg.AssetKey
) -> list[tuple[str, Timeframe | None]]:
    """Bars and scores that wait for the checks of an asset: bars are scored with their slice."""
    selected = _selected(context)
    chosen = selected if asset.path[0] == "raw" else selected & {asset}
    if SCORES_KEY in chosen and asset == SCORES_KEY:
        return [(SCORES_KEY.to_user_string(), None)]
    bars = {curated_key(timeframe): timeframe for timeframe in Timeframe}
    return [(key.to_user_string(), bars[key]) for key in bars if key in chosen]


def _selected(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
) -> AbstractSet[dg.AssetKey]:
    return context.op_execution_context.job_def.asset_layer.selected_asset_keys


def _note_features(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
    failover: Failover,
    symbols: Sequence[str],
    sessions: tuple[date, date],
    now: datetime,
) -> list[int]:
    """Note all features that the run of a step is to make; the numbers of their slices."""
    chosen = [key.to_user_string() for key in _selected(context)]
    run = context.op_execution_context.run_id
    return [
        failover.note(MissedSlice(features_of(t), t, tuple(symbols), *sessions, run, now))
        for t in timeframes_of(chosen)
    ]


def _leave_to_replay(failover: Failover, error: StoreUnavailableError) -> None:
    if failover.standing() is Standing.AWAY:
        raise LeftToReplayError(str(error)) from error
