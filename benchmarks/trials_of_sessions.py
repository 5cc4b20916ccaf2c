"""Trials of the detectors that look at what a session holds, and at two vendors of it.

What belongs here: sessions that are missing, end early, are told twice, hold impossible rows or
disagree with another vendor's; and how the checks' answers are read. What does not: faults of bars
beside each other (price_faults.py), counting (trial.py).

Beside every faulty session stand as many of which a part is missing, late or off that the limits
allow: telling of them is a false alarm. Faults are counted in sessions, impossible rows in bars.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache

import numpy as np
import polars as pl

from adapters.vendors.sample.instruments import INSTRUMENTS
from benchmarks.planted import FIRST, LAST, MINUTES_LAST, Kind, limits_of
from benchmarks.price_faults import places
from benchmarks.trial import Judge, Judged, Trial, is_sampled
from market_data.calendars import expected_bars
from market_data.quality.checks import BarsView, check_drift
from market_data.quality.coverage import check_coverage
from market_data.quality.duplicates import check_duplicates
from market_data.quality.ohlc import check_ohlc
from market_data.quality.staleness import check_staleness
from market_data.schemas import CURATED_BARS
from market_data.universe import AssetClass, Instrument

_LATER = datetime(2027, 1, 1, tzinfo=UTC)
_NOISE = {"equity": 1e-4, "fx": 1e-5, "crypto": 1e-4, "index": 1e-4, "future": 1e-4}
"""How far closes of two sound vendors lie apart: the standard deviation of their ratio."""

Sessions = tuple[list[date], list[date]]
"""Those with a fault, and those with less than one."""


def chosen(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Sessions:
    """Ten days of each sort; of minutes, of which there are fewer sessions, three of each."""
    if kind.daily:
        days = [bars["session"][at] for at in places(bars, chance, 20)]
        days += [bars["session"][at + 10] for at in places(bars, chance, 20)]
        return days[:10], days[10:]
    sessions = bars["session"].unique().sort().to_list()
    drawn = [sessions[i] for i in chance.choice(len(sessions), 6, replace=False)]
    return drawn[:3], drawn[3:]


def view_of(bars: pl.DataFrame, kind: Kind) -> BarsView:
    """Bars of the sample vendor as a curated dataset, long after their last session."""
    expected = expected_of(kind)
    if kind.daily:
        # A day's bar begins with its session.
        opens = expected.select("session", ts="open")
        bars = bars.drop("ts").join(opens, on="session", maintain_order="left")
    curated = bars.with_columns(
        source=pl.lit("a"),
        filled=pl.lit(""),
        final=pl.lit(value=True),
        dq_status=pl.lit("ok"),
        flags=pl.lit(""),
        rule_version=pl.lit("r"),
    )
    return BarsView(
        dataset=f"curated/bars_{kind.timeframe}",
        kind="curated",
        timeframe=kind.timeframe,
        instruments=[_instrument(kind)],
        bars=CURATED_BARS.conform(curated),
        expected=expected,
        sessions=(expected["session"][0], expected["session"][-1]),
        now=_LATER,
    )


def _instrument(kind: Kind) -> Instrument:
    return Instrument(
        symbol="AAA",
        asset_class=AssetClass(kind.asset_class),
        calendar=INSTRUMENTS[kind.symbol].calendar,
    )


@cache
def expected_of(kind: Kind) -> pl.DataFrame:
    """What the calendar of a kind expects."""
    last = LAST if kind.daily else MINUTES_LAST
    return expected_bars([_instrument(kind)], kind.timeframe, FIRST, last)


def judged_sessions(
    wrong: list[date], findings: pl.DataFrame, bars: pl.DataFrame, *codes: str
) -> Judged:
    """Which sessions are told of with one of these codes."""
    told = findings.filter(pl.col("code").is_in(codes))["session"].unique().to_list()
    return Judged(_ordinals(wrong), _ordinals(told), bars.height)


def _ordinals(sessions: list[date]) -> frozenset[int]:
    return frozenset(day.toordinal() for day in sessions)


def _coverage(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
    """Bars are missing: up to twice what is allowed, or nearly as much; of days the whole bar."""
    wrong, allowed = chosen(bars, kind, chance)
    if kind.daily:
        left = bars.filter(~pl.col("session").is_in(wrong))
    else:
        most = 1 - float(limits_of(kind)["coverage_warn"][0])
        lost = {day: most * chance.uniform(1.1, 2) for day in wrong}
        lost |= {day: most * chance.uniform(0, 0.9) for day in allowed}
        left = thinned(bars, lost, chance)
    outcome = check_coverage(view_of(left, kind), limits_of(kind))
    codes = ("coverage_low", "coverage_error", "no_data")
    return judged_sessions(wrong, outcome.findings, bars, *codes)


def thinned(
    bars: pl.DataFrame, lost: dict[date, float], chance: np.random.Generator
) -> pl.DataFrame:
    """Without a share of the bars of some sessions, drawn at random."""
    gone: list[int] = []
    for day, share in lost.items():
        numbers = bars.filter(pl.col("session") == day)["number"].to_numpy()
        gone += chance.choice(numbers, round(share * len(numbers)), replace=False).tolist()
    return bars.filter(~pl.col("number").is_in(gone))


def _staleness(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
    """The newest minutes are missing: up to four times what is allowed, or no more than that."""
    wrong, allowed = chosen(bars, kind, chance)
    if kind.daily:
        left = bars.filter(~pl.col("session").is_in(wrong))
    else:
        limit = limits_of(kind)["stale_warn"][0] // kind.timeframe.duration
        ends = {day: int(chance.integers(limit + 1, 4 * limit)) for day in wrong}
        ends |= {day: int(chance.integers(1, limit + 1)) for day in allowed}
        lost = pl.col("session").replace_strict(ends, default=0, return_dtype=pl.Int64)
        place = pl.int_range(pl.len(), 0, -1).over("session")
        left = bars.filter(place > lost)
    outcome = check_staleness(view_of(left, kind), limits_of(kind))
    return judged_sessions(wrong, outcome.findings, bars, "stale")


def _twice(code: str, by: float) -> Judge:
    """Bars that come again, as they were or by so much dearer."""

    def judge(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
        wrong, _ = chosen(bars, kind, chance)
        of_wrong = bars.filter(pl.col("session").is_in(wrong))
        some = pl.int_range(pl.len()).over("session") < int(chance.integers(1, 6))
        again = of_wrong.filter(some).with_columns(close=pl.col("close") * (1 + by))
        outcome = check_duplicates(view_of(pl.concat([bars, again]), kind))
        return judged_sessions(wrong, outcome.findings, bars, code)

    return judge


def _impossible(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
    """Single cells that no bar can have."""
    most = float(limits_of(kind)["price_max"][0])
    cells: list[tuple[str, Callable[[dict[str, float]], float]]] = [
        ("high", lambda row: row["low"] * 0.99),
        ("low", lambda row: row["high"] * 1.01),
        ("close", lambda row: row["high"] * 1.02),
        ("open", lambda _row: float("nan")),
        ("low", lambda _row: 0.0),
        ("close", lambda row: -row["close"]),
        ("high", lambda _row: most * 2),
        ("volume", lambda row: -row["volume"] - 1),
    ]
    wrong = places(bars, chance, 8)
    values = {name: bars[name].to_numpy().copy().astype(float) for name in _CELLS}
    for at in wrong:
        name, made = cells[int(chance.integers(len(cells)))]
        values[name][at] = made({n: float(v[at]) for n, v in values.items()})
    spoilt = bars.with_columns(pl.Series(name, cells_) for name, cells_ in values.items())
    view = view_of(spoilt, kind)
    found = check_ohlc(view, limits_of(kind)).rows
    numbered = view.bars.with_row_index("row").join(found, on=["symbol", "ts"], how="semi")
    return Judged(frozenset(wrong), frozenset(numbered["row"].to_list()), bars.height)


_CELLS = ("open", "high", "low", "close", "volume")


def _drift(vendors: int) -> Judge:
    """Closes of one vendor that lie off by up to four limits, or by less than half of one."""

    def judge(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Judged:
        wrong, allowed = chosen(bars, kind, chance)
        limit, warn = (float(limits_of(kind)[name][0]) for name in ("drift_error", "drift_warn"))
        sign = chance.choice([-1, 1])
        off = {day: sign * limit * chance.uniform(1.2, 4) for day in wrong}
        off |= {day: sign * warn * chance.uniform(0, 0.4) for day in allowed}
        factor = 1 + pl.col("session").replace_strict(off, default=0.0, return_dtype=pl.Float64)
        view = view_of(bars, kind)
        told = view.bars.select("symbol", "ts", "session", "close", basis_group=pl.lit("g"))
        said = [told.with_columns(vendor=pl.lit("a"))]
        for name in "bc"[: vendors - 1]:
            noise = pl.Series(chance.normal(1, _NOISE[kind.asset_class], told.height))
            own = factor if name == "b" else pl.lit(1.0)
            said.append(told.with_columns(close=pl.col("close") * noise * own, vendor=pl.lit(name)))
        outcome = check_drift(replace(view, peers=pl.concat(said)), limits_of(kind))
        if vendors == 2:
            return judged_sessions(wrong, outcome.findings, bars, "drift")
        # Whoever names the wrong vendor has found nothing.
        odd = outcome.measured.filter(pl.col("odd_vendor") == "b").select("session")
        named = outcome.findings.join(odd, on="session", how="semi")
        others = outcome.findings.join(odd, on="session", how="anti")
        right = judged_sessions(wrong, named, bars, "drift_outlier")
        astray = frozenset(-day for day in _ordinals(others["session"].to_list()))
        return replace(right, told=right.told | astray)

    return judge


TRIALS = (
    Trial("coverage", "bars missing", _coverage, is_sampled),
    Trial("staleness", "no bar before the close", _staleness, is_sampled),
    Trial("duplicates", "bars told twice", _twice("duplicate_rows", 0.0), is_sampled),
    Trial("duplicates", "told twice, 0.1 % apart", _twice("contradiction", 0.001), is_sampled),
    Trial("ohlc", "cells that cannot be", _impossible, is_sampled),
    Trial("drift", "one of two vendors off", _drift(2), is_sampled),
    Trial("drift", "one of three vendors off, named", _drift(3), is_sampled),
)
