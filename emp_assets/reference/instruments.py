"""Instruments: permanent symbol, calendar, currency, asset class, listing and delisting dates.

With vendors' names for them, by session where they changed. Published from config/universe.yaml,
config/reference/instruments.yaml, and what command lines registered beside the data. A symbol that
is new shows as gaps, although the partitions of the bars are green: they were made before it.
"""

import dagster as dg

from emp_assets.metadata import column_schema, markdown_table, table
from emp_assets.naming import INSTRUMENTS_KEY, OWNERS, SESSIONS_KEY
from emp_assets.noting import noted_table
from emp_assets.reference.published import published
from market_data.pipeline.publishing import reference_table
from market_data.pipeline.reference_impact import changed_instruments, find_gaps
from market_data.schemas import INSTRUMENTS
from resources.platform import PlatformResource


@dg.asset(
    key=INSTRUMENTS_KEY,
    group_name="reference",
    kinds={"polars", "deltalake"},
    owners=OWNERS,
    description=__doc__,
    metadata={"dagster/column_schema": column_schema(INSTRUMENTS)},
)
def instruments(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> dg.MaterializeResult[None]:
    """Publish the instruments of the universe."""
    opened, name = platform.open(), INSTRUMENTS_KEY.to_user_string()
    frame = reference_table(opened, name)
    with noted_table(context, platform, SESSIONS_KEY):
        store = platform.reference()
        differing = changed_instruments(opened.universe, published(store, INSTRUMENTS_KEY))
        changed = store.put(name, frame)
    gaps = find_gaps(opened)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": frame.height,
            "changed": changed,
            "rows": table(frame, rows=50),
            "changed_instruments": table(differing, rows=50),
            "missing_sessions": int(gaps["missing"].sum()),
            "gaps": markdown_table(gaps.sort("missing", descending=True)),
        }
    )
