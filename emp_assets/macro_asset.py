"""What the assets of macro releases share: ranged runs, numbers per session, FRED being off.

What belongs here: from what one of them made to its materialisation, and its checks.
What does not: what each of them does (raw/fred_releases.py, raw/fred_observations.py,
curated/macro_calendar.py).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from emp_assets.bar_checks import session_checks
from emp_assets.metadata import add_session_metadata, column_schema, materialised, run_range
from emp_assets.naming import OWNERS, vendor_pool
from emp_assets.noting import noted
from emp_assets.pacing import await_turn
from emp_assets.partitions import ONE_RUN, announced_partitions, session_range
from emp_assets.retrying import retried
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.schemas import FrameSchema
from market_data.universe import Universe
from resources.platform import PlatformResource


@dataclass(frozen=True)
class Made:
    """What a run of one of these assets made.

    Attributes:
        symbols: that it is about.
        sessions: column session, `rows`, and further numbers of each session.
        numbers: of the whole run.
        drawings: tables.
    """

    symbols: Sequence[str]
    sessions: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"session": pl.Date, "rows": pl.Int64})
    )
    numbers: Mapping[str, Any] = field(default_factory=dict)
    drawings: Mapping[str, Any] = field(default_factory=dict)


Make = Callable[[dg.AssetExecutionContext, Platform, date, date], Made]
"""Makes a range of sessions."""


def macro_asset(
    universe: Universe,
    make: Make,
    *,
    key: dg.AssetKey,
    deps: Sequence[dg.AssetKey] = (),
    schema: FrameSchema,
    description: str | None,
) -> dg.AssetsDefinition:
    """An asset with a session per day and a quarter of sessions ahead.

    Args:
        universe: its first session is the first partition.
        make: makes a range.
        key: of the asset; its first part is its group.
        deps: what it is made of.
        schema: of its rows.
        description: for the UI.
    """

    @dg.asset(
        key=key,
        deps=list(deps),
        group_name=key.path[0],
        partitions_def=announced_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        # Those of the raw layer ask FRED, as its daily bars do.
        pool=vendor_pool("fred") if key.path[0] == "raw" else None,
        description=description,
        metadata={"dagster/column_schema": column_schema(schema)},
    )
    def asset(
        context: dg.AssetExecutionContext, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        first, last = session_range(context.partition_keys)
        if key.path[0] == "raw":
            await_turn(context)
        with retried(context), _noted(context, platform, (first, last)):
            made = make(context, platform.open(), first, last)
        per_session = {
            row.pop("session"): {"dagster/partition_row_count": row.pop("rows"), **row}
            for row in made.sessions.to_dicts()
        }
        if per_session:
            add_session_metadata(context, first, last, per_session)
        return materialised(
            context,
            first,
            last,
            numbers={**run_range(first, last, made.symbols), **made.numbers},
            drawings=dict(made.drawings),
        )

    return asset


def _noted(
    context: dg.AssetExecutionContext, platform: PlatformResource, sessions: tuple[date, date]
) -> AbstractContextManager[None]:
    """Only what is curated is written to the warehouse."""
    if context.asset_key.path[0] == "raw":
        return nullcontext()
    return noted(context, platform, None, (), sessions)


def unless_off(make: Make, *, level: int = logging.WARNING) -> Make:
    """The same, where FRED can be asked; else nothing, and a line in the log."""

    def careful(
        context: dg.AssetExecutionContext, platform: Platform, first: date, last: date
    ) -> Made:
        if reason := platform.macro.off():
            context.log.log(level, "FRED is off: %s; nothing was asked of it", reason)
            return Made((), numbers={"off": reason})
        return make(context, platform, first, last)

    return careful


def macro_checks(
    universe: Universe,
    key: dg.AssetKey,
    inspect: Callable[[Platform, date, date], Inspection],
    descriptions: Mapping[str, str],
) -> dg.AssetChecksDefinition:
    """The checks of such an asset."""
    partitions = announced_partitions(universe.first_session)
    return session_checks(key, partitions, inspect, dict(descriptions), "macro")
