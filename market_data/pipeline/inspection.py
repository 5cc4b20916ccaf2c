"""Inspect: what the checks find in a range of stored sessions, however long.

What belongs here: going through a range in chunks and putting their outcomes together.
What does not: gathering a chunk (market_data/pipeline/views.py), judging it (market_data/quality),
Dagster's form of a result (emp_assets).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from market_data.datasets import SCORES_DATASET, curated_bars, raw_bars
from market_data.pipeline.besides import checks_beside
from market_data.pipeline.curate import chunks, curate_slice, step_days
from market_data.pipeline.decisions import decisions
from market_data.pipeline.platform import Platform
from market_data.pipeline.rules import rules_in_force
from market_data.pipeline.views import curated_view, kept_symbols, raw_view
from market_data.quality.actions import block_reasons
from market_data.quality.annotations import ACCEPTED, HEARD, heard_in, split_accepted
from market_data.quality.checks import evaluate_bars
from market_data.quality.digest import bars_digest
from market_data.quality.findings import CheckOutcome
from market_data.quality.outdated import check_outdated
from market_data.quality.score_checks import evaluate_scores
from market_data.quality.shape_drift import CHECK as SHAPE_DRIFT
from market_data.quality.shape_drift import check_shape_drift
from market_data.quality.view import BarsView, limits_of
from market_data.schemas import FINDINGS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass

SAMPLE_ROWS = 200
SCORE_HISTORY = timedelta(days=45)
"""How far back the scores lie that a session's scores are compared with."""


@dataclass(frozen=True)
class Inspection:
    """What the checks found in a range of sessions.

    Attributes:
        dataset: name of the dataset.
        findings: rows of FINDINGS: what is open.
        rows: per check a sample of the offending rows, with symbol and session.
        measured: per check what was measured, one row per symbol and session.
        held: rows of EXPECTED: what should be there.
        accepted: rows of `market_data.quality.annotations.ACCEPTED`: what was found too, and a
            person accepts.
    """

    dataset: str
    findings: pl.DataFrame
    rows: Mapping[str, pl.DataFrame]
    measured: Mapping[str, pl.DataFrame]
    held: pl.DataFrame
    platform: Platform
    timeframe: Timeframe
    accepted: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ACCEPTED))

    @property
    def symbol_sessions(self) -> int:
        """How many symbol-sessions should be there."""
        return self.held.height

    def of(self, symbols: Sequence[str] | None) -> pl.DataFrame:
        """The findings about some symbols; about all where None."""
        if symbols is None:
            return self.findings
        return self.findings.filter(pl.col("symbol").is_in(list(symbols)))

    def block_reasons(self, symbols: Sequence[str] | None) -> list[str]:
        """Why a run of these symbols must not feed what is downstream; empty where it may."""
        counted = self.measured["ohlc"]
        slices = self.held.select("symbol", "session")
        if {"refused", "rows"} <= set(counted.columns):
            slices = slices.join(
                counted.select("symbol", "session", "refused", "rows"),
                on=["symbol", "session"],
                how="left",
            ).with_columns(pl.col("refused", "rows").fill_null(0))
        if symbols is not None:
            slices = slices.filter(pl.col("symbol").is_in(list(symbols)))
        limits = limits_of(
            self.platform.universe.instruments, self.timeframe, self.platform.thresholds
        )
        return block_reasons(self.of(symbols), slices, limits)


def inspect_raw(
    platform: Platform, vendor: str, timeframe: Timeframe, first: date, last: date
) -> Inspection:
    """Judge one vendor's raw bars; drift is told against the other vendors' bars."""
    name = raw_bars(vendor, timeframe).name
    changes = platform.shapes.changes(vendor, timeframe, (first, last))
    return _inspect(
        platform,
        name,
        timeframe,
        first,
        last,
        lambda a, b: raw_view(platform, vendor, timeframe, a, b),
        {SHAPE_DRIFT: check_shape_drift(changes, dataset=name)},
    )


def inspect_curated(
    platform: Platform, timeframe: Timeframe, first: date, last: date
) -> Inspection:
    """Judge the curated bars of a timeframe; drift is told between the vendors behind them."""
    kept = kept_symbols(platform, timeframe)

    def view(start: date, end: date) -> BarsView:
        return curated_view(platform, timeframe, start, end, kept)

    name = curated_bars(timeframe).name
    return _inspect(platform, name, timeframe, first, last, view)


