"""The checks of feature datasets: complete, made of these bars, filled, steady.

What belongs here: judging stored rows against what they would be now, and against the sessions
before. What does not: gathering either (market_data/pipeline/feature_inspection.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from market_data.quality.findings import ERROR, KEY, SAMPLE_ROWS, WARN, CheckOutcome, findings
from market_data.quality.schema import check_schema, not_judged
from market_data.schemas import FrameSchema

CHECKS = {
    "schema": "Columns and types are those that the dataset promises.",
    "coverage": "Every bar that features can be made of has its row.",
    "staleness": "Rows are what the stored bars and the definitions in force give.",
    "null_rate": "No more cells are empty than in the sessions before.",
    "drift": "The mean of a feature does not leave the range of the sessions before.",
}
HISTORY_SESSIONS = 20
LEAST_HISTORY = 5
"""Sessions that a session is compared with, at most and at least."""
NULL_WARN, NULL_ERROR = 0.1, 0.5
"""Rise of the share of empty cells of a column over that of the sessions before. Own choice."""
SHIFT = 20.0
"""Robust deviations from the median of the sessions before. Own choice: of bounded features none
gets there, of returns a crash does."""
_LEAST_DEVIATION = 1e-12


def evaluate_features(
    stored: pl.DataFrame,
    now: pl.DataFrame,
    history: pl.DataFrame,
    *,
    dataset: str,
    schema: FrameSchema,
    key: Sequence[str],
    judged: Mapping[str, bool],
    sessions: tuple[date, date],
) -> dict[str, CheckOutcome]:
    """Judge the features of a range of sessions.

    Codes: schema (error); coverage features_missing (error); staleness features_outdated (warn:
    other values than the bars give now, or rows of bars that are gone) and features_redefined
    (warn); null_rate feature_nulls (warn, error); drift feature_shift (warn).

    Args:
        stored: rows of the range.
        now: the same rows as they would be made now.
        history: rows of the range and of the sessions before it.
        dataset: its name.
        schema: of the rows.
        key: columns that name a row.
        judged: columns whose empty cells are compared with those before, and whether their mean
            is as well.
        sessions: first and last session judged.

    Returns:
        One outcome per name of CHECKS.
    """
    held = now.select(KEY).unique()
    shape = check_schema(stored, schema, dataset=dataset, expected=held)
    if stored.columns != schema.names or dict(stored.schema) != schema.dtypes:
        return {"schema": shape} | {n: not_judged(n, shape) for n in CHECKS if n != "schema"}
    compared = _compared(stored, now, key)
    steady = [name for name, compared_mean in judged.items() if compared_mean]
    means = _per_session(history, judged)
    return {
        "schema": shape,
        "coverage": _coverage(compared, dataset),
        "staleness": _staleness(compared, dataset),
        "null_rate": _null_rate(means, dataset, sessions),
        "drift": _drift(means.filter(pl.col("feature").is_in(steady)), dataset, sessions),
    }


def _compared(stored: pl.DataFrame, now: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The keys of both, and whether a row is there, should be there, differs, is redefined."""
    on = list(dict.fromkeys([*key, "session"]))
    cells = [c for c in now.columns if c not in (*on, "definition")]
    both = stored.with_columns(_stored=pl.lit(value=True)).join(
        now.with_columns(_now=pl.lit(value=True)), on=on, how="full", coalesce=True
    )
    there, due = pl.col("_stored").is_not_null(), pl.col("_now").is_not_null()
    redefined = pl.lit(value=False)
    if "definition" in now.columns:
        redefined = there & due & (pl.col("definition") != pl.col("definition_right"))
    differs = pl.any_horizontal(pl.lit(value=False), *(_differs(c) for c in cells))
    return both.select(
        *on,
        missing=due & ~there,
        redefined=redefined.fill_null(value=False),
        outdated=there & (~due | (differs & ~redefined.fill_null(value=False))),
        due=due,
    )


def _differs(column: str) -> pl.Expr:
    return pl.col(column).ne_missing(pl.col(f"{column}_right"))


def _outcome(check: str, dataset: str, found: pl.DataFrame, measured: pl.DataFrame) -> CheckOutcome:
    sample = found.sort("session", "symbol").head(SAMPLE_ROWS)
    return CheckOutcome(findings(found, check=check, dataset=dataset), sample, measured)


def _coverage(compared: pl.DataFrame, dataset: str) -> CheckOutcome:
    measured = (
        compared.filter(pl.col("due"))
        .group_by(KEY)
        .agg(expected=pl.len().cast(pl.Int64), missing=pl.col("missing").sum().cast(pl.Int64))
        .with_columns(
            observed=pl.col("expected") - pl.col("missing"),
            coverage=1 - pl.col("missing") / pl.col("expected"),
        )
        .sort(KEY)
    )
    found = measured.filter(pl.col("missing") > 0).with_columns(
        code=pl.lit("features_missing"),
        severity=pl.lit(ERROR),
        value="coverage",
        threshold=pl.lit(1.0),
        rows="missing",
        detail=pl.format("{} of {} rows are not there", "missing", "expected"),
    )
    return _outcome("coverage", dataset, found, measured)


