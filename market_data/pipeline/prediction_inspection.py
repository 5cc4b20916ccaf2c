"""Inspect predictions: what their checks find in a range of sessions.

What belongs here: what models said in and around the range, and the features that they would be
given now. What does not: judging (market_data/features/prediction_checks.py and
market_data/features/checks.py), Dagster's form of a result (emp_assets).

What should be there follows from what is: a model speaks of a symbol from the symbol's first to the
model's last session, as far as both lie within the days that are looked at.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from datetime import date

import polars as pl

from market_data.datasets import PREDICTIONS_DATASET
from market_data.errors import ConfigurationError, MissingFeaturesWarning
from market_data.features.checks import evaluate_features
from market_data.features.prediction_checks import (
    CHECKS,
    SERIES,
    judge_coverage,
    judge_silence,
    judge_staleness,
)
from market_data.features.registry import FeatureGroup, group_of
from market_data.pipeline.curate import chunks
from market_data.pipeline.feature_frames import training_rows
from market_data.pipeline.feature_inspection import FeatureInspection
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.pipeline.predicting import AROUND, inputs_of
from market_data.quality.findings import KEY, CheckOutcome, together
from market_data.quality.schema import not_judged
from market_data.schemas import FINDINGS
from market_data.timeframes import Timeframe

_SAMPLE = 200
_FED = ["timeframe", "features"]
_Span = tuple[date, date]


def inspect_predictions(platform: Platform, first: date, last: date) -> Inspection:
    """Judge predictions: whole, of today's features, and each series of a model by itself."""
    dataset = PREDICTIONS_DATASET
    around = platform.store.scan(dataset, sessions=(first - AROUND, last + AROUND))
    known = pl.col("symbol").is_in([i.symbol for i in platform.universe.instruments])
    within = around.filter(pl.col("session").is_between(first, last))
    checks = _by_series(around.filter(pl.col("session") <= last), within, (first, last))
    held = within.select(KEY).unique()
    if checks["schema"].findings.is_empty():
        due, inputs = _expected(platform, around.filter(known), (first, last))
        held = pl.concat([held, due.select(KEY)]).unique()
        silence = judge_silence(within, around, dataset.name)
        checks |= {
            "null_rate": together([checks["null_rate"], silence]),
            "coverage": judge_coverage(within, due, dataset.name),
            # Of other symbols there are no features to compare with.
            "staleness": judge_staleness(
                within.filter(known),
                inputs,
                around.filter(_newest("timeframe", "model")),
                redefined=[t for t in within["features"].unique() if not _in_force(t)],
                dataset=dataset.name,
            ),
        }
    else:
        checks |= {n: not_judged(n, checks["schema"]) for n in ("coverage", "staleness")}
    found = pl.concat([FINDINGS.empty(), *(o.findings for o in checks.values())])
    return FeatureInspection(
        dataset=dataset.name,
        findings=found.sort("session", "symbol", "check", "code"),
        rows={name: checks[name].rows.head(_SAMPLE) for name in CHECKS},
        measured={name: checks[name].measured for name in CHECKS},
        held=held.sort(KEY),
        platform=platform,
        timeframe=Timeframe.D1,
    )


def _by_series(
    history: pl.DataFrame, within: pl.DataFrame, sessions: _Span
) -> dict[str, CheckOutcome]:
    """Shape, empty values and leaps of the mean."""
    dataset = PREDICTIONS_DATASET
    outcomes = [
        evaluate_features(
            own,
            own,
            history.join(own.select(SERIES).unique(), on=SERIES, how="semi", maintain_order="left"),
            dataset=dataset.name,
            schema=dataset.schema,
            key=dataset.key,
            judged={"value": True},
            sessions=sessions,
        )
        for own in [within.clear(), *within.partition_by(SERIES)]
    ]
    names = ("schema", "null_rate", "drift")
    return {name: together([o[name] for o in outcomes]) for name in names}


def _expected(
    platform: Platform, around: pl.DataFrame, sessions: _Span
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What there should be a row of, and the rows of features that models would be given.

    Returns:
        `due` of `judge_coverage` and `inputs` of `judge_staleness`.
    """
    fed = around.filter(_newest(*SERIES)).select(*SERIES, "features")
    fed = fed.unique(SERIES, keep="last", maintain_order=True)
    spans = around.group_by(*SERIES, "symbol").agg(since=pl.col("session").min()).join(
        around.group_by(SERIES).agg(until=pl.col("session").max()), on=SERIES
    ).filter(pl.col("since") <= sessions[1], pl.col("until") >= sessions[0])  # fmt: skip
    speaking = spans.join(fed, on=SERIES)
    stored = around.filter(pl.col("session").is_between(*sessions))
    wanted = pl.concat([speaking.select(*_FED, "symbol"), stored.select(*_FED, "symbol")])
    inputs = _inputs(platform, wanted.unique(), sessions)
    due = (
        inputs.join(speaking, on=[*_FED, "symbol"])
        .filter(pl.col("session").is_between("since", "until"))
        .select(*SERIES, "symbol", "ts", "session")
    )
    return due, inputs


def _newest(*of: str) -> pl.Expr:
    """Whether a row is of the newest session of its kind."""
    return pl.col("session") == pl.col("session").max().over(of)


def _inputs(platform: Platform, wanted: pl.DataFrame, sessions: _Span) -> pl.DataFrame:
    """The rows that models would be given now, each frame of features read once."""
    bar = ["symbol", "ts", "session", "inputs_digest"]
    types = {n: PREDICTIONS_DATASET.schema.dtypes[n] for n in (*_FED, *bar)}
    found = [pl.DataFrame(schema=types)]
    for (timeframe, features), rows in wanted.group_by(_FED, maintain_order=True):
        groups = [_group(key) for key, _ in _told(str(features))]
        named = [g for g in groups if g is not None]
        if len(named) < len(groups):
            continue
        length = Timeframe(str(timeframe))
        symbols = rows["symbol"].unique().sort().to_list()
        for span in chunks(*sessions, 31 if length.is_intraday else 366):
            with warnings.catch_warnings():
                # The checks of the features tell of those that are missing.
                warnings.simplefilter("ignore", MissingFeaturesWarning)
                given = training_rows(
                    platform, symbols, length, named, span, labels=False, outdated=True
                )
            told = {"timeframe": pl.lit(str(timeframe)), "features": pl.lit(str(features))}
            found.append(inputs_of(given).with_columns(**told).select(*_FED, *bar))
    return pl.concat(found)


def _told(features: str) -> Iterable[tuple[str, str]]:
    """Groups and definitions of a cell `features`: 'price_1d_v1@94406961ff1f,...'."""
    for part in features.split(","):
        key, _, definition = part.partition("@")
        yield key, definition


def _group(key: str) -> FeatureGroup | None:
    try:
        return group_of(key)
    except ConfigurationError:
        return None


def _in_force(features: str) -> bool:
    """Whether all groups still are, and have these definitions."""
    return all(
        (group := _group(key)) is not None and group.definition == definition
        for key, definition in _told(features)
    )
