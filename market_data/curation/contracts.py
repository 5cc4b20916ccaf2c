"""The contract of curated bars at the write boundary, as a pandera schema.

What belongs here: the promise that every writer is held to, in a form that tools can read and
show. What does not: rules about values that decide what is quarantined (market_data/validation.py).

Pandera pulls in pandas and more: import this module where a frame is written, not at start-up.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

import polars as pl

from market_data.errors import SchemaError
from market_data.schemas import CURATED_BARS, FrameSchema

if TYPE_CHECKING:
    from pandera.polars import DataFrameSchema


@cache
def schema_of(frame_schema: FrameSchema) -> DataFrameSchema:
    """The pandera schema of a kind of frame: names, order, types, and which cells may be empty."""
    import pandera.polars as pa

    return pa.DataFrameSchema(
        {
            c.name: pa.Column(cast("type", c.dtype), nullable=c.nullable, description=c.description)
            for c in frame_schema.columns
        },
        strict=True,
        ordered=True,
        name=frame_schema.name,
    )


def check_curated(bars: pl.DataFrame) -> pl.DataFrame:
    """The same frame, if it keeps the contract of curated bars.

    Raises:
        SchemaError: naming every column that is missing, surplus, out of place, of another type,
            or empty where it may not be.
    """
    from pandera.errors import SchemaErrors

    try:
        schema_of(CURATED_BARS).validate(bars, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.select("column", "check", "failure_case").unique()
        found = "; ".join(
            # a fault of the frame as a whole names the column in its case
            f"{case if column == CURATED_BARS.name else column}: {check}"
            for column, check, case in cases.sort("column", "check", "failure_case").rows()
        )
        raise SchemaError(f"curated bars break their contract: {found}") from error
    return bars
