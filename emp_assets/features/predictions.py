"""What a user's model says of stored features, with the versions of the model and of the features.

The run is told which model: `model: package.module:name`, an object, or a class or function that
makes one. It has `name`, `version` and `predict(frame)`, see `Model` in
market_data/pipeline/predicting.py. Rows in which a feature that it needs is missing are kept
without a value. Predictions of other models and versions stay.
"""

from collections.abc import Sequence
from datetime import date
from importlib import import_module

import dagster as dg
from pydantic import Field

from emp_assets.bar_checks import session_checks
from emp_assets.features.made import feature_key, shown
from emp_assets.metadata import column_schema, run_range, table
from emp_assets.naming import OWNERS
from emp_assets.partitions import ONE_RUN, session_partitions, session_range
from emp_assets.retrying import retried
from emp_assets.run_config import SymbolsConfig
from market_data.errors import ConfigurationError
from market_data.features.prediction_checks import CHECKS
from market_data.features.registry import FEATURE_TIMEFRAMES, FeatureGroup, bar_groups, group_of
from market_data.features.schemas import PREDICTIONS
from market_data.pipeline.feature_frames import default_groups
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.pipeline.predicting import Model, predict_range
from market_data.pipeline.prediction_inspection import inspect_predictions
from market_data.timeframes import Timeframe
from market_data.universe import Universe
from resources.platform import PlatformResource

KEY = dg.AssetKey(["features", "predictions"])
PAGE = "predictions"
"""Of docs/runbooks."""


class PredictionsConfig(SymbolsConfig):
    """Which model is asked about what."""

    model: str = Field(
        default="", description="package.module:name of a model, or of what makes one."
    )
    timeframe: str = Field(default="1d", description="Whose bars the rows are.")
    groups: list[str] = Field(
        default_factory=list,
        description="Feature groups; empty: price, volume, indicators, regime of the timeframe.",
    )

    def chosen_groups(self) -> tuple[Timeframe, Sequence[FeatureGroup]]:
        """The timeframe and the groups.

        Raises:
            ConfigurationError: there is no such timeframe or group.
        """
        if self.timeframe not in [str(t) for t in FEATURE_TIMEFRAMES]:
            raise ConfigurationError(f"there are no features of {self.timeframe!r}")
        timeframe = Timeframe(self.timeframe)
        return timeframe, [group_of(g) for g in self.groups] or default_groups(timeframe)


def load_model(path: str) -> Model:
    """The model of an import path.

    Raises:
        ConfigurationError: there is none, or it is no model.
    """
    module, _, name = path.partition(":")
    if not module or not name:
        raise ConfigurationError(f"model={path!r}; it takes package.module:name")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"model={path!r} cannot be loaded: {error}") from error
    made = found() if callable(found) and not isinstance(found, Model) else found
    if isinstance(found, type):
        made = found()
    if not isinstance(made, Model) or not all(
        isinstance(v, str) for v in (made.name, made.version)
    ):
        raise ConfigurationError(
            f"model={path!r} is no model: it needs name and version (texts) and predict(frame)"
        )
    return made


def predictions_asset(universe: Universe) -> dg.AssetsDefinition:
    """The asset of predictions."""

    @dg.asset(
        key=KEY,
        deps=[feature_key(g) for t in FEATURE_TIMEFRAMES for g in bar_groups(t)],
        group_name="features",
        partitions_def=session_partitions(universe.first_session),
        backfill_policy=ONE_RUN,
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        description=__doc__,
        metadata={"dagster/column_schema": column_schema(PREDICTIONS)},
    )
    def predictions(
        context: dg.AssetExecutionContext, config: PredictionsConfig, platform: PlatformResource
    ) -> dg.MaterializeResult[None]:
        sessions = session_range(context.partition_keys)
        model, (timeframe, groups) = load_model(config.model), config.chosen_groups()
        with retried(context):
            opened = platform.open()
            symbols = config.choose(tuple(i.symbol for i in opened.universe.instruments))
            made = predict_range(
                opened, model, symbols, timeframe, groups, *sessions, progress=context.log.info
            )
        counts = made.rows.group_by("session").len().iter_rows()
        return shown(
            context,
            KEY,
            sessions,
            numbers={
                **run_range(*sessions, sorted(made.rows["symbol"].unique())),
                "rows": made.rows.height,
                "rows_without_value": made.empty,
                "model": model.name,
                "model_version": model.version,
                "features": ", ".join(f"{g.key}@{g.definition}" for g in groups),
            },
            drawings={"last_rows": table(made.rows.tail(10))},
            per={day: {"dagster/partition_row_count": rows} for day, rows in counts},
        )

    return predictions


def predictions_checks(universe: Universe) -> dg.AssetChecksDefinition:
    """The checks of predictions: whole, of today's features, and within their usual range."""

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        return inspect_predictions(platform, first, last)

    return session_checks(KEY, session_partitions(universe.first_session), inspect, CHECKS, PAGE)
