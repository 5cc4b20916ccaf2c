"""The checks of predictions alone: complete, of these features, of one version, and not empty.

What belongs here: judging stored predictions against the rows that a model would be asked about
now, and series without any value. What does not: gathering either
(market_data/pipeline/prediction_inspection.py), values that become empty and leaps of the mean,
which are judged as those of features are (checks.py).
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from market_data.features.checks import CHECKS as FEATURE_CHECKS
from market_data.quality.findings import ERROR, KEY, SAMPLE_ROWS, WARN, CheckOutcome, findings

CHECKS = {
    "schema": FEATURE_CHECKS["schema"],
    "coverage": "Every row of the features that a model was asked about has its prediction.",
    "staleness": "Predictions are of the features that are stored, of the definitions in force, "
    "and of the version of their model that speaks last.",
    "null_rate": "No model is without any value, and no more values are empty than in the sessions "
    "before.",
    "drift": "The mean of a prediction does not leave the range of the sessions before.",
}
SERIES = ["timeframe", "model", "model_version", "output"]
"""What a series of predictions is."""
_BAR = ["symbol", "ts", "session"]
_SHOWN = [*KEY, "ts", *SERIES]


def judge_coverage(stored: pl.DataFrame, due: pl.DataFrame, dataset: str) -> CheckOutcome:
    """Predictions that are not there. Code: predictions_missing (error).

    Args:
        stored: rows of PREDICTIONS.
        due: columns of SERIES, symbol, ts, session: what there should be a row of.
        dataset: its name.
    """
    there = stored.select(*SERIES, *_BAR).with_columns(there=pl.lit(value=True))
    both = due.join(there, on=[*SERIES, *_BAR], how="left")
    lacks = pl.col("there").is_null()
    measured = (
        both.group_by(KEY)
        .agg(
            expected=pl.len().cast(pl.Int64),
            missing=lacks.sum().cast(pl.Int64),
            models=_named().filter(lacks).unique().sort().str.join(", "),
        )
        .with_columns(
            observed=pl.col("expected") - pl.col("missing"),
            coverage=1 - pl.col("missing") / pl.col("expected"),
        )
        .sort(KEY)
    )
    found = measured.filter(pl.col("missing") > 0).with_columns(
        code=pl.lit("predictions_missing"),
        severity=pl.lit(ERROR),
        value="coverage",
        threshold=pl.lit(1.0),
        rows="missing",
        detail=pl.format("{} of {} are not there: {}", "missing", "expected", "models"),
    )
    lost = both.filter(lacks).sort("session", "symbol", "ts", *SERIES).select(_SHOWN)
    return CheckOutcome(
        findings(found, check="coverage", dataset=dataset), lost.head(SAMPLE_ROWS), measured
    )


def judge_staleness(
    stored: pl.DataFrame,
    inputs: pl.DataFrame,
    speaking: pl.DataFrame,
    *,
    redefined: Collection[str],
    dataset: str,
) -> CheckOutcome:
    """Predictions of other features than the stored ones, or of a version that speaks no more.

    Codes, all warn: predictions_redefined (a feature has another definition by now),
    predictions_outdated (the definitions stand, the rows are others or gone),
    predictions_superseded (a symbol-session of which only versions of the model speak that do not
    speak in its newest session).

    Args:
        stored: rows of PREDICTIONS.
        inputs: timeframe, features (as in PREDICTIONS), symbol, ts, session, inputs_digest: the
            rows that a model would be given now.
        speaking: timeframe, model, model_version: those of each model's newest session.
        redefined: values of `features` that name a definition which is not in force.
        dataset: its name.
    """
    given = inputs.select("timeframe", "features", *_BAR, digest="inputs_digest")
    version = ["timeframe", "model", "model_version"]
    current = speaking.select(version).unique().with_columns(speaks=pl.lit(value=True))
    spoken = pl.col("speaks").is_not_null().any().over(*KEY, "timeframe", "model", "output")
    judged = (
        stored.join(given, on=["timeframe", "features", *_BAR], how="left")
        .join(current, on=version, how="left")
        .with_columns(redefined=pl.col("features").is_in(list(redefined)), superseded=~spoken)
        .with_columns(
            outdated=pl.col("digest").ne_missing(pl.col("inputs_digest")) & ~pl.col("redefined")
        )
    )
    cases = (
        ("outdated", "predictions_outdated", "{} are not of the features that are stored: {}"),
        ("redefined", "predictions_redefined", "{} are of another definition of features: {}"),
        ("superseded", "predictions_superseded", "{} are of a version that speaks no more: {}"),
    )
    flags = [flag for flag, *_ in cases]
    found = pl.concat(
        judged.filter(flag)
        .group_by(KEY)
        .agg(
            rows=pl.len(),
            detail=pl.format(text, pl.len(), _named().unique().sort().str.join(", ")),
        )
        .with_columns(
            code=pl.lit(code),
            severity=pl.lit(WARN),
            value=pl.col("rows").cast(pl.Float64),
            threshold=pl.lit(0.0),
        )
        for flag, code, text in cases
    )
    measured = judged.group_by(KEY).agg(pl.col(flags).sum().cast(pl.Int64), rows=pl.len()).sort(KEY)
    sample = judged.filter(pl.any_horizontal(flags)).sort("session", "symbol", "ts", *SERIES)
    return CheckOutcome(
        findings(found, check="staleness", dataset=dataset),
        sample.select(*_SHOWN, *flags).head(SAMPLE_ROWS),
        measured,
    )


def judge_silence(stored: pl.DataFrame, around: pl.DataFrame, dataset: str) -> CheckOutcome:
    """Predictions of a model that never says anything. Code: predictions_without_value (warn).

    One that was never asked, since what it needs was never there, is among them; a symbol that is
    too young for it is not, where the model has a value for another.

    Args:
        stored: rows of PREDICTIONS.
        around: rows of PREDICTIONS, those and the ones of sessions around them.
        dataset: its name.
    """
    silent = around.group_by(SERIES).agg(pl.col("value").is_null().all()).filter("value")
    empty = stored.join(silent, on=SERIES, how="semi")
    found = empty.group_by(KEY).agg(
        code=pl.lit("predictions_without_value"),
        severity=pl.lit(WARN),
        value=pl.lit(1.0),
        threshold=pl.lit(1.0),
        rows=pl.len(),
        detail=pl.format(
            "{} are empty, as all of the sessions around: {}",
            pl.len(),
            _named().unique().sort().str.join(", "),
        ),
    )
    sample = empty.sort("session", "symbol", "ts", *SERIES).select(_SHOWN)
    return CheckOutcome(
        findings(found, check="null_rate", dataset=dataset),
        sample.head(SAMPLE_ROWS),
        pl.DataFrame(),
    )


def _named() -> pl.Expr:
    return pl.format("{} {} ({})", "model", "model_version", "timeframe")
