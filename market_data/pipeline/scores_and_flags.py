"""Scores beside the kept flags of the same sessions: which contradict them, and where either lacks.

What belongs here: finding sessions whose score says otherwise than the flags of their bars, and
such as nobody has judged at all. What does not: scoring (score.py), finding flags (kept_flags.py),
scores that other rules made (rescore.py).

A run renews flags of sessions beside its own, and scores these too; one that dies in between leaves
scores that know nothing of the flags. That shows without any note: the codes of flags are among the
reasons of a score, or not.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from datetime import date

import polars as pl

from market_data.datasets import FLAGS_DATASET, SCORES_DATASET, curated_bars
from market_data.errors import UnjudgedBarsWarning
from market_data.pipeline.curate import chunks, step_days
from market_data.pipeline.decisions import decisions
from market_data.pipeline.platform import Platform
from market_data.pipeline.rules import found_flags, rules_in_force
from market_data.pipeline.views import kept_symbols
from market_data.quality.actions import ACTIONS
from market_data.quality.bar_flags import BAR_FLAGS, open_flags
from market_data.quality.effects import DataEffect
from market_data.quality.findings import KEY
from market_data.timeframes import Timeframe
from market_data.wording import few

FLAG_CODES = sorted(
    code
    for action in ACTIONS
    if action.data in (DataEffect.FLAG_ROW, DataEffect.MARK_ROW)
    for code in action.codes
)
_ROW = ["dataset", *KEY]
_SCORE = [*_ROW, "rule_version", "score", "status"]


def contradicted_scores(
    platform: Platform,
    sessions: tuple[date, date] | None = None,
    symbols: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Scores that know nothing of a flag that is kept, or name one that is not.

    Args:
        platform: where both are, and people's decisions: a flag that somebody accepts need not be
            named.
        sessions: first and last session; None for all that are stored.
        symbols: only these; None for all.

    Returns:
        Columns dataset, symbol, session, rule_version, score, status, sorted by (symbol, session,
        dataset).
    """
    scores = platform.store.scan(
        SCORES_DATASET, symbols=symbols, sessions=sessions, columns=[*_SCORE, "reasons"]
    )
    kept = platform.store.scan(FLAGS_DATASET, symbols=symbols, sessions=sessions)
    told = kept.group_by(_ROW).agg(codes=pl.col("code").unique())
    still_open = _open(platform, kept).group_by(_ROW).agg(open=pl.col("code").unique())
    none = pl.lit([], pl.List(pl.String()))
    named = pl.col("reasons").str.split(",")
    untold = pl.col("open").list.set_difference(named)
    flags = named.list.set_intersection(pl.lit(FLAG_CODES, pl.List(pl.String())))
    gone = flags.list.set_difference(pl.col("codes"))
    return (
        scores.join(told, on=_ROW, how="left")
        .join(still_open, on=_ROW, how="left")
        .with_columns(pl.coalesce("codes", none), pl.coalesce("open", none))
        .filter((untold.list.len() > 0) | (gone.list.len() > 0))
        .select(_SCORE)
        .sort(*KEY, "dataset")
    )


def _open(platform: Platform, kept: pl.DataFrame) -> pl.DataFrame:
    """The kept flags that nobody accepted: dataset, symbol, session, code."""
    if kept.is_empty():
        return kept.select(*_ROW, "code")
    span: tuple[date, date] = kept.select(a=pl.col("session").min(), b=pl.col("session").max()).row(
        0
    )
    decided = decisions(platform, None, span)
    flags = kept.with_columns(ts="bar", check="found_by")
    return pl.concat(
        open_flags(of.select(BAR_FLAGS.names()), decided, dataset=str(name)).select(
            *KEY, "code", dataset=pl.lit(str(name))
        )
        for (name,), of in flags.group_by("dataset")
    ).select(*_ROW, "code")


