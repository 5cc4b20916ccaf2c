"""Score: how good each symbol-session of the curated bars is.

What belongs here: which slices are scored, and where the scores go.
What does not: the score itself (market_data/quality/score.py), the flags of single bars that are
kept before it (kept_flags.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import polars as pl

from market_data.datasets import SCORES_DATASET, curated_bars
from market_data.pipeline.besides import checks_beside
from market_data.pipeline.curate import chunks, lock_names, step_days
from market_data.pipeline.decisions import decisions
from market_data.pipeline.kept_flags import Scored, keep_flags
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.pipeline.rules import rules_in_force
from market_data.pipeline.scores_and_flags import contradicted_scores
from market_data.pipeline.telemetry import score_events
from market_data.pipeline.views import curated_view, kept_symbols
from market_data.ports import Annotation
from market_data.quality.checks import evaluate_bars
from market_data.quality.score import score_sessions
from market_data.quality.view import BarsView
from market_data.schemas import FINDINGS, SCORES
from market_data.timeframes import Timeframe

LONGEST_FLAT_RUN = 20
"""Daily bars: a longer run of one unchanged close counts as this many sessions. A bound is needed
for a score to be the same whether its session is scored alone or within a range."""


def score_range(
    platform: Platform,
    symbols: Sequence[str],
    first: date,
    last: date,
    progress: Progress = silent,
    *,
    timeframes: Sequence[Timeframe] | None = None,
) -> pl.DataFrame:
    """Score some symbols over a range of sessions, and keep the flags of their bars and the scores.

    Args:
        platform: configuration and ports.
        symbols: which.
        first: first session.
        last: last session.
        progress: told what is being scored.
        timeframes: only these, the scores of all others stay as they are; None for all.

    Returns:
        The rows of SCORES of the slice, sorted by (symbol, session, dataset). Sessions beside it
        whose flags changed with it are scored too; they are not among the rows.
    """
    chosen = tuple(Timeframe) if timeframes is None else tuple(timeframes)
    kept = _kept(platform, chosen)
    parts, reach = [], (first, last)
    for start, end in chunks(first, last, _days(platform, kept)):
        progress(f"score: {start} to {end}")
        # Flags first: after a crash in between it is the scores that are missing, which shows.
        part = Scored((start, end), begins=start == first, ends=end == last)
        flagged = keep_flags(platform, symbols, part, held=kept.keys(), chosen=chosen)
        reach = min(reach[0], flagged[0]), max(reach[1], flagged[1])
        parts.append(_score_part(platform, symbols, (start, end), kept, chosen))
    _score_beside(platform, symbols, (first, last), reach, kept)
    return pl.concat([SCORES.empty(), *parts]).sort(SCORES_DATASET.sort)


def _score_part(
    platform: Platform,
    symbols: Sequence[str],
    sessions: tuple[date, date],
    kept: Mapping[Timeframe, Sequence[str]],
    chosen: Sequence[Timeframe],
) -> pl.DataFrame:
    """Score a part of a range and keep the scores; those of other timeframes stay as they are."""
    with platform.locks.hold(lock_names(SCORES_DATASET.name, *sessions)):
        scores = _scores(platform, symbols, sessions, kept)
        others = _of_others(platform, symbols, sessions, chosen)
        platform.store.replace(
            SCORES_DATASET,
            pl.concat([scores, others]).sort(SCORES_DATASET.sort),
            sessions=sessions,
            symbols=symbols,
        )
    now = platform.clock.now()
    platform.events.publish(score_events(scores, sessions, platform.rule_version, now))
    return scores


def _score_beside(
    platform: Platform,
    symbols: Sequence[str],
    scored: tuple[date, date],
    reach: tuple[date, date],
    kept: Mapping[Timeframe, Sequence[str]],
) -> None:
    """Score the sessions beside a range whose scores do not say what the flags say now.

    They are few: the range changed what their bars look like.
    """
    named = {curated_bars(t).name: t for t in kept}
    beside = contradicted_scores(platform, reach, symbols).filter(
        ~pl.col("session").is_between(*scored), pl.col("dataset").is_in(list(named))
    )
    for (name, day), of in beside.group_by("dataset", "session", maintain_order=True):
        if isinstance(day, date):
            timeframe = named[str(name)]
            whose = of["symbol"].to_list()
            _score_part(platform, whose, (day, day), {timeframe: kept[timeframe]}, [timeframe])


def scores_of(
    platform: Platform,
    symbols: Sequence[str],
    sessions: tuple[date, date],
    timeframes: Sequence[Timeframe],
) -> pl.DataFrame:
    """The scores of a range as they would be made now: rows of SCORES; keeps nothing."""
    kept = _kept(platform, timeframes)
    parts = [
        _scores(platform, symbols, part, kept) for part in chunks(*sessions, _days(platform, kept))
    ]
    return pl.concat([SCORES.empty(), *parts]).sort(SCORES_DATASET.sort)


def _kept(platform: Platform, timeframes: Sequence[Timeframe]) -> dict[Timeframe, list[str]]:
    return {t: symbols for t in timeframes if (symbols := kept_symbols(platform, t))}


def _days(platform: Platform, timeframes: Iterable[Timeframe]) -> int:
    return min((step_days(platform, t) for t in timeframes), default=366)


def _scores(
    platform: Platform,
    symbols: Sequence[str],
    sessions: tuple[date, date],
    kept: Mapping[Timeframe, Sequence[str]],
) -> pl.DataFrame:
    decided = decisions(platform, None, sessions)
    views = (
        _of_symbols(curated_view(platform, t, *sessions, of), symbols) for t, of in kept.items()
    )
    scores = pl.concat([SCORES.empty(), *(_score(platform, view, decided) for view in views)])
    return scores.with_columns(rule_version=rules_in_force(platform)).sort(SCORES_DATASET.sort)


def _of_others(
    platform: Platform,
    symbols: Sequence[str],
    sessions: tuple[date, date],
    chosen: Sequence[Timeframe],
) -> pl.DataFrame:
    """The stored scores of a slice that are of other timeframes than the chosen ones."""
    if len(chosen) == len(Timeframe):
        return SCORES.empty()
    stored = platform.store.scan(SCORES_DATASET, symbols=symbols, sessions=sessions)
    return stored.filter(~pl.col("dataset").is_in([curated_bars(t).name for t in chosen]))


def _score(platform: Platform, view: BarsView, decided: Sequence[Annotation]) -> pl.DataFrame:
    if view.bars.is_empty() and view.expected.is_empty():
        return SCORES.empty()
    outcomes = evaluate_bars(view, platform.thresholds, platform.expectations)
    also = pl.concat([FINDINGS.empty(), *(o.findings for _, o in checks_beside(platform, view))])
    scores = score_sessions(
        view,
        outcomes,
        platform.thresholds,
        rule_version=platform.rule_version,
        also=also,
        decided=decided,
    )
    return scores.filter(pl.col("session") >= view.sessions[0]).with_columns(
        pl.col("flat_run").clip(upper_bound=LONGEST_FLAT_RUN)
    )


def _of_symbols(view: BarsView, symbols: Sequence[str]) -> BarsView:
    wanted = pl.col("symbol").is_in(list(symbols))
    return replace(
        view,
        bars=view.bars.filter(wanted),
        expected=view.expected.filter(wanted),
        peers=None if view.peers is None else view.peers.filter(wanted),
        around=None if view.around is None else view.around.filter(wanted),
        actions=view.actions.filter(wanted),
        within=None if view.within is None else view.within.filter(wanted),
        duplicates=None if view.duplicates is None else view.duplicates.filter(wanted),
        quarantine=None if view.quarantine is None else view.quarantine.filter(wanted),
    )
