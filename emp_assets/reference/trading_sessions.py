"""Trading sessions of every calendar that an instrument uses: open, close, break, early close.

One row per calendar and session, UTC, from the universe's first session to a year ahead. Days that
config/reference/holidays.yaml closes have no row; what it says of others is in the row. A run
lists the sessions that moved since the last one, and the stored sessions that this puts out of
date: curate them again ('emp reference check' lists them all).
"""

from typing import Any

import dagster as dg

from emp_assets.metadata import column_schema, markdown_table, table
from emp_assets.naming import INSTRUMENTS_KEY, OWNERS, SESSIONS_KEY
from emp_assets.noting import noted_table
from emp_assets.reference.published import published
from market_data.calendars import calendar_name
from market_data.pipeline.publishing import reference_table
from market_data.pipeline.reference_impact import ReferenceImpact, published_span, reference_impact
from market_data.reference.tables import calendars_of, closed_table
from market_data.schemas import TRADING_SESSIONS
from resources.platform import PlatformResource


@dg.asset(
    key=SESSIONS_KEY,
    deps=[INSTRUMENTS_KEY],
    group_name="reference",
    kinds={"polars", "deltalake"},
    owners=OWNERS,
    description=__doc__,
    metadata={"dagster/column_schema": column_schema(TRADING_SESSIONS)},
)
def trading_sessions(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> dg.MaterializeResult[None]:
    """Publish the sessions of the universe's calendars."""
    opened, name = platform.open(), SESSIONS_KEY.to_user_string()
    universe = opened.universe
    first, last = published_span(universe, opened.clock.now().date())
    frame = reference_table(opened, name)
    with noted_table(context, platform):
        store = platform.reference()
        impact = reference_impact(
            opened,
            published(store, INSTRUMENTS_KEY),
            published(store, SESSIONS_KEY),
            with_gaps=False,
        )
        for line in impact.sentences():
            context.log.warning(line)
        changed = store.put(name, frame)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": frame.height,
            "changed": changed,
            "calendars": ", ".join(calendar_name(c) for c in calendars_of(universe)),
            "last_rows": table(frame.tail(10)),
            "closed_by_configuration": table(closed_table(universe, first, last), rows=50),
            "moved_sessions": table(impact.moved, rows=50),
            **_out_of_date(impact),
        }
    )


def _out_of_date(impact: ReferenceImpact) -> dict[str, Any]:
    by_symbol = (
        impact.outdated.group_by("dataset", "symbol", "reason", maintain_order=True)
        .len("sessions")
        .sort("sessions", descending=True)
    )
    return {
        "sessions_out_of_date": impact.outdated.height,
        "out_of_date": markdown_table(by_symbol),
        "out_of_date_sessions": table(impact.outdated, rows=50),
    }
