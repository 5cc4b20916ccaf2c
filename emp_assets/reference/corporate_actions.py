"""Corporate actions: splits and dividends as they became known, one row per fact.

Vendors report them along with bars, and files bring them ('emp actions import'). Curation and
adjustment read them where they are written; this asset publishes what they read.
"""

import dagster as dg

from emp_assets.metadata import column_schema, table
from emp_assets.naming import ACTIONS_KEY, OWNERS
from emp_assets.noting import noted_table
from market_data.corporate_actions.conflicts import conflicts
from market_data.pipeline.publishing import reference_table
from market_data.schemas import CORPORATE_ACTIONS
from resources.platform import PlatformResource


@dg.asset(
    key=ACTIONS_KEY,
    group_name="reference",
    kinds={"polars", "deltalake"},
    owners=OWNERS,
    description=__doc__,
    metadata={"dagster/column_schema": column_schema(CORPORATE_ACTIONS)},
)
def corporate_actions(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> dg.MaterializeResult[None]:
    """Publish every corporate action that is known now."""
    opened, name = platform.open(), ACTIONS_KEY.to_user_string()
    frame = reference_table(opened, name)
    contradictions = conflicts(opened.actions.statements(), frame)
    with noted_table(context, platform):
        changed = platform.reference().put(name, frame)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": frame.height,
            "changed": changed,
            "rows": table(frame, rows=50),
            "conflicts": contradictions.height,
            "conflicting_sources": table(contradictions, rows=50),
        }
    )
