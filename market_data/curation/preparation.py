"""Raw bars of one vendor made fit for use.

What belongs here: the steps that one vendor's bars go through alone: unit and adjustment, repeats
and contradictions, hours, validation. What does not: what their basis means for curated bars
(candidates.py), anything that compares vendors (disagreement.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from market_data.basis import Adjustment, Basis, Hours, bases_of
from market_data.curation.placement import OUTSIDE_SESSION, misplaced
from market_data.curation.split_evidence import SplitsTold
from market_data.curation.undone_splits import DISPUTED, Splits
from market_data.curation.units import divisor
from market_data.errors import MarketDataError
from market_data.ordering import repeats_key, runs, sort_if_needed
from market_data.revisions import VALUES
from market_data.schemas import PRICES
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from market_data.validation import PriceRange, find_broken

CONTRADICTION = "contradiction"
DEADJUSTED = "deadjusted"
_NEEDED = (
    "vendor",
    "symbol",
    "ts",
    "session",
    *PRICES,
    "volume",
    "vwap",
    "trades",
    "basis",
    "fetched_at",
)

COUNTS = {
    "vendor": pl.String(),
    "timeframe": pl.String(),
    "symbol": pl.String(),
    "session": pl.Date(),
    "rows": pl.Int64(),
    "repeats": pl.Int64(),
    "quarantined": pl.Int64(),
    "left_out": pl.Int64(),
}
"""Per vendor, timeframe, symbol and session: raw rows, and how many of them repeat another, were
refused, or were left out (outside the regular hours of an extended feed, or adjusted for
dividends)."""


@dataclass(frozen=True)
class Group:
    """What instruments that are curated together share."""

    asset_class: AssetClass
    calendar: str
    currencies: tuple[tuple[str, str], ...]
    """Symbols and their currencies."""


def groups_of(
    instruments: Sequence[Instrument], frames: Sequence[pl.DataFrame]
) -> dict[Group, list[Instrument]]:
    """Instruments that have rows, by what decides their rules.

    Raises:
        MarketDataError: a row names a symbol that is not among the instruments.
    """
    present: set[str] = set()
    for frame in frames:
        present.update(frame.get_column("symbol").unique())
    known = {i.symbol: i for i in instruments}
    unknown = sorted(present - set(known))
    if unknown:
        raise MarketDataError(f"bars of symbols that are no instruments: {', '.join(unknown[:10])}")
    together: dict[tuple[AssetClass, str], list[Instrument]] = {}
    for symbol in sorted(present):
        instrument = known[symbol]
        together.setdefault((instrument.asset_class, instrument.calendar), []).append(instrument)
    return {
        Group(asset_class, calendar, tuple((i.symbol, i.currency) for i in members)): members
        for (asset_class, calendar), members in sorted(together.items())
    }


@dataclass(frozen=True)
class Prepared:
    """One vendor's bars after the steps that need no other vendor.

    Attributes:
        bars: fit rows, sorted by (symbol, ts), one per key: vendor, symbol, ts, session, the
            prices as traded, volume, vwap, trades, basis (after de-adjustment), fetched_at,
            `deadjusted` and `disputed`.
        refused: rows of RAW_BARS as they came, with `reasons`.
        counts: rows of COUNTS.
    """

    bars: pl.DataFrame
    refused: pl.DataFrame
    counts: pl.DataFrame


def prepare(
    raw: pl.DataFrame,
    *,
    group: Group,
    timeframe: Timeframe,
    actions: pl.DataFrame,
    prices: PriceRange,
    now: datetime,
    actions_since: pl.DataFrame | None = None,
    told: SplitsTold | None = None,
) -> Prepared:
    """De-adjust, drop repeats, take out what contradicts itself or breaks a rule.

    Args:
        raw: rows of RAW_BARS of one vendor and group, the newest revision of each bar; minutes
            may have `asked_at`, see `market_data.curation.resampling.resample`.
        group: the instruments.
        timeframe: timeframe of the rows.
        actions: rows of CORPORATE_ACTIONS.
        prices: bounds of every price as traded.
        now: bars that start later are refused.
        actions_since: instead of `actions` for rows that were fetched after `now`.
        told: who told splits; without it `actions` holds them all. Split-adjusted rows of whose
            splits nobody told keep that basis, and so do those that are disputed.
    """
    rows = sort_if_needed(raw)
    bases = bases_of(rows)
    broken = misplaced(rows, group.calendar, timeframe)
    unwanted = _left_out(rows, bases, broken, group)
    repeated, contested = _repeats(rows, unwanted)
    if contested is not None:
        broken[CONTRADICTION] = contested
    dropped = _either(unwanted, repeated)
    fit = _as_traded(
        rows.select(pl.col(_NEEDED), pl.col("^asked_at$")),
        bases,
        group,
        Splits(actions, actions_since, now, group.calendar, told),
    )
    found = find_broken(fit, prices=prices, now=now, also=broken, spared=dropped)
    refused = rows.clear().with_columns(reasons=pl.lit(""))
    if found is not None:
        # Kept as they came, not as traded.
        refused = rows.filter(found.flags).with_columns(found.reasons.alias("reasons"))
        dropped = _either(dropped, found.flags)
    if dropped is not None:
        fit = fit.filter(~dropped)
    counts = _counts(rows, refused, timeframe, repeated=repeated, left_out=unwanted)
    return Prepared(fit, refused, counts)


def _as_traded(
    rows: pl.DataFrame, bases: dict[str, Basis], group: Group, splits: Splits
) -> pl.DataFrame:
    """Prices in the instrument's currency and not adjusted, with `deadjusted` and `disputed`."""
    adjusted = any(b.adjustment is Adjustment.SPLITS for b in bases.values())
    factors = _divisors(bases, group)
    if not factors and not (adjusted and group.asset_class.is_adjustable):
        return _neither(rows)
    fit = rows
    quoted = pl.col(*PRICES, "vwap")
    for text, by_symbol in factors.items():
        factor = pl.col("symbol").replace_strict(by_symbol, default=1.0, return_dtype=pl.Float64)
        fit = fit.with_columns(
            pl.when(pl.col("basis") == text).then(quoted / factor).otherwise(quoted)
        )
    if not group.asset_class.is_adjustable:
        return _neither(fit)
    return splits.undone(fit)


