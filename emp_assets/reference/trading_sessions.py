"""Trading sessions of every calendar that an instrument uses: open, close, break, early close.

One row per calendar and session, UTC, from the universe's first session to a year ahead.
"""

from datetime import timedelta

import dagster as dg
import polars as pl

from emp_assets.metadata import column_schema, table
from emp_assets.naming import INSTRUMENTS_KEY, OWNERS, SESSIONS_KEY
from market_data.calendars import trading_sessions as sessions_of
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
def trading_sessions(platform: PlatformResource) -> dg.MaterializeResult[None]:
    """Publish the sessions of the universe's calendars."""
    opened = platform.open()
    first = opened.universe.first_session
    last = (opened.clock.now() + timedelta(days=365)).date()
    calendars = sorted({i.calendar for i in opened.universe.instruments})
    frame = pl.concat(sessions_of(calendar, first, last) for calendar in calendars)
    changed = platform.reference().put("/".join(SESSIONS_KEY.path), frame)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": frame.height,
            "changed": changed,
            "calendars": ", ".join(calendars),
            "last_rows": table(frame.tail(10)),
        }
    )
