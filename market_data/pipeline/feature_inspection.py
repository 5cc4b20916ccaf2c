"""Inspect feature datasets: what their checks find in a range of sessions.

What belongs here: gathering stored rows, what they would be now, and the sessions before. What does
not: judging (market_data/features/checks.py), Dagster's form of a result (emp_assets).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from market_data.datasets import (
    FEATURES,
    REGIME_STATS_DATASET,
    Dataset,
)
from market_data.features.checks import evaluate_features
from market_data.features.definitions import PRICE, UNITS
from market_data.features.registry import FeatureGroup, Kind
from market_data.pipeline.curate import chunks, step_days
from market_data.pipeline.feature_context import (
    confluence_now,
    macro_context_now,
    regime_stats_now,
)
from market_data.pipeline.features import features_now
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.quality.findings import CheckOutcome, together
from market_data.schemas import FINDINGS
from market_data.timeframes import Timeframe

_BEFORE = {Timeframe.H4: timedelta(days=60), Timeframe.D1: timedelta(days=60)}
_BEFORE_INTRADAY = timedelta(days=15)
"""How far back the sessions lie that a session is compared with."""
_SAMPLE = 200
_AT_ONCE = 64
"""Symbols that are judged together."""
_Span = tuple[date, date]


class FeatureInspection(Inspection):
    """What the checks found; nothing of it stops what is downstream."""

    def block_reasons(self, symbols: Sequence[str] | None) -> list[str]:  # noqa: ARG002
        """None: features that are out of date are told of, and made anew."""
        return []


def inspect_features(
    platform: Platform, group: FeatureGroup, first: date, last: date
) -> Inspection:
    """Judge the rows of a group."""
    dataset = FEATURES[group.key]
    # Labels of the newest bars are empty until later ones come.
    judged = {} if group.kind is Kind.LABELS else _judged(group)
    return _inspect(platform, dataset, group, judged, (first, last))


def inspect_regime_stats(platform: Platform, first: date, last: date) -> Inspection:
    """Judge the statistics of regimes."""
    return _inspect(platform, REGIME_STATS_DATASET, None, {}, (first, last))


def _judged(group: FeatureGroup) -> dict[str, bool]:
    """All columns, and whether their mean is compared: of numbers that do not follow the price."""
    return {f.name: f.dtype.is_numeric() and f.unit not in (PRICE, UNITS) for f in group.features}


def _inspect(
    platform: Platform,
    dataset: Dataset,
    group: FeatureGroup | None,
    judged: Mapping[str, bool],
    sessions: _Span,
) -> Inspection:
    timeframe = (group.timeframe if group else None) or Timeframe.D1
    days = 31 if group is None or group.kind is Kind.CONFLUENCE else step_days(platform, timeframe)
    outcomes, held = [], []
    symbols = [i.symbol for i in platform.universe.instruments]
    known = set(symbols)
    for span, names in _portions(platform, dataset, symbols, sessions, days):
        now = _now(platform, group, [n for n in names if n in known], span)
        stored = platform.store.scan(dataset, symbols=names, sessions=span)
        begin = span[0] - _BEFORE.get(timeframe, _BEFORE_INTRADAY)
        history = (
            platform.store.scan(
                dataset,
                symbols=names,
                sessions=(begin, span[1]),
                columns=["symbol", "session", *judged],
            )
            if judged
            else stored.clear()
        )
        outcomes.append(
            evaluate_features(
                stored,
                now,
                history,
                dataset=dataset.name,
                schema=dataset.schema,
                key=dataset.key,
                judged=judged,
                sessions=span,
            )
        )
        held.append(now.select("symbol", "session").unique())
    checks = {name: together([o[name] for o in outcomes]) for name in outcomes[0]}
    return FeatureInspection(
        dataset=dataset.name,
        findings=_findings(checks),
        rows={name: outcome.rows.head(_SAMPLE) for name, outcome in checks.items()},
        measured={name: outcome.measured for name, outcome in checks.items()},
        held=pl.concat(held),
        platform=platform,
        timeframe=timeframe,
    )


def _portions(
    platform: Platform, dataset: Dataset, symbols: Sequence[str], sessions: _Span, days: int
) -> Iterator[tuple[_Span, list[str]]]:
    """A range cut by days and symbols, so that memory depends on neither.

    Symbols that are no longer in the universe and have rows come last.
    """
    for span in chunks(*sessions, days):
        stored = platform.store.scan(dataset, sessions=span, columns=["symbol"])
        others = sorted(set(stored["symbol"].unique()) - set(symbols))
        names = [*symbols, *others]
        for number in range(0, max(len(names), 1), _AT_ONCE):
            yield span, names[number : number + _AT_ONCE]


def _findings(checks: dict[str, CheckOutcome]) -> pl.DataFrame:
    found = pl.concat([FINDINGS.empty(), *(o.findings for o in checks.values())])
    return found.sort("session", "symbol", "check", "code")


def _now(
    platform: Platform, group: FeatureGroup | None, symbols: Sequence[str], span: _Span
) -> pl.DataFrame:
    """What the rows of a range would be now."""
    if group is None:
        return regime_stats_now(platform, symbols, span)
    if group.kind is Kind.CONFLUENCE:
        return confluence_now(platform, symbols, span)
    if group.kind is Kind.MACRO_CONTEXT:
        return macro_context_now(platform, symbols, span)
    return features_now(platform, [group], symbols, *span)[group.kind]
