"""Schema: whether the stored frame has the columns, types and filled cells that it promises.

What belongs here: the comparison with the dataset's FrameSchema, told per symbol-session. What
does not: values (ohlc.py), the definition of columns (market_data/schemas).
"""

from __future__ import annotations

import polars as pl

from market_data.errors import SchemaError
from market_data.quality.findings import ERROR, KEY, SAMPLE_ROWS, CheckOutcome, findings
from market_data.schemas import FINDINGS, FrameSchema

CHECK = "schema"


def check_schema(
    frame: pl.DataFrame, schema: FrameSchema, *, dataset: str, expected: pl.DataFrame
) -> CheckOutcome:
    """Compare a frame with its schema.

    Code: schema (error). Wrong columns or types concern every expected symbol-session, empty
    cells those that hold them.

    Args:
        frame: the stored rows.
        schema: what they must look like.
        dataset: its name.
        expected: symbol, session of the slice.
    """
    measured = expected.select(KEY).unique().sort(KEY)
    try:
        schema.check(frame)
    except SchemaError as error:
        found, rows = _empty_cells(frame, schema)
        if found.is_empty():
            found, rows = _everywhere(measured, frame.height, str(error)), frame.head(SAMPLE_ROWS)
        return CheckOutcome(findings(found, check=CHECK, dataset=dataset), rows, measured)
    return CheckOutcome(FINDINGS.empty(), frame.clear(), measured)


def not_judged(check: str, schema: CheckOutcome) -> CheckOutcome:
    """The outcome of a check that the shape of the frame made impossible."""
    found = schema.findings.with_columns(
        check=pl.lit(check),
        code=pl.lit("not_judged"),
        detail=pl.format("could not be judged: {}", "detail"),
    )
    return CheckOutcome(found, schema.rows, schema.measured)


def _empty_cells(frame: pl.DataFrame, schema: FrameSchema) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with empty cells by symbol-session; nothing where more than that is wrong."""
    required = [c.name for c in schema.columns if not c.nullable]
    whole = frame.columns == schema.names and dict(frame.schema) == schema.dtypes
    if not whole or frame.select(pl.col(KEY).null_count()).sum_horizontal().item():
        return FINDINGS.empty(), frame.clear()
    rows = frame.filter(pl.any_horizontal(pl.col(required).is_null()))
    found = rows.group_by(KEY).agg(
        rows=pl.len(),
        detail=pl.format(
            "empty cells in {}",
            pl.concat_list(pl.when(pl.col(c).is_null().any()).then(pl.lit(c)) for c in required)
            .list.drop_nulls()
            .list.join(", "),
        ),
    )
    return _as_findings(found), rows.sort("session", "symbol").head(SAMPLE_ROWS)


def _everywhere(keys: pl.DataFrame, rows: int, detail: str) -> pl.DataFrame:
    return _as_findings(keys.with_columns(rows=pl.lit(rows), detail=pl.lit(detail)))


def _as_findings(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        code=pl.lit(CHECK), severity=pl.lit(ERROR), value=None, threshold=None
    )
