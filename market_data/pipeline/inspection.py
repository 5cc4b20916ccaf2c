"""Inspect: look at what is stored, with everything that the checks need beside it.

What belongs here: gathering a dataset's slice, what it should hold and what other vendors say, and
putting the outcomes of several slices together.
What does not: judging (market_data/quality), Dagster's form of a result (emp_assets).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from market_data.datasets import SCORES_DATASET, curated_bars, raw_bars
from market_data.peers import comparable
from market_data.pipeline.curate import chunks, step_days
from market_data.pipeline.holdings import should_hold
from market_data.pipeline.platform import Platform
from market_data.quality.actions import block_reasons
from market_data.quality.checks import BarsView, CheckOutcome, evaluate_bars
from market_data.quality.digest import bars_digest
from market_data.quality.score_checks import evaluate_scores
from market_data.quality.view import limits_of
from market_data.schemas import FINDINGS, RAW_BARS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass

SAMPLE_ROWS = 200
SCORE_HISTORY = timedelta(days=45)
"""How far back the scores lie that a session's scores are compared with."""
_REPEATS = ("duplicate", "contradiction", "drift")
"""Reasons of quarantine that have a check of their own."""


@dataclass(frozen=True)
class Inspection:
    """What the checks found in a range of sessions.

    Attributes:
        dataset: name of the dataset.
        findings: rows of FINDINGS.
        rows: per check a sample of the offending rows, with symbol and session.
        measured: per check what was measured, one row per symbol and session.
        held: rows of EXPECTED: what should be there.
    """

    dataset: str
    findings: pl.DataFrame
    rows: Mapping[str, pl.DataFrame]
    measured: Mapping[str, pl.DataFrame]
    held: pl.DataFrame
    platform: Platform
    timeframe: Timeframe

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
    delay = platform.delay(vendor)

    def view(start: date, end: date) -> BarsView:
        held = should_hold(platform, [vendor], timeframe, start, end)
        logs = _raw_of_all(platform, timeframe, start, end)
        own = logs.get(vendor, RAW_BARS.empty())
        return BarsView(
            dataset=raw_bars(vendor, timeframe).name,
            kind="raw",
            timeframe=timeframe,
            instruments=platform.universe.instruments,
            bars=own,
            expected=held,
            sessions=(start, end),
            now=platform.clock.now(),
            delay=delay,
            peers=_peers(platform, logs.values(), timeframe),
            **_refused(platform, [vendor], timeframe, start, end, stages=("fetch",)),
        )

    name = raw_bars(vendor, timeframe).name
    return _inspect(platform, name, timeframe, first, last, view)


def inspect_curated(
    platform: Platform, timeframe: Timeframe, first: date, last: date
) -> Inspection:
    """Judge the curated bars of a timeframe; drift is told between the vendors behind them."""
    return _inspect(
        platform,
        curated_bars(timeframe).name,
        timeframe,
        first,
        last,
        lambda start, end: curated_view(platform, timeframe, start, end),
    )


def curated_view(platform: Platform, timeframe: Timeframe, start: date, end: date) -> BarsView:
    """The curated bars of a few sessions with all that their checks need."""
    vendors = [v.name for v in platform.universe.vendors]
    return BarsView(
        dataset=curated_bars(timeframe).name,
        kind="curated",
        timeframe=timeframe,
        instruments=platform.universe.instruments,
        bars=platform.store.scan(curated_bars(timeframe), sessions=(start, end)),
        expected=should_hold(platform, vendors, timeframe, start, end),
        sessions=(start, end),
        now=platform.clock.now(),
        peers=_peers(
            platform,
            _raw_of_all(platform, timeframe, start, end).values(),
            timeframe,
            minutes=_minutes_of_all(platform, timeframe, start, end).values(),
        ),
        **_refused(platform, vendors, timeframe, start, end),
    )