def _staleness(compared: pl.DataFrame, dataset: str) -> CheckOutcome:
    measured = (
        compared.group_by(KEY)
        .agg(pl.col("outdated", "redefined").sum().cast(pl.Int64), rows=pl.len())
        .sort(KEY)
    )
    cases = (
        ("outdated", "features_outdated", "{} rows are not what the stored data give now"),
        ("redefined", "features_redefined", "{} rows are by another definition"),
    )
    found = pl.concat(
        measured.filter(pl.col(column) > 0).with_columns(
            code=pl.lit(code),
            severity=pl.lit(WARN),
            value=pl.col(column).cast(pl.Float64),
            threshold=pl.lit(0.0),
            rows=column,
            detail=pl.format(text, column),
        )
        for column, code, text in cases
    )
    return _outcome("staleness", dataset, found, measured)


def _per_session(history: pl.DataFrame, judged: Mapping[str, bool]) -> pl.DataFrame:
    """symbol, session, feature, nulls (share), mean where it is compared; one row per column."""
    schema = {"symbol": pl.String, "session": pl.Date, "feature": pl.String}
    if not judged or history.is_empty():
        return pl.DataFrame(schema=schema | {"nulls": pl.Float64, "mean": pl.Float64})
    nothing = pl.lit(None, dtype=pl.Float64)
    counted = history.group_by(KEY).agg(
        *((pl.col(n).null_count() / pl.len()).alias(f"nulls of {n}") for n in judged),
        *(
            (pl.col(n).cast(pl.Float64).mean() if steady else nothing).alias(f"mean of {n}")
            for n, steady in judged.items()
        ),
    )
    told = [
        counted.select(*KEY, nulls=f"nulls of {n}", mean=f"mean of {n}", feature=pl.lit(n))
        for n in judged
    ]
    return pl.concat(told).sort("symbol", "feature", "session")


def _null_rate(means: pl.DataFrame, dataset: str, sessions: tuple[date, date]) -> CheckOutcome:
    usual = (
        pl.col("nulls")
        .shift()
        .rolling_mean(HISTORY_SESSIONS, min_samples=LEAST_HISTORY)
        .over("symbol", "feature")
    )
    measured = means.with_columns(rise=pl.col("nulls") - usual).filter(
        pl.col("session").is_between(*sessions)
    )
    worst = (
        measured.filter(pl.col("rise") > NULL_WARN)
        .sort("rise", "feature")
        .group_by(KEY, maintain_order=True)
        .agg(
            rows=pl.len(), value=pl.col("nulls").last(), rise=pl.col("rise").last(),
            worst=pl.col("feature").last(),
        )
    )  # fmt: skip
    error = pl.col("rise") > NULL_ERROR
    found = worst.with_columns(
        code=pl.lit("feature_nulls"),
        severity=pl.when(error).then(pl.lit(ERROR)).otherwise(pl.lit(WARN)),
        threshold=pl.when(error).then(NULL_ERROR).otherwise(NULL_WARN),
        detail=pl.format(
            "{} of the cells of {} are empty, {} more than in the sessions before; {} columns rose",
            pl.col("value").round(3),
            "worst",
            pl.col("rise").round(3),
            "rows",
        ),
    )
    return _outcome("null_rate", dataset, found, measured.select(*KEY, "feature", "nulls", "rise"))


def _drift(means: pl.DataFrame, dataset: str, sessions: tuple[date, date]) -> CheckOutcome:
    groups = ["symbol", "feature"]
    before = pl.col("mean").shift()
    middle = before.rolling_median(HISTORY_SESSIONS, min_samples=LEAST_HISTORY).over(groups)
    away = means.with_columns(middle=middle).with_columns(
        away=(pl.col("mean") - pl.col("middle")).abs()
    )
    usual = (
        pl.col("away")
        .shift()
        .rolling_median(HISTORY_SESSIONS, min_samples=LEAST_HISTORY)
        .over(groups)
    )
    scale = 1.4826 * usual + _LEAST_DEVIATION + 1e-6 * pl.col("middle").abs()
    measured = away.with_columns(deviations=pl.col("away") / scale).filter(
        pl.col("session").is_between(*sessions)
    )
    worst = (
        measured.filter(pl.col("deviations") > SHIFT)
        .sort("deviations", "feature")
        .group_by(KEY, maintain_order=True)
        .agg(
            rows=pl.len(), value=pl.col("deviations").last(), worst=pl.col("feature").last(),
            mean=pl.col("mean").last(), middle=pl.col("middle").last(),
        )
    )  # fmt: skip
    found = worst.with_columns(
        code=pl.lit("feature_shift"),
        severity=pl.lit(WARN),
        threshold=pl.lit(SHIFT),
        detail=pl.format(
            "the mean of {} is {}, in the sessions before it was about {}; {} columns moved",
            "worst",
            pl.col("mean").round(6),
            pl.col("middle").round(6),
            "rows",
        ),
    )
    return _outcome("drift", dataset, found, measured.select(*KEY, "feature", "mean", "deviations"))
