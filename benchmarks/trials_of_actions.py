"""Trials of the detectors that hold numbers against what says the same thing twice.

What belongs here: days that contradict their minutes, adjusted closes that contradict the recorded
actions, dividends that repeat each other. What does not: splits that nobody told
(trials_of_prices.py), counting (trial.py).
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from benchmarks.planted import Kind, limits_of
from benchmarks.trial import Judged, Trial, is_daily_equity, is_sampled
from benchmarks.trials_of_sessions import chosen, expected_of
from market_data.quality.consistency import (
    check_adjustment_chain,
    check_against_intraday,
    check_phantom_dividends,
    spans,
)

_ALWAYS = (date.min, date.max)
_QUARTER = 63
"""Sessions from one dividend to the next."""
_WRONG = 3
"""Dividends of a series with a fault, and as many that look like one."""


def _against_minutes(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
    """A high, low or close of a day that its minutes contradict, or hardly."""
    wrong, allowed = chosen(bars, kind, chance)
    limits = limits_of(kind)
    tolerance = float(limits["consistency"][0])
    off = {day: tolerance * chance.uniform(1.5, 20) for day in wrong}
    off |= {day: tolerance * chance.uniform(0, 0.8) for day in allowed}
    days = bars.group_by("symbol", "session", maintain_order=True).agg(
        pl.col("high").max(), pl.col("low").min(), pl.col("close").last()
    )
    for day, share in off.items():
        cell = str(chance.choice(["high", "low", "close"]))
        moved = pl.col(cell) * (1 + chance.choice([-1, 1]) * share)
        days = days.with_columns(pl.when(pl.col("session") == day).then(moved).otherwise(cell))
    within = spans(bars, expected_of(kind))
    outcome = check_against_intraday(days, within, limits, dataset="")
    return _judged(wrong, outcome.findings, bars)


def _chain(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
    """Dividends that an adjusted close does not know of, or has twice; a split that it knows."""
    close, sessions = bars["close"].to_numpy().copy(), bars["session"].to_list()
    split = 3 * _QUARTER - 30
    close[split:] /= 2
    close = close.round(2)
    paid = list(range(20, len(close), _QUARTER))
    cash = {at: round(0.005 * close[at - 1], 2) for at in paid}
    wrong = [int(at) for at in chance.choice(paid, _WRONG, replace=False)]
    factors = np.ones(len(close))
    factors[split] = 1 / 2
    for at in paid:
        times = int(chance.choice([0, 2])) if at in wrong else 1
        factors[at] = (1 - cash[at] / close[at - 1]) ** times
    after = np.append(np.cumprod(factors[::-1])[::-1][1:], 1.0)
    told = bars.select("symbol", "session").with_columns(
        close=pl.Series(close), adj_close=pl.Series((close * after).round(6)), fetch_id=pl.lit("f")
    )
    known = [(sessions[at], "dividend", value) for at, value in cash.items()]
    actions = _actions([*known, (sessions[split], "split", 2.0)])
    outcome = check_adjustment_chain(told, actions, limits_of(kind), dataset="", sessions=_ALWAYS)
    return _judged([sessions[at] for at in wrong], outcome.findings, bars)


def _repeated(bars: pl.DataFrame, _kind: Kind, chance: np.random.Generator) -> Judged:
    """Dividends told again some days later, nearly the same; and special ones, which are others."""
    sessions = bars["session"].to_list()[20::_QUARTER]
    drawn = chance.permutation(len(sessions)).tolist()
    known = [(day, "dividend", 0.5) for day in sessions]
    wrong: list[date] = []
    for turn, at in enumerate(drawn[: 2 * _WRONG]):
        later = sessions[at] + timedelta(days=int(chance.integers(1, 7)))
        special = turn >= _WRONG
        known.append(
            (later, "dividend", 0.5 * chance.uniform(*((2, 4) if special else (0.8, 1.2))))
        )
        wrong += [] if special else [later]
    outcome = check_phantom_dividends(_actions(known), dataset="", sessions=_ALWAYS)
    return _judged(wrong, outcome.findings, bars)


def _actions(known: list[tuple[date, str, float]]) -> pl.DataFrame:
    rows = [("AAA", *action) for action in known]
    return pl.DataFrame(rows, schema=["symbol", "ex_date", "kind", "value"], orient="row")


def _judged(wrong: list[date], findings: pl.DataFrame, bars: pl.DataFrame) -> Judged:
    told = [day.toordinal() for day in findings["session"].to_list()]
    return Judged(frozenset(day.toordinal() for day in wrong), frozenset(told), bars.height)


def _has_minutes(kind: Kind) -> bool:
    return not kind.daily and is_sampled(kind)


TRIALS = (
    Trial("consistency", "day off its minutes", _against_minutes, _has_minutes),
    Trial("adjustment chain", "dividend left out or twice", _chain, is_daily_equity),
    Trial("phantom dividend", "dividend told again", _repeated, is_daily_equity),
)
