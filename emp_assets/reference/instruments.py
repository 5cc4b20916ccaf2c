"""Instruments: permanent symbol, calendar, currency, asset class, listing and delisting dates.

Published from config/universe.yaml and from what command lines registered beside the data.
"""

import dagster as dg
import polars as pl

from emp_assets.metadata import column_schema, table
from emp_assets.naming import INSTRUMENTS_KEY, OWNERS
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
def instruments(platform: PlatformResource) -> dg.MaterializeResult[None]:
    """Publish the instruments of the universe."""
    universe = platform.open().universe
    frame = pl.DataFrame(
        [
            {
                "symbol": i.symbol,
                "name": i.name,
                "asset_class": str(i.asset_class),
                "calendar": i.calendar,
                "currency": i.currency,
                "listed": i.listed,
                "delisted": i.delisted,
                "vendors": ",".join(v.name for v in universe.vendors if universe.serves(v, i)),
                "assumed": i.assumed,
            }
            for i in universe.instruments
        ],
        schema=INSTRUMENTS.dtypes,
    ).sort("symbol")
    changed = platform.reference().put("/".join(INSTRUMENTS_KEY.path), frame)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": frame.height,
            "changed": changed,
            "rows": table(frame, rows=50),
        }
    )
