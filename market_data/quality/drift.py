"""How far vendors disagree about one bar: the measurement alone.

What belongs here: the relative spread of closes between vendors, per bar and per session, and
which vendor stands apart.
What does not: limits and findings (market_data/quality/checks.py), and the choice of which bars
may be compared: the caller gives one `basis_group` to bars that mean the same.

Drift of a bar is (max - min) / max of the vendors' closes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

import polars as pl

from market_data.ordering import numbers_of_runs

Statistic = Literal["max", "median"]

_BAR = ["symbol", "session", "ts", "basis_group"]
_NAMES = ["vendor", "symbol", "basis_group"]
_SESSION = ["symbol", "session"]
_TIMES, _MOST_NAMES = 1 << 53, 1 << 10
"""So many microseconds, either side of 1970, and so many names fit into one number together."""
_TIE = 1e-12
"""Two vendors whose relative distances differ by less than this are equally far away."""

SESSION_DRIFT = pl.Schema(
    {
        "symbol": pl.String(),
        "session": pl.Date(),
        "drift": pl.Float64(),
        "drift_max": pl.Float64(),
        "bars": pl.UInt32(),
        "vendors": pl.UInt32(),
        "odd_vendor": pl.String(),
        "worst_ts": pl.Datetime("us", "UTC"),
    }
)
"""Columns of `bar_drift`."""


def drift_per_bar(bars: pl.DataFrame) -> pl.DataFrame:
    """The drift of every bar that at least two vendors report on one basis.

    Args:
        bars: vendor, symbol, session, ts (UTC), close, basis_group; closes that are null, not
            finite or not positive are left out.

    Returns:
        Columns symbol, session, ts, basis_group, drift, vendors (how many), odd_vendor: with
        three vendors or more, the one whose close lies farthest from the median; null where two
        are equally far. Sorted by symbol, ts, basis_group.
    """
    usable = _usable(bars)
    spread = _spread(usable)
    odd = _farthest(_distances(usable, spread), _BAR)
    found = spread.join(odd, on=_BAR, how="left").sort("symbol", "ts", "basis_group")
    return found.cast(dict.fromkeys(("symbol", "basis_group", "odd_vendor"), pl.String))


def bar_drift(
    bars: pl.DataFrame, *, statistic: Statistic | Mapping[str, Statistic] = "max"
) -> pl.DataFrame:
    """The drift of every symbol-session in which at least two vendors meet on one basis.

    Args:
        bars: vendor, symbol, session, ts (UTC), close, basis_group, and optionally `statistic`
            ("max" or "median", one value per symbol), which goes before the argument.
        statistic: how a session's drift follows from that of its bars: one for all, or by symbol
            ("max" for a symbol that is not named).

    Returns:
        One row of SESSION_DRIFT per symbol and session, sorted: `drift`; `drift_max`, that of the
        worst bar whatever the statistic; `bars` compared; `vendors`, the most that met in one
        bar; `odd_vendor`, with three vendors or more the one whose close is farthest from the
        median by the same statistic, null where two are equally far; `worst_ts`, the earliest bar
        of the greatest drift. No row where vendors do not meet.
    """
    usable = _usable(bars)
    chosen = _statistics(usable, bars, statistic)
    spread = _spread(usable)
    sessions = _sessions(spread, chosen)
    distances = _by_statistic(_distances(usable, spread), "distance", chosen, [*_SESSION, "vendor"])
    odd = _farthest(distances, _SESSION)
    return (
        sessions.join(odd, on=_SESSION, how="left")
        .select(pl.col(name).cast(dtype) for name, dtype in SESSION_DRIFT.items())
        .sort(_SESSION)
    )


def _usable(bars: pl.DataFrame) -> pl.DataFrame:
    """The bars with sound closes, their names as Enum: numbers are grouped faster than names."""
    found = bars.select("vendor", *_BAR, "close")
    sound = found.get_column("close").is_finite() & (found.get_column("close") > 0)
    if not sound.fill_null(value=False).all():
        found = found.filter(sound)
    return found.with_columns(_as_enum(found.get_column(name)) for name in _NAMES)


def _as_enum(names: pl.Series) -> pl.Series:
    """The names, sorted, as Enum. Most rows have that of the row before: it is looked at once."""
    changed = (names != names.shift()).fill_null(value=True)
    each = names.filter(changed)
    kind = pl.Enum(each.unique().drop_nulls().sort())
    if each.len() * 4 > names.len():
        return names.cast(kind)
    return each.cast(kind).gather(numbers_of_runs(changed))


def _sessions(spread: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """What the bars of each symbol-session say together: the columns of `bar_drift` but one."""
    named = spread.with_columns(place=_place())
    median = pl.col("drift").median() if "median" in chosen["statistic"] else pl.lit(None)
    told = named.group_by("place").agg(
        pl.col(_SESSION).first(),
        drift_max=pl.col("drift").max(),
        median=median,
        bars=pl.len(),
        vendors=pl.col("vendors").max(),
        worst_ts=pl.col("ts").filter(pl.col("drift") == pl.col("drift").max()).min(),
    )
    by_median = pl.col("statistic") == "median"
    return told.join(chosen, on="symbol").with_columns(
        drift=pl.when(by_median).then("median").otherwise("drift_max")
    )


def _place() -> pl.Expr:
    """One number for a symbol, an Enum, and a session: grouped faster than the two."""
    days = pl.col("session").to_physical().cast(pl.Int64)
    return pl.col("symbol").to_physical().cast(pl.Int64) * (1 << 32) + days


def _spread(usable: pl.DataFrame) -> pl.DataFrame:
    """Drift and number of vendors of each bar where two or more meet."""
    ordered = _two_in_order(usable)
    if ordered is not None:
        return _of_two(*ordered)
    codes = usable.with_columns(pl.col("vendor").to_physical())
    return (
        codes.group_by(_BAR)
        .agg(
            drift=(pl.col("close").max() - pl.col("close").min()) / pl.col("close").max(),
            vendors=pl.col("vendor").n_unique(),
        )
        .filter(pl.col("vendors") > 1)
    )


def _two_in_order(usable: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """The bars of the first and the second vendor with `key`, a number that names a bar.

    None where there are not two vendors, where one tells a bar twice or in another order than
    (symbol, ts), or where a number is too small a name.
    """
    vendors = usable.get_column("vendor").unique().sort()
    ts, symbol = usable.get_column("ts").to_physical(), usable.get_column("symbol").to_physical()
    group = usable.get_column("basis_group").to_physical()
    groups = (group.max() or 0) + 1  # type: ignore[operator]
    if len(vendors) != 2 or ((symbol.max() or 0) + 1) * groups > _MOST_NAMES:  # type: ignore[operator]
        return None
    if ts.abs().max() >= _TIMES // 2:  # type: ignore[operator]
        return None
    name = symbol.cast(pl.Int64) * groups + group.cast(pl.Int64)
    keyed = usable.with_columns(key=name * _TIMES + ts)
    first, second = _halves(keyed, vendors)
    if not all((of["key"].diff().drop_nulls() > 0).all() for of in (first, second)):
        return None
    return tuple(of.with_columns(pl.col("key").set_sorted()) for of in (first, second))  # type: ignore[return-value]


def _halves(rows: pl.DataFrame, vendors: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of either vendor; where one comes behind the other, as most often, uncopied."""
    vendor = rows.get_column("vendor")
    cuts = (vendor != vendor.shift()).fill_null(value=False).arg_true()
    if len(cuts) == 1:
        return rows.head(cuts[0]), rows.slice(cuts[0])
    first, second = (rows.filter(pl.col("vendor") == v) for v in vendors)
    return first, second