def sessions_not_judged(
    platform: Platform,
    sessions: tuple[date, date] | None = None,
    symbols: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Sessions of curated bars for which nobody has looked for flags: those without a score.

    Returns:
        Columns as of `contradicted_scores`; rule_version and status are empty, the score is null.
    """
    parts = [
        _without_score(platform, timeframe, part, symbols)
        for timeframe in Timeframe
        if (of := kept_symbols(platform, timeframe))
        for part in _parts(platform, timeframe, sessions, of)
    ]
    nobody = {"rule_version": pl.lit(""), "score": pl.lit(None, pl.Float64), "status": pl.lit("")}
    schema = {"dataset": pl.String, "symbol": pl.String, "session": pl.Date}
    found = pl.concat([pl.DataFrame(schema=schema), *parts])
    return found.with_columns(**nobody).select(_SCORE).sort(*KEY, "dataset")


def _parts(
    platform: Platform,
    timeframe: Timeframe,
    sessions: tuple[date, date] | None,
    symbols: Sequence[str],
) -> Iterator[tuple[date, date]]:
    asked = pl.concat(platform.ledger.spans(timeframe=t) for t in {timeframe, Timeframe.M1})
    asked = asked.filter(pl.col("symbol").is_in(list(symbols)))
    first, last = asked.select(a=pl.col("first").min(), b=pl.col("last").max()).row(0)
    if sessions is not None:
        first, last = max(first, sessions[0]), min(last, sessions[1])
    return chunks(first, last, step_days(platform, timeframe))


def _without_score(
    platform: Platform,
    timeframe: Timeframe,
    sessions: tuple[date, date],
    symbols: Sequence[str] | None,
) -> pl.DataFrame:
    """Columns dataset, symbol, session of bars that are over."""
    dataset = curated_bars(timeframe)
    bars = platform.store.scan(
        dataset, symbols=symbols, sessions=sessions, columns=[*KEY, "final"]
    ).filter("final")
    scores = platform.store.scan(
        SCORES_DATASET, symbols=symbols, sessions=sessions, columns=_ROW
    ).filter(dataset=dataset.name)
    held = bars.select(KEY).unique().join(scores, on=KEY, how="anti")
    return held.select(dataset=pl.lit(dataset.name), symbol="symbol", session="session")


def tell_unjudged(
    platform: Platform, bars: pl.DataFrame, timeframe: Timeframe, *, stacklevel: int
) -> None:
    """Warn of bars for which nobody has looked for flags; say nothing where there are none.

    Args:
        platform: where the scores are.
        bars: symbol, session, final of stored bars.
        timeframe: of the bars.
        stacklevel: of `warnings.warn`, counted from the caller.

    Warns:
        UnjudgedBarsWarning: how many sessions of which symbols.
    """
    # Sorted by symbol and time: a session's first bar is enough of it.
    begins = (pl.col("session") != pl.col("session").shift()) | (
        pl.col("symbol") != pl.col("symbol").shift()
    )
    held = bars.filter("final").select(KEY).filter(begins.fill_null(value=True))
    if held.is_empty():
        return
    span: tuple[date, date] = held.select(a=pl.col("session").min(), b=pl.col("session").max()).row(
        0
    )
    symbols = held.get_column("symbol").unique().to_list()
    scores = platform.store.scan(
        SCORES_DATASET, symbols=symbols, sessions=span, columns=[*_ROW, "rule_version"]
    )
    judged = scores.filter(found_flags(), dataset=curated_bars(timeframe).name)
    left = held.join(judged, on=KEY, how="anti")
    if left.is_empty():
        return
    told = left.group_by("symbol").agg(
        pl.len().alias("sessions"), first=pl.col("session").min(), last=pl.col("session").max()
    )
    of_symbol = pl.format("{} ({} session(s), {} to {})", "symbol", "sessions", "first", "last")
    names = told.sort("symbol").select(of_symbol).to_series().to_list()
    warnings.warn(
        f"nobody has looked for wrong bars in these, so that none is flagged: {few(names)}. "
        "'emp quality outdated --rescore' does; 'emp bars ... --checked' (checked=True) does for "
        "one read",
        UnjudgedBarsWarning,
        stacklevel=stacklevel + 1,
    )


def to_score_anew(
    platform: Platform,
    outdated: pl.DataFrame,
    sessions: tuple[date, date] | None = None,
    symbols: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Scores that other rules made, that contradict the kept flags, or that are not there.

    Args:
        platform: configuration and ports.
        outdated: of `market_data.pipeline.rescore.scores_by_other_rules`.
        sessions: first and last session; None for all that are stored.
        symbols: only these; None for all.

    Returns:
        Columns of `outdated`, each session of a dataset once, sorted by (symbol, session, dataset).
    """
    more = [
        found.with_columns(in_force=rules_in_force(platform)).select(outdated.columns)
        for found in (
            contradicted_scores(platform, sessions, symbols),
            sessions_not_judged(platform, sessions, symbols),
        )
    ]
    found = pl.concat([outdated, *more]).unique(_ROW, keep="first", maintain_order=True)
    return found.sort(*KEY, "dataset")