def inspect_scores(platform: Platform, first: date, last: date) -> Inspection:
    """Judge the scores: whether each curated symbol-session has one, and it is of these bars."""
    before = first - SCORE_HISTORY
    scores = platform.store.scan(SCORES_DATASET, sessions=(before, last))
    curated = pl.concat(
        bars_digest(platform.store.scan(curated_bars(t), sessions=(first, last))).select(
            "symbol", "session", "bars_digest", dataset=pl.lit(curated_bars(t).name)
        )
        for t in Timeframe
    )
    outcomes = evaluate_scores(
        scores,
        curated,
        sessions=(first, last),
        rule_version=platform.rule_version,
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
    view: object,
) -> Inspection:
    outcomes, held = [], []
    for start, end in chunks(first, last, step_days(platform, timeframe)):
        seen: BarsView = view(start, end)  # type: ignore[operator]
        outcomes.append(evaluate_bars(seen, platform.thresholds))
        held.append(seen.expected)
    return _merge(platform, dataset, timeframe, outcomes, held)


def _merge(
    platform: Platform,
    dataset: str,
    timeframe: Timeframe,
    outcomes: Sequence[Mapping[str, CheckOutcome]],
    held: Sequence[pl.DataFrame],
) -> Inspection:
    names = list(outcomes[0]) if outcomes else []
    return Inspection(
        dataset=dataset,
        findings=pl.concat(
            [FINDINGS.empty(), *(o.findings for chunk in outcomes for o in chunk.values())]
        ).sort("session", "symbol", "check", "code"),
        rows={n: _stack(chunk[n].rows for chunk in outcomes).head(SAMPLE_ROWS) for n in names},
        measured={n: _stack(chunk[n].measured for chunk in outcomes) for n in names},
        held=pl.concat(held),
        platform=platform,
        timeframe=timeframe,
    )


def _stack(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    listed = [f for f in frames if f.width]
    return pl.concat(listed, how="diagonal_relaxed") if listed else pl.DataFrame()


def _raw_of_all(
    platform: Platform, timeframe: Timeframe, start: date, end: date
) -> dict[str, pl.DataFrame]:
    """The newest revisions of every vendor that has bars of known instruments in the range."""
    known = [i.symbol for i in platform.universe.instruments]
    logs = {
        v.name: platform.raw_log.read(
            raw_bars(v.name, timeframe), symbols=known, sessions=(start, end)
        )
        for v in platform.universe.vendors_of(timeframe)
    }
    return {name: frame for name, frame in logs.items() if not frame.is_empty()}


def _minutes_of_all(
    platform: Platform, timeframe: Timeframe, start: date, end: date
) -> dict[str, pl.DataFrame]:
    """The minutes that curated bars of a longer timeframe may be made of."""
    if timeframe is Timeframe.M1:
        return {}
    return _raw_of_all(platform, Timeframe.M1, start, end)


def _peers(
    platform: Platform,
    logs: Iterable[pl.DataFrame],
    timeframe: Timeframe,
    minutes: Iterable[pl.DataFrame] = (),
) -> pl.DataFrame | None:
    frames, made = list(logs), list(minutes)
    if len({f.get_column("vendor").item(0) for f in (*frames, *made)}) < 2:
        return None
    return comparable(
        frames,
        minutes=made,
        instruments=platform.universe.instruments,
        timeframe=timeframe,
        actions=platform.actions.read(),
        thresholds=platform.thresholds,
        now=platform.clock.now(),
    )


def _refused(
    platform: Platform,
    vendors: Sequence[str],
    timeframe: Timeframe,
    start: date,
    end: date,
    *,
    stages: Sequence[str] = ("fetch", "curate"),
) -> dict[str, pl.DataFrame]:
    """Quarantined rows: repeats and contradictions apart from rows that break a rule.

    What curation refused is still among the bars of a raw log, and is found there.
    """
    counts = platform.quarantine.counts(
        timeframe=timeframe, sessions=(start, end), vendors=vendors
    ).drop_nulls("session")
    counts = counts.filter(pl.col("stage").is_in(list(stages)))
    repeats = pl.col("reasons").is_in(list(_REPEATS))
    duplicates = (
        counts.filter(pl.col("reasons").is_in(["duplicate", "contradiction"]))
        .group_by("symbol", "session")
        .agg(
            rows=pl.col("rows").filter(pl.col("reasons") == "duplicate").sum(),
            contradictions=pl.col("rows").filter(pl.col("reasons") == "contradiction").sum(),
        )
    )
    return {
        "duplicates": duplicates,
        "quarantine": counts.filter(~repeats).select(
            "symbol", "session", "reasons", "rows", "stage"
        ),
    }