def _neither(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows that no split concerns."""
    return rows.with_columns(pl.lit(value=False).alias(c) for c in (DEADJUSTED, DISPUTED))


def _divisors(bases: dict[str, Basis], group: Group) -> dict[str, dict[str, float]]:
    """Basis text to symbol to divisor, where prices come in another unit of the currency."""
    found: dict[str, dict[str, float]] = {}
    for text, basis in bases.items():
        for symbol, currency in group.currencies:
            factor = divisor(basis.unit, currency)
            if factor is not None and factor != 1.0:
                found.setdefault(text, {})[symbol] = factor
    return found


def _left_out(
    rows: pl.DataFrame,
    bases: dict[str, Basis],
    broken: dict[str, pl.Series],
    group: Group,
) -> pl.Series | None:
    """Rows that are neither wrong nor wanted.

    Extended hours are another product than the regular session; prices that carry dividends
    cannot be turned back into prices as traded, and must not meet them.
    """
    basis = rows.get_column("basis")
    extended = [t for t, b in bases.items() if b.hours is Hours.EXTENDED]
    found: pl.Series | None = None
    if extended and OUTSIDE_SESSION in broken:
        found = broken[OUTSIDE_SESSION] & basis.is_in(extended)
    total = [t for t, b in bases.items() if b.adjustment is Adjustment.TOTAL]
    if total and group.asset_class.is_adjustable:
        found = _either(found, basis.is_in(total))
    return found if found is not None and found.any() else None


def _either(a: pl.Series | None, b: pl.Series | None) -> pl.Series | None:
    if a is None or b is None:
        return b if a is None else a
    return a | b


def _repeats(
    rows: pl.DataFrame, unwanted: pl.Series | None
) -> tuple[pl.Series | None, pl.Series | None]:
    """Rows that repeat an earlier one exactly, and rows whose key has several values."""
    same = repeats_key(rows)
    if same is None:
        return None, None
    several = same | same.shift(-1, fill_value=False)
    if unwanted is not None:
        several = several & ~unwanted
    places = several.arg_true()
    few = rows.filter(several).with_columns(_place=places)
    first = few.sort("fetched_at", "fetch_id", "vendor_symbol", "_place").unique(
        ["symbol", "ts", *VALUES], keep="first", maintain_order=True
    )
    contested = first.filter(pl.len().over("symbol", "ts") > 1)
    repeated = few.join(first.select("_place"), on="_place", how="anti")
    return _flags(rows.height, repeated), _flags(rows.height, contested)


def _flags(height: int, rows: pl.DataFrame) -> pl.Series | None:
    """True at each `_place`; None where there is none."""
    if rows.is_empty():
        return None
    flags = pl.repeat(value=False, n=height, eager=True)
    return flags.scatter(rows.get_column("_place"), True)


def _counts(
    rows: pl.DataFrame,
    refused: pl.DataFrame,
    timeframe: Timeframe,
    *,
    repeated: pl.Series | None,
    left_out: pl.Series | None,
) -> pl.DataFrame:
    """Rows of COUNTS."""
    keys = ["symbol", "session"]
    counts = runs(rows).group_by(keys).agg(pl.col("rows").sum())
    parts = {
        "repeats": rows.select(keys).filter(repeated) if repeated is not None else None,
        "quarantined": refused,
        "left_out": rows.select(keys).filter(left_out) if left_out is not None else None,
    }
    for name, part in parts.items():
        if part is None or part.is_empty():
            counts = counts.with_columns(pl.lit(0).alias(name))
            continue
        number = part.group_by(keys).agg(pl.len().alias(name))
        counts = counts.join(number, on=keys, how="left").with_columns(pl.col(name).fill_null(0))
    vendor = rows.get_column("vendor").first() if rows.height else ""
    return counts.select(
        pl.lit(vendor).alias("vendor"),
        pl.lit(str(timeframe)).alias("timeframe"),
        *keys,
        *(pl.col(c).cast(pl.Int64) for c in ("rows", *parts)),
    )