def _of_two(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """The drift of the bars that both have: no grouping is needed."""
    both = first.join(second.select("key", other="close"), on="key")
    most = pl.max_horizontal("close", "other")
    least = pl.min_horizontal("close", "other")
    return both.select(*_BAR, drift=(most - least) / most, vendors=pl.lit(2, pl.UInt32))


def _distances(usable: pl.DataFrame, spread: pl.DataFrame) -> pl.DataFrame:
    """Distance of each close from the median, where three or more vendors meet and differ."""
    contested = spread.filter((pl.col("vendors") > 2) & (pl.col("drift") > 0)).select(_BAR)
    rows = usable.clear()
    if not contested.is_empty():
        rows = usable.join(contested, on=_BAR, how="semi")
    medians = rows.group_by(_BAR).agg(pl.col("close").median().alias("median"))
    return rows.join(medians, on=_BAR).select(
        *_BAR, "vendor", distance=(pl.col("close") - pl.col("median")).abs() / pl.col("median")
    )


def _farthest(distances: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Per key the vendor of the greatest distance, as `odd_vendor`; keys with a tie left out."""
    greatest = distances.group_by(keys).agg(pl.col("distance").max().alias("greatest"))
    return (
        distances.join(greatest, on=keys)
        .filter(pl.col("greatest") - pl.col("distance") <= _TIE)
        .group_by(keys)
        .agg(odd_vendor=pl.col("vendor").min(), last=pl.col("vendor").max())
        .filter(pl.col("odd_vendor") == pl.col("last"))
        .drop("last")
    )


def _statistics(
    usable: pl.DataFrame, bars: pl.DataFrame, statistic: Statistic | Mapping[str, Statistic]
) -> pl.DataFrame:
    """Columns symbol (the Enum of `usable`), statistic."""
    kind = cast("pl.Enum", usable.schema["symbol"])
    if "statistic" in bars.columns:
        chosen = bars.group_by("symbol").agg(pl.col("statistic").first())
        return chosen.with_columns(pl.col("symbol").cast(kind, strict=False)).drop_nulls("symbol")
    symbols = pl.DataFrame({"symbol": kind.categories})
    if isinstance(statistic, str):
        return symbols.with_columns(statistic=pl.lit(statistic)).cast({"symbol": kind})
    named = pl.col("symbol").replace_strict(dict(statistic), default="max", return_dtype=pl.String)
    return symbols.with_columns(statistic=named).cast({"symbol": kind})


def _by_statistic(
    rows: pl.DataFrame, column: str, chosen: pl.DataFrame, keys: list[str]
) -> pl.DataFrame:
    """Maximum or median of a column per key, whichever the symbol asks for."""
    parts = []
    for name, aggregate in (("max", pl.col(column).max()), ("median", pl.col(column).median())):
        wanted = chosen.filter(pl.col("statistic") == name).select("symbol")
        own = rows.clear() if wanted.is_empty() else rows
        if wanted.height < chosen.height:
            own = own.join(wanted, on="symbol", how="semi")
        parts.append(own.group_by(keys).agg(aggregate))
    return pl.concat(parts)
