"""Features for models: the Python client's frames, in the forms that people take them.

What belongs here: from what a person writes in a notebook to one call of a use-case; Polars,
pandas, NumPy and Parquet. What does not: which rows there are (market_data/pipeline), making
features (the graph).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from emp.arguments import Symbols, listed, names_of, timeframe_of
from emp.moments import Moment, day, instant, parse
from emp.platforms import platform_of
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from adapters.settings import Settings
    from market_data.features.registry import FeatureGroup
    from market_data.pipeline.feature_frames import FeatureRows

METADATA = b"emp.features"
"""Key of the metadata in a Parquet file's own; JSON."""


@dataclass(frozen=True)
class FeatureFrame:
    """Features of bars, aligned and as they were known.

    Attributes:
        frame: symbol, ts (start of the bar, UTC), session, available_at (its end: nothing in the
            features is younger), the features, the labels.
        features: names of the columns that a model may see.
        labels: names of those that it may not.
        metadata: timeframe, range, `as_of`, of a training frame `restated` (how many rows rest on
            bars as they were before a restatement), and per group its version, definition, rows
            and digest.
    """

    frame: pl.DataFrame
    features: tuple[str, ...]
    labels: tuple[str, ...]
    metadata: dict[str, Any]

    @property
    def missing(self) -> pl.DataFrame:
        """Masks: true where a feature or label has no value; a column each, in the same order."""
        return self.frame.select(pl.col([*self.features, *self.labels]).is_null())

    @property
    def numeric(self) -> tuple[str, ...]:
        """Features that are numbers; the others are words, as the regime is."""
        return tuple(n for n in self.features if self.frame.schema[n].is_numeric())

    def to_polars(self) -> pl.DataFrame:
        """The frame."""
        return self.frame

    def to_pandas(self) -> pd.DataFrame:
        """The frame with the index (symbol, ts); numbers that are missing are NaN.

        The metadata lie in its `attrs`.
        """
        found = self.frame.to_pandas().set_index(["symbol", "ts"])
        found.attrs[METADATA.decode()] = self.metadata
        return found

    def to_numpy(
        self, columns: Sequence[str] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Values and masks of numeric columns, a row per row of the frame.

        Args:
            columns: which; None for `numeric`.

        Returns:
            Values (Float64, NaN where they are missing), and true where they are.

        Raises:
            ConfigurationError: a column is not there, or is no number.
        """
        names = list(self.numeric if columns is None else columns)
        wrong = [n for n in names if n not in self.frame.columns]
        wrong += [n for n in names if n not in wrong and not self.frame.schema[n].is_numeric()]
        if wrong:
            raise ConfigurationError(f"no numeric column of this frame: {', '.join(wrong)}")
        chosen = self.frame.select(pl.col(names).cast(pl.Float64))
        mask = chosen.select(pl.col(names).is_null()).to_numpy()
        return chosen.to_numpy(), mask

    def to_parquet(self, path: str | Path) -> Path:
        """Write the frame, zstd, with its metadata as JSON under the key `emp.features`."""
        import pyarrow.parquet as pq

        table = self.frame.to_arrow()
        told = json.dumps({**self.metadata, "features": self.features, "labels": self.labels})
        noted = table.replace_schema_metadata({METADATA: told.encode()})
        pq.write_table(noted, str(path), compression="zstd")
        return Path(path)


def get_features_for_training(
    symbols: Symbols,
    start: Moment,
    end: Moment,
    timeframe: str = "1d",
    *,
    groups: Symbols | None = None,
    include_labels: bool = True,
    outdated: bool = False,
    as_of: Moment | None = None,
    revisions: Literal["known", "newest"] = "known",
    settings: Settings | None = None,
) -> FeatureFrame:
    """Every bar of a range with its features and, for training, what came after it.

    A row holds nothing that was not known when its bar ended: groups of other timeframes give the
    newest row that had ended by then, and none that is older than 14 days. A label that was not
    known when the last bar of the range ended is empty.

    Args:
        symbols: platform symbols.
        start: first session.
        end: last session, included.
        timeframe: 1m, 5m, 15m, 1h, 4h or 1d: whose bars the rows are.
        groups: "indicators_1d_v1" and so on, see docs/features.md; of other timeframes too, whose
            columns then end on the timeframe (rsi_14_4h); "confluence_v1", "macro_context_v1".
            None: price, volume, indicators and regime of the timeframe.
        include_labels: with fwd_ret_1, _5, _20 (returns over so many bars) and fwd_end_1, _5, _20
            (when each became known).
        outdated: also rows that another definition made; else they are an error.
        as_of: the whole frame, labels too, as it would have been made of what was known at this
            moment: bars, corporate actions, macro releases, decisions of people. It is made on the
            spot of the raw logs, which takes longer; stored rows are neither read nor written. A
            day means its first moment, UTC.
        revisions: of bars that a vendor told again with other values. "known": no row rests on one
            that came after it, see docs/features.md; "newest": all rest on the newest, which is
            quicker where much was restated. Labels rest on the newest in any case.
        settings: another installation than that of the environment.

    Raises:
        ConfigurationError: a symbol, group or timeframe does not exist, a day is none, or
            `revisions` is none of the two.
        MarketDataError: rows are by another definition than the one in force.
        StoreUnavailableError: the warehouse does not answer, or the lake, which "newest" does not
            need.

    Warns:
        MissingFeaturesWarning: bars of the range have no features; or none was known at `as_of`.
        StoreAwayWarning: with `as_of`, the warehouse is away: bars lack the flags that it keeps.
    """
    from market_data.pipeline.feature_frames import training_rows

    if revisions not in ("known", "newest"):
        raise ConfigurationError(f"revisions={revisions!r}; it takes known or newest")
    platform = platform_of(settings)
    wanted = _timeframe(timeframe)
    sessions = day(start, "start"), day(end, "end")
    if sessions[1] < sessions[0]:
        raise ConfigurationError(f"the period ends ({end}) before it starts ({start})")
    found = training_rows(
        platform,
        names_of(symbols),
        wanted,
        _groups(groups, wanted),
        sessions,
        labels=include_labels,
        outdated=outdated,
        as_of=None if as_of is None else instant(as_of, "as_of"),
        known=revisions == "known",
    )
    return _frame(found)


def get_features_for_inference(
    symbols: Symbols,
    at: Moment | None = None,
    timeframe: str = "1d",
    *,
    mode: Literal["exact", "latest"] = "latest",
    groups: Symbols | None = None,
    max_age: timedelta | None = None,
    outdated: bool = False,
    settings: Settings | None = None,
) -> FeatureFrame:
    """One row per symbol: its features as they were known at a moment.

    Args:
        symbols: platform symbols.
        at: the moment, UTC where it has no zone; None: now. A day means its last moment, or with
            "exact" the last bar of that session.
        timeframe: whose bars the rows are.
        mode: "exact": the bar ended at the moment itself, every symbol has one, else it is an
            error; "latest": the newest bar that had ended.
        groups: as `get_features_for_training`.
        max_age: how long before the moment the newest bar may have ended; None: 14 days.
        outdated: also rows that another definition made; else they are an error.
        settings: another installation than that of the environment.

    Returns:
        The frame has the column age_seconds besides, from the end of the bar to the moment;
        symbols without a row are in `metadata["missing"]`.

    Raises:
        ConfigurationError: as `get_features_for_training`; or `mode` is none of the two.
        MarketDataError: "exact", and a symbol has no such row; or rows are by another definition.
        StoreUnavailableError: the warehouse does not answer.
    """
    from market_data.pipeline.feature_frames import rows_at, rows_of_session
    from market_data.pipeline.feature_reader import OLDEST

    if mode not in ("exact", "latest"):
        raise ConfigurationError(f"mode={mode!r}; it takes exact or latest")
    platform = platform_of(settings)
    wanted = _timeframe(timeframe)
    asked = platform, names_of(symbols), wanted, _groups(groups, wanted)
    moment = platform.clock.now() if at is None else parse(at, "at")
    if mode == "exact" and not isinstance(moment, datetime):
        return _frame(rows_of_session(*asked, moment, outdated=outdated))
    found = rows_at(
        *asked,
        moment if isinstance(moment, datetime) else datetime.combine(moment, time.max, UTC),
        exact=mode == "exact",
        oldest=OLDEST if max_age is None else max_age,
        outdated=outdated,
    )
    return _frame(found)


def _timeframe(name: str) -> Timeframe:
    from market_data.features.registry import FEATURE_TIMEFRAMES

    found = timeframe_of(name)
    if found not in FEATURE_TIMEFRAMES:
        raise ConfigurationError(
            f"there are no features of {name}; there are of: {', '.join(FEATURE_TIMEFRAMES)}"
        )
    return found


def _groups(names: Symbols | None, timeframe: Timeframe) -> list[FeatureGroup]:
    from market_data.features.registry import group_of
    from market_data.pipeline.feature_frames import default_groups

    if names is None:
        return default_groups(timeframe)
    return [group_of(name) for name in listed(names)]


def _frame(rows: FeatureRows) -> FeatureFrame:
    return FeatureFrame(rows.frame, rows.features, rows.labels, rows.metadata)
