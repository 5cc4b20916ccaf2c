"""What a vendor's bars are worth to curated bars: candidates for stitching.

What belongs here: how a basis relates to the home basis, and the flags and the status that bars
bring along before vendors are compared. What does not: making bars fit (market_data/
preparation.py), choosing among candidates (stitching.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from market_data.basis import FOREIGN_DAY, SPLITS_DISPUTED, Adjustment, Basis, Side
from market_data.calendars import trading_sessions
from market_data.curation.preparation import DEADJUSTED, Group
from market_data.curation.stitching import PARTIAL, Candidate
from market_data.curation.undone_splits import DISPUTED
from market_data.curation.units import divisor
from market_data.quality.thresholds import Rules
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass

SPLITS_UNKNOWN = "splits_unknown"
"""Flag of prices that may be divided by splits of which nobody has told."""
SPLITS_OPEN = f"{SPLITS_UNKNOWN}|{SPLITS_DISPUTED}"
"""Pattern of both flags of prices that may be divided by a split; no bar gets both."""


@dataclass(frozen=True)
class Meaning:
    """What a basis means to curated bars.

    Attributes:
        group: bars of equal groups may be compared and may lend each other a volume.
        home: the basis that curated bars are meant to have.
        flags: what readers should know where it is not.
    """

    group: str
    home: bool
    flags: tuple[str, ...]


def meaning(basis: Basis, group: Group, currency: str, timeframe: Timeframe) -> Meaning:
    """How a basis relates to the home basis of an asset class.

    Home is the mid price for fx and the trade price for all others, in the instrument's currency,
    over its own day. The day and the hours say nothing about an intraday bar, and an empty unit is
    the instrument's currency. Shares whose basis still says that they are adjusted for splits are
    those whose splits nobody told, or that are disputed.
    """
    side = Side.MID if group.asset_class is AssetClass.FX else Side.TRADE
    unit = currency if divisor(basis.unit, currency) else basis.unit
    day = "" if timeframe.is_intraday else basis.day
    hours = "" if timeframe.is_intraday else str(basis.hours)
    adjustment = str(basis.adjustment) if group.asset_class.is_adjustable else ""
    flags = []
    if adjustment == Adjustment.SPLITS:
        flags.append(SPLITS_UNKNOWN)
    if day:
        flags.append(FOREIGN_DAY)
    if basis.side is not side:
        flags.append(f"side_{basis.side}")
    if unit != currency:
        flags.append(f"unit_{unit.lower()}")
    return Meaning("|".join((adjustment, basis.side, unit, hours, day)), not flags, tuple(flags))


def native_candidate(found: Meaning, bars: pl.DataFrame) -> Candidate:
    """A candidate of one vendor's own bars of the timeframe.

    Args:
        found: what their basis means.
        bars: rows of RAW_BARS, not empty, with `deadjusted` and `final`.
    """
    return _candidate(found, bars, _flags(found, bars), _status(found), resampled=False)


def resampled_candidate(
    found: Meaning, bars: pl.DataFrame, *, calendar: str, timeframe: Timeframe, rules: Rules
) -> Candidate:
    """A candidate made of one vendor's minutes.

    A bar that is over and lacks more of its minutes than one-minute bars may lack is flagged
    `partial`: its prices are those of the minutes that are known.

    Args:
        found: what the minutes' basis means.
        bars: what `market_data.curation.resampling.resample` returns, not empty.
        calendar: calendar code of the instruments.
        timeframe: timeframe of the bars.
        rules: limits of one-minute bars.
    """
    rows = _with_minutes(bars, calendar, timeframe)
    share = pl.col("parts") / pl.col("minutes")
    partial = pl.col("final") & (share < rules.coverage_warn)
    flags = _flags(found, bars) | {PARTIAL: pl.when(partial).then(pl.lit(PARTIAL))}
    status = (
        pl.when(partial & (share < rules.coverage_error))
        .then(pl.lit("error"))
        .when(partial)
        .then(pl.lit("warn"))
        .otherwise(_status(found))
    )
    return _candidate(found, rows, flags, status, resampled=True)


def _flags(found: Meaning, bars: pl.DataFrame) -> dict[str, pl.Expr]:
    """Flag to its text, null in rows that do not have it."""
    flags = {flag: pl.lit(flag) for flag in found.flags}
    if bars.get_column(DEADJUSTED).any():
        flags[DEADJUSTED] = pl.when(DEADJUSTED).then(pl.lit(DEADJUSTED))
    if bars.get_column(DISPUTED).any():
        flags[SPLITS_DISPUTED] = pl.when(DISPUTED).then(pl.lit(SPLITS_DISPUTED))
        # Somebody has told of one: what is open is whether the price is divided by it.
        if SPLITS_UNKNOWN in flags:
            flags[SPLITS_UNKNOWN] = pl.when(~pl.col(DISPUTED)).then(pl.lit(SPLITS_UNKNOWN))
    return flags


def _status(found: Meaning) -> pl.Expr:
    """De-adjusted prices are exact and warn of nothing; prices off the home basis do.

    A price in another currency is not the instrument's price at all. It is kept, so that people
    see what came, but an error is never served unless asked for, and gives way to any other bar.
    """
    if any(flag.startswith("unit_") for flag in found.flags):
        return pl.lit("error")
    return pl.lit("warn" if found.flags else "ok")


def _candidate(
    found: Meaning,
    bars: pl.DataFrame,
    flags: dict[str, pl.Expr],
    status: pl.Expr,
    *,
    resampled: bool,
) -> Candidate:
    if bars.get_column(DISPUTED).any():
        # What may be a fourth of the price is none: kept to be seen, never served unless asked for.
        status = pl.when(DISPUTED).then(pl.lit("error")).otherwise(status)
    texts = [flags[name] for name in sorted(flags)]
    joined = pl.concat_str(texts, separator=",", ignore_nulls=True) if texts else pl.lit("")
    rows = bars.with_columns(flags=joined, dq_status=status)
    return Candidate(
        bars.get_column("vendor").item(0),
        rows,
        found.group,
        found.home,
        resampled,
        close_only=f"side_{Side.FIX}" in found.flags,
    )


def _with_minutes(bars: pl.DataFrame, calendar: str, timeframe: Timeframe) -> pl.DataFrame:
    """Adds `minutes`, how many one-minute bars each bar should be made of."""
    if timeframe.is_intraday:
        span = (pl.col("bar_end") - pl.col("ts")).dt.total_minutes()
        return bars.with_columns(minutes=span)
    first, last = bars.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
    sessions = trading_sessions(calendar, first, last).select("session", "minutes")
    return bars.join(sessions, on="session", how="left", maintain_order="left")


def by_basis(
    bars: pl.DataFrame, group: Group, timeframe: Timeframe
) -> Sequence[tuple[Meaning, pl.DataFrame]]:
    """The bars apart by what their basis means to their instrument, in the order given."""
    texts = bars.get_column("basis").unique().to_list()
    currencies = {c for _, c in group.currencies}
    meanings = {
        (t, c): meaning(Basis.parse(t), group, c, timeframe) for t in texts for c in currencies
    }
    if len(set(meanings.values())) <= 1:
        return [(m, bars) for m in set(meanings.values())]
    apart: dict[Meaning, pl.Expr] = {}
    for (text, currency), found in meanings.items():
        symbols = [s for s, c in group.currencies if c == currency]
        these = (pl.col("basis") == text) & pl.col("symbol").is_in(symbols)
        apart[found] = apart[found] | these if found in apart else these
    parts = [(found, bars.filter(these)) for found, these in apart.items()]
    return [(found, part) for found, part in parts if not part.is_empty()]


def with_one_basis(bars: pl.DataFrame) -> pl.DataFrame:
    """The same minutes, whose texts of the basis mean the same, with one text per symbol-session.

    A vendor that names its unit in one fetch and not in the next still speaks of one bar.
    """
    if bars.get_column("basis").n_unique() <= 1:
        return bars
    return bars.with_columns(pl.col("basis").min().over("symbol", "session"))
