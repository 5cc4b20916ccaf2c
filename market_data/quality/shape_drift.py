"""Schema drift: a vendor's answers have another shape than before.

What belongs here: from changes of shape to findings. What does not: finding the changes
(market_data/answer_shapes.py), the shape of what is stored (schema.py).
"""

from __future__ import annotations

import polars as pl

from market_data.quality.findings import ERROR, SAMPLE_ROWS, WARN, CheckOutcome, findings

CHECK = "schema"
CODE = "schema_drift"
SEVERAL = "*"
"""Symbol of a finding about an answer of several symbols."""


def check_shape_drift(changes: pl.DataFrame, *, dataset: str) -> CheckOutcome:
    """Report changes of shape (code schema_drift).

    A field that bars are made of and that is gone, or of another kind, is an error; any other
    change is a warning.

    Args:
        changes: rows of `market_data.ports.shapes.CHANGES`.
        dataset: name of the raw bars.

    Returns:
        An outcome without `measured`, one finding per change; `rows` counts one.
    """
    told = changes.unique(["path", "change", "detail"], keep="first", maintain_order=True)
    spoils = pl.col("read") & (pl.col("change") != "new")
    judged = told.with_columns(
        symbol=pl.when(pl.col("symbol") == "").then(pl.lit(SEVERAL)).otherwise("symbol"),
        code=pl.lit(CODE),
        severity=pl.when(spoils).then(pl.lit(ERROR)).otherwise(pl.lit(WARN)),
        value=pl.lit(None, pl.Float64),
        threshold=pl.lit(None, pl.Float64),
        rows=pl.lit(1, pl.Int64),
    )
    return CheckOutcome(
        findings(judged, check=CHECK, dataset=dataset),
        judged.select("symbol", "session", "path", "change", "fetch_id").head(SAMPLE_ROWS),
    )
