"""Duplicates: bars given twice, and vendors that contradict themselves.

What belongs here: counting repeated keys per symbol-session and reporting them. What does not:
which of two rows counts (market_data/revisions.py), what becomes of the others
(market_data/curation/curate.py).
"""

from __future__ import annotations

import polars as pl

from market_data.ordering import repeats_key
from market_data.quality.findings import KEY, SAMPLE_ROWS, WARN, CheckOutcome, findings
from market_data.quality.view import BarsView
from market_data.schemas import PRICES

CHECK = "duplicates"
_VALUES = (*PRICES, "volume")


def check_duplicates(view: BarsView) -> CheckOutcome:
    """Report rows that repeat a bar (code duplicate_rows) or contradict it (contradiction).

    Both warn. Counted are the bars of the slice that share symbol and start, and those of
    `view.duplicates`.
    """
    repeated = _repeated(view.ordered)
    counts = [_counts(repeated), _given(view.duplicates)]
    measured = (
        pl.concat(counts)
        .group_by(KEY)
        .agg(pl.col("duplicates", "contradictions").sum())
        .join(view.expected.select(KEY), on=KEY, how="full", coalesce=True)
        .with_columns(pl.col("duplicates", "contradictions").fill_null(0))
        .sort(KEY)
    )
    texts = {
        "duplicates": ("duplicate_rows", "{} row(s) repeat another of the same bar"),
        "contradictions": ("contradiction", "{} row(s) contradict another of the same bar"),
    }
    found = pl.concat(
        measured.filter(pl.col(column) > 0).select(
            *KEY,
            code=pl.lit(code),
            severity=pl.lit(WARN),
            value=pl.col(column).cast(pl.Float64),
            threshold=pl.lit(0.0),
            rows=column,
            detail=pl.format(text, column),
        )
        for column, (code, text) in texts.items()
    )
    sample = repeated.sort("session", "symbol", "ts").head(SAMPLE_ROWS)
    return CheckOutcome(findings(found, check=CHECK, dataset=view.dataset), sample, measured)


def _repeated(ordered: pl.DataFrame) -> pl.DataFrame:
    """All rows of the keys that come more than once, of bars sorted by (symbol, ts)."""
    wanted = [*KEY, "ts", *(c for c in ("vendor", "source") if c in ordered.columns), *_VALUES]
    again = repeats_key(ordered)
    if again is None:
        return ordered.clear().select(wanted)
    return ordered.filter(again | again.shift(-1).fill_null(value=False)).select(wanted)


def _counts(repeated: pl.DataFrame) -> pl.DataFrame:
    per_bar = repeated.group_by(*KEY, "ts").agg(
        extra=pl.len().cast(pl.Int64) - 1,
        different=pl.struct(_VALUES).n_unique().cast(pl.Int64) - 1,
    )
    return per_bar.group_by(KEY).agg(
        duplicates=(pl.col("extra") - pl.col("different")).sum(),
        contradictions=pl.col("different").sum(),
    )


def _given(frame: pl.DataFrame | None) -> pl.DataFrame:
    if frame is None:
        return pl.DataFrame(schema=_counts_schema())
    contradictions = (
        pl.col("contradictions") if "contradictions" in frame.columns else pl.lit(0)
    ).cast(pl.Int64)
    return frame.select(
        *KEY,
        pl.col("rows").cast(pl.Int64).alias("duplicates"),
        contradictions.alias("contradictions"),
    )


def _counts_schema() -> dict[str, pl.DataType]:
    return {
        "symbol": pl.String(),
        "session": pl.Date(),
        "duplicates": pl.Int64(),
        "contradictions": pl.Int64(),
    }
