"""How much history the warehouse holds, per dataset and symbol that somebody keeps current.

What belongs here: reading it. What does not: how much there has to be (market_data/retention),
judging it (market_data/operations/data_retention.py), removing what is old (removing.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from market_data.datasets import MACRO_CALENDAR, Dataset, curated_bars
from market_data.operations.data_retention import ALL_SYMBOLS
from market_data.operations.evidence import HISTORY, Evidence
from market_data.pipeline.platform import Platform
from market_data.pipeline.removing import planned_removals
from market_data.retention.policy import SLACK, DataRetention, RetentionRule
from market_data.timeframes import Timeframe

_DAY = timedelta(days=1)


def with_history(platform: Platform, policy: DataRetention, seen: Evidence) -> Evidence:
    """What was seen of an installation, and how much history it holds.

    Args:
        platform: configuration and ports.
        policy: what is asked for, and what may go.
        seen: tells which symbols are kept current.
    """
    today = seen.at.date()
    frames = [
        _held(platform, dataset, symbols, policy, today)
        for dataset, symbols in _watched(seen).items()
        if policy.asked_of(dataset.name)
    ]
    if policy.asked_of(MACRO_CALENDAR.name):
        frames.append(_macro(platform, policy, today))
    leaving = planned_removals(platform, policy, today)
    return replace(
        seen, history=pl.concat([pl.DataFrame(schema=HISTORY), *frames]), leaving=tuple(leaving)
    )


def _watched(seen: Evidence) -> Mapping[Dataset, Sequence[str]]:
    """Dataset to the symbols whose newest bars somebody asks for."""
    kept = seen.reach.group_by("timeframe", maintain_order=True).agg(pl.col("symbol").unique())
    return {curated_bars(Timeframe(t)): sorted(symbols) for t, symbols in kept.iter_rows()}


def _held(
    platform: Platform,
    dataset: Dataset,
    symbols: Sequence[str],
    policy: DataRetention,
    today: date,
) -> pl.DataFrame:
    """Rows of HISTORY of a dataset of bars, one per symbol of which history is asked for."""
    months = platform.store.counts(dataset)
    listed = {i.symbol: i.listed for i in platform.universe.instruments}
    rules = {s: rule for s in symbols if (rule := policy.rule(dataset.name, s)) is not None}
    asked = {s: rule for s, rule in rules.items() if rule.target is not None}
    by_symbol = months.group_by("symbol").agg(pl.col("rows").sum(), pl.col("month"))
    held = {symbol: (rows, found) for symbol, rows, found in by_symbol.iter_rows()}
    newest = _edges(platform, dataset, months, list(asked), newest=True)
    oldest = _edges(platform, dataset, months, list(asked), newest=False)
    rows = [
        {
            "dataset": dataset.name,
            "symbol": symbol,
            "oldest": oldest.get(symbol),
            "newest": newest.get(symbol),
            "rows": held.get(symbol, (0, []))[0],
            "empty_months": _holes(held.get(symbol, (0, []))[1], rule, today),
            "listed": listed.get(symbol),
            **_limits(rule),
        }
        for symbol, rule in asked.items()
    ]
    return pl.DataFrame(rows, schema=HISTORY)


def _edges(
    platform: Platform,
    dataset: Dataset,
    months: pl.DataFrame,
    symbols: Sequence[str],
    *,
    newest: bool,
) -> dict[str, date]:
    """Symbol to its oldest or newest session; one that has no rows is not in it."""
    edge = pl.col("month").max() if newest else pl.col("month").min()
    by_month = (
        months.filter(pl.col("symbol").is_in(symbols))
        .group_by("symbol")
        .agg(edge)
        .group_by("month")
        .agg(pl.col("symbol").sort())
    )
    found: dict[str, date] = {}
    for month, held in by_month.sort("month").iter_rows():
        sessions = platform.store.scan(
            dataset, symbols=held, sessions=month_of(month), columns=["symbol", "session"]
        )
        session = pl.col("session").max() if newest else pl.col("session").min()
        found |= dict(sessions.group_by("symbol").agg(session).iter_rows())
    return found


def month_of(first: date) -> tuple[date, date]:
    """First and last day of a month."""
    return first, (first.replace(day=1) + timedelta(days=32)).replace(day=1) - _DAY


def _holes(months: Sequence[date], rule: RetentionRule, today: date) -> int:
    """Months without any row, of those that are asked for and lie between others."""
    since = (today - (rule.target or timedelta(0))).replace(day=1)
    wanted = sorted(month for month in months if month >= since)
    if not wanted:
        return 0
    first, last = wanted[0], wanted[-1]
    whole = (last.year - first.year) * 12 + last.month - first.month + 1
    return whole - len(set(wanted))


def _macro(platform: Platform, policy: DataRetention, today: date) -> pl.DataFrame:
    """One row of HISTORY for the whole calendar: releases are months apart; none where it is empty.

    Events that lie ahead are no history.
    """
    rule = policy.rule(MACRO_CALENDAR.name, ALL_SYMBOLS)
    months = platform.store.counts(MACRO_CALENDAR)
    if rule is None or rule.target is None or months.is_empty():
        return pl.DataFrame(schema=HISTORY)
    oldest, ahead = min(months["month"]), today + _DAY
    first = platform.store.scan(MACRO_CALENDAR, sessions=month_of(oldest), columns=["session"])
    since = today.replace(day=1) - SLACK
    last = platform.store.scan(MACRO_CALENDAR, sessions=(since, today), columns=["session"])
    row = {
        "dataset": MACRO_CALENDAR.name,
        "symbol": ALL_SYMBOLS,
        "oldest": first["session"].min(),
        "newest": last["session"].max(),
        "rows": int(months.filter(pl.col("month") < ahead)["rows"].sum()),
        "empty_months": _holes([m for m in months["month"].unique() if m <= today], rule, today),
        "listed": None,
        **_limits(rule),
    }
    return pl.DataFrame([row], schema=HISTORY)


def _limits(rule: RetentionRule) -> dict[str, object]:
    return {
        "rule": rule.name,
        "target_days": None if rule.target is None else rule.target.days,
        "minimum_days": None if rule.minimum is None else rule.minimum.days,
    }