def inspect_scores(platform: Platform, first: date, last: date) -> Inspection:
    """Judge the scores: whether each curated symbol-session has one, and it is of these bars."""
    before = first - SCORE_HISTORY
    scores = platform.store.scan(SCORES_DATASET, sessions=(before, last))
    curated = pl.concat(
        bars_digest(platform.store.scan(curated_bars(t), sessions=chunk)).select(
            "symbol", "session", "bars_digest", dataset=pl.lit(curated_bars(t).name)
        )
        for t in Timeframe
        for chunk in chunks(first, last, step_days(platform, t))
    )
    outcomes = evaluate_scores(
        scores,
        curated,
        sessions=(first, last),
        rule_version=rules_in_force(platform),
        score_shift=platform.thresholds.rule(AssetClass.EQUITY, Timeframe.D1).score_shift,
    )
    held = curated.select("symbol", "session").unique()
    return _merge(platform, SCORES_DATASET.name, Timeframe.D1, [outcomes], [held])


def _inspect(
    platform: Platform,
    dataset: str,
    timeframe: Timeframe,
    first: date,
    last: date,
    view: Callable[[date, date], BarsView],
    besides: Mapping[str, CheckOutcome] | None = None,
) -> Inspection:
    outcomes: list[Mapping[str, CheckOutcome]] = [besides or {}]
    held, heard = [], [pl.DataFrame(schema=HEARD)]
    decided = decisions(platform, None, (first, last))
    for start, end in chunks(first, last, step_days(platform, timeframe)):
        seen = view(start, end)
        heard.append(heard_in(seen.peers, decided))
        outcomes.append(evaluate_bars(seen, platform.thresholds, platform.expectations))
        if seen.kind == "curated":
            outcomes.append({"staleness": check_outdated(seen, _made_anew(platform, seen))})
        outcomes.extend({name: outcome} for name, outcome in checks_beside(platform, seen))
        held.append(seen.expected)
    return _merge(platform, dataset, timeframe, outcomes, held, heard=pl.concat(heard))


def _made_anew(platform: Platform, view: BarsView) -> pl.DataFrame:
    """What curation would make of the raw logs now."""
    symbols = [i.symbol for i in view.instruments]
    return curate_slice(platform, view.timeframe, symbols, *view.sessions).bars


def _merge(
    platform: Platform,
    dataset: str,
    timeframe: Timeframe,
    outcomes: Sequence[Mapping[str, CheckOutcome]],
    held: Sequence[pl.DataFrame],
    *,
    heard: pl.DataFrame | None = None,
) -> Inspection:
    names = list(dict.fromkeys(name for chunk in outcomes for name in chunk))
    found = pl.concat(
        [FINDINGS.empty(), *(o.findings for chunk in outcomes for o in chunk.values())]
    ).sort("session", "symbol", "check", "code")
    still_open, accepted = without_accepted(platform, found, heard)
    return Inspection(
        dataset=dataset,
        findings=still_open,
        rows={n: _stack(c[n].rows for c in outcomes if n in c).head(SAMPLE_ROWS) for n in names},
        measured={n: _stack(c[n].measured for c in outcomes if n in c) for n in names},
        held=pl.concat(held),
        platform=platform,
        timeframe=timeframe,
        accepted=accepted,
    )


def without_accepted(
    platform: Platform, found: pl.DataFrame, heard: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is open of the findings, and what people accepted.

    Args:
        platform: where the decisions are.
        found: rows of FINDINGS.
        heard: rows of HEARD: where a vendor that is preferred was heard; None: nowhere.

    Returns:
        Rows of FINDINGS and rows of ACCEPTED.
    """
    days = found["session"].drop_nulls()
    if days.is_empty():
        return found, pl.DataFrame(schema=ACCEPTED)
    span: tuple[date, date] = (days.min(), days.max())  # type: ignore[assignment]
    return split_accepted(found, decisions(platform, None, span), heard=heard)


def _stack(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    listed = [f for f in frames if f.width]
    return pl.concat(listed, how="diagonal_relaxed") if listed else pl.DataFrame()
