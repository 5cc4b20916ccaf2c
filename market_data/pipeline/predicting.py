"""Predictions: what a model says of stored features, kept with the versions of both.

What belongs here: which rows a model sees, what is stored of its answer. What does not: loading a
model (emp_assets/features/predictions.py), the features (feature_frames.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Protocol, runtime_checkable

import polars as pl

from market_data.datasets import PREDICTIONS_DATASET
from market_data.errors import ConfigurationError, MarketDataError, MissingFeaturesWarning
from market_data.features.registry import FeatureGroup
from market_data.features.schemas import PREDICTIONS
from market_data.pipeline.curate import chunks, lock_names
from market_data.pipeline.feature_frames import FeatureRows, training_rows
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.quality.digest import bars_digest
from market_data.timeframes import Timeframe

_OUTPUT = "prediction"
"""Name of the output of a model that gives one column without a name."""
AROUND = timedelta(days=60)
"""How far from a range the sessions lie that say which outputs a model has, that the range is
compared with, and that tell which version speaks."""


@runtime_checkable
class Model(Protocol):
    """What a user's model has to offer.

    `needs`, where it has that too, names the features that it cannot do without; else those are
    all that it is given.
    """

    name: str
    version: str

    def predict(self, features: pl.DataFrame) -> Any:
        """What it says of each row, in their order.

        Args:
            features: symbol, ts, session, available_at and the features, no needed one empty.

        Returns:
            One number per row (a sequence, a Series, an array), or a mapping or frame of several
            outputs by name.
        """
        ...


@dataclass(frozen=True)
class Predicted:
    """What a run stored: rows of PREDICTIONS of its range, and how many of them are empty."""

    rows: pl.DataFrame
    empty: int


def predict_range(
    platform: Platform,
    model: Model,
    symbols: Sequence[str],
    timeframe: Timeframe,
    groups: Sequence[FeatureGroup],
    first: date,
    last: date,
    progress: Progress = silent,
) -> Predicted:
    """Ask a model about every bar of a range, and keep what it says.

    Rows of other models, versions and timeframes stay.

    Args:
        platform: where features are and predictions go.
        model: the user's.
        symbols: which.
        timeframe: whose bars the rows are.
        groups: what the model is given.
        first: first session.
        last: last session.
        progress: told what is being asked.

    Raises:
        ConfigurationError: the model needs a feature that no group has.
        MarketDataError: it answers with another number of rows, with no numbers, with infinite
            ones or with no output; or features are by another definition than the one in force.
    """
    parts = []
    for span in chunks(first, last, 31 if timeframe.is_intraday else 366):
        progress(f"predictions of {model.name} {model.version}: {span[0]} to {span[1]}")
        with platform.locks.hold(lock_names(PREDICTIONS_DATASET.name, *span)):
            with warnings.catch_warnings():
                # The checks of the features tell of those that are missing.
                warnings.simplefilter("ignore", MissingFeaturesWarning)
                given = training_rows(platform, symbols, timeframe, groups, span, labels=False)
            said = predictions(
                model, given, partial(_named_before, platform, model, timeframe, span)
            )
            stored = platform.store.scan(PREDICTIONS_DATASET, symbols=symbols, sessions=span)
            own = _own(model, timeframe)
            rows = pl.concat([stored.filter(~own), said]).sort(PREDICTIONS_DATASET.sort)
            platform.store.replace(PREDICTIONS_DATASET, rows, sessions=span, symbols=symbols)
        parts.append(said)
    rows = pl.concat([PREDICTIONS.empty(), *parts])
    return Predicted(rows, rows["value"].null_count())


def predictions(
    model: Model, given: FeatureRows, named_before: Callable[[], Sequence[str]]
) -> pl.DataFrame:
    """Rows of PREDICTIONS: one per row of the frame and output of the model.

    Args:
        model: the user's.
        given: rows of its features.
        named_before: outputs that are known where no row has all that the model needs, so that it
            is not asked; these are empty then.

    Raises:
        ConfigurationError: as `predict_range`.
        MarketDataError: as `predict_range`.
    """
    needs = list(getattr(model, "needs", given.features))
    if absent := sorted(set(needs) - set(given.features)):
        raise ConfigurationError(f"model {model.name} needs {', '.join(absent)}: no group has it")
    frame = given.frame
    if frame.is_empty():
        return PREDICTIONS.empty()
    whole = pl.all_horizontal(pl.lit(value=True), pl.col(needs).is_not_null())
    asked = frame.filter(whole)
    nothing = pl.Series([], dtype=pl.Float64)
    outputs = _outputs(model, asked) if asked.height else dict.fromkeys(named_before(), nothing)
    groups = given.metadata["groups"]
    told = ",".join(f"{key}@{group['definition']}" for key, group in sorted(groups.items()))
    rows = inputs_of(given)
    keys = asked.select("symbol", "ts")
    made = (
        PREDICTIONS.conform(
            rows.join(
                keys.with_columns(value=values), on=["symbol", "ts"], how="left",
                maintain_order="left",
            ).with_columns(
                timeframe=pl.lit(given.metadata["timeframe"]),
                model=pl.lit(model.name),
                model_version=pl.lit(model.version),
                output=pl.lit(name),
                features=pl.lit(told),
            )
        )
        for name, values in outputs.items()
    )  # fmt: skip
    return pl.concat([PREDICTIONS.empty(), *made]).sort(PREDICTIONS_DATASET.sort)


def _own(model: Model, timeframe: Timeframe) -> pl.Expr:
    """Rows of one version of a model."""
    return (
        (pl.col("model") == model.name)
        & (pl.col("model_version") == model.version)
        & (pl.col("timeframe") == str(timeframe))
    )


def _named_before(
    platform: Platform, model: Model, timeframe: Timeframe, span: tuple[date, date]
) -> list[str]:
    """The outputs that a model is known to have by sessions of the range and shortly before it."""
    near = span[0] - AROUND, span[1]
    columns = ["model", "model_version", "timeframe", "output"]
    stored = platform.store.scan(PREDICTIONS_DATASET, sessions=near, columns=columns)
    return stored.filter(_own(model, timeframe))["output"].unique().sort().to_list()


def inputs_of(given: FeatureRows) -> pl.DataFrame:
    """symbol, ts, session, available_at, inputs_digest: rows of a frame, and what names its cells.

    The digest is of all rows of the symbol and session.
    """
    frame = given.frame
    digests = bars_digest(frame.select("symbol", "session", "ts", *given.features))
    return frame.select("symbol", "ts", "session", "available_at").join(
        digests.rename({"bars_digest": "inputs_digest"}),
        on=["symbol", "session"],
        how="left",
        maintain_order="left",
    )


def _outputs(model: Model, asked: pl.DataFrame) -> dict[str, pl.Series]:
    answer = model.predict(asked)
    if isinstance(answer, pl.DataFrame):
        answer = answer.to_dict()
    named = dict(answer) if isinstance(answer, Mapping) else {_OUTPUT: answer}
    if not named:
        raise MarketDataError(f"model {model.name} answers with no output")
    return {str(name): _numbers(model, values, asked.height) for name, values in named.items()}


def _numbers(model: Model, values: Any, rows: int) -> pl.Series:
    try:
        found = pl.Series("value", values, strict=False).cast(pl.Float64).fill_nan(None)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise MarketDataError(f"model {model.name} answers with no numbers: {error}") from error
    if len(found) != rows:
        raise MarketDataError(
            f"model {model.name} was asked about {rows} rows and answers with {len(found)}"
        )
    if infinite := found.is_infinite().sum():
        raise MarketDataError(
            f"model {model.name} answers with infinite numbers for {infinite} of {rows} rows"
        )
    return found
