"""Bars that are missing, made up where somebody asks for it, and marked as made up.

What belongs here: how a missing bar gets its values, and how far. What does not: who asks, and for
which bars (market_data/pipeline/imputing.py). Nothing made up is ever stored.

- `ffill`: of prices the close of the bar before: the price stands still; of the other columns the
  last value. Looks back only.
- `constant`: a value that is given. Looks back only.
- `interpolate`: on the straight line between the bars before and after. Looks ahead.

Every value is what its column's method says, or the bar is not made up: low, open, close and high
keep their order because all four follow one method, or are constants in that order.

Values are taken from real bars of the same segment alone: intraday the session, daily the time
between two splits. At most `limit` bars of a gap are made up, its first ones, so that what stands
there does not depend on when the gap ended; of a longer gap nothing is interpolated. Before the
first bar of a segment nothing is made up.

Volume and trades are null unless somebody asks for more: nobody traded. What is carried or
interpolated there is a guess that keeps sums level, and marked like every other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite

import polars as pl

from market_data.errors import ConfigurationError
from market_data.schemas import CURATED_BARS, PRICES

IMPUTED = "imputed"
"""Source and flag of a bar that was made up."""
COLUMNS = (*PRICES, "vwap", "volume", "trades")
MASKS = tuple(f"is_imputed_{name}" for name in COLUMNS)
DEFAULT_LIMIT = 3
_COUNTS = ("volume", "trades")


class Method(StrEnum):
    """Where a made-up value comes from."""

    NONE = "none"
    FFILL = "ffill"
    INTERPOLATE = "interpolate"
    CONSTANT = "constant"


@dataclass(frozen=True)
class Rule:
    """How one column is made up.

    Attributes:
        method: where the value comes from.
        value: the value of `constant`.
    """

    method: Method = Method.NONE
    value: float | None = None

    def __str__(self) -> str:
        if self.method is Method.CONSTANT:
            return "zero" if self.value == 0 else f"{self.method}:{self.value!r}"
        return str(self.method)


@dataclass(frozen=True)
class Imputation:
    """How missing bars are made up.

    Attributes:
        rules: by column; a column that is not named stays empty. All four prices, or none.
        limit: so many bars of a gap at most.
    """

    rules: Mapping[str, Rule] = field(default_factory=dict)
    limit: int = DEFAULT_LIMIT

    @property
    def looks_ahead(self) -> bool:
        """Whether a value depends on bars that come after it."""
        return any(rule.method is Method.INTERPOLATE for rule in self.rules.values())

    def __str__(self) -> str:
        """The text that `parse` reads; equal imputations have equal texts."""
        named = [f"{column}={self.rules[column]}" for column in COLUMNS if column in self.rules]
        return ",".join([*named, f"limit={self.limit}"])


def parse(text: str | Mapping[str, object], *, kept: bool = False) -> Imputation:
    """An imputation from words, "prices=ffill,volume=zero,limit=3", or from such pairs.

    A method alone stands for all prices. Columns are prices (all four), open, high, low, close,
    vwap, volume and trades. Values are none, ffill, interpolate and constant:<number>; of volume
    and trades zero as well, which is constant:0.

    Args:
        text: the words, or the pairs.
        kept: it was decided before: prices of several methods, which are refused now, are taken;
            a bar in which they cross is not made up.

    Raises:
        ConfigurationError: naming what cannot be read.
    """
    pairs = _pairs(text) if isinstance(text, str) else {k: str(v) for k, v in text.items()}
    rules: dict[str, Rule] = {}
    limit = DEFAULT_LIMIT
    for name, value in pairs.items():
        if name == "limit":
            limit = _limit(value)
            continue
        columns = PRICES if name == "prices" else (name,)
        if not set(columns) <= set(COLUMNS):
            raise ConfigurationError(
                f"imputation: no column {name!r}; there are prices, limit, {', '.join(COLUMNS)}"
            )
        rules |= dict.fromkeys(columns, _rule(name, value))
    rules = {column: rule for column, rule in rules.items() if rule.method is not Method.NONE}
    given = [column for column in PRICES if column in rules]
    if len(given) != len(PRICES):
        lacking = "prices" if not given else ", ".join(c for c in PRICES if c not in given)
        raise ConfigurationError(
            f"imputation: a bar has all four prices or none; name a method for {lacking}"
            + (", or none for the others" if given else "")
        )
    if not kept:
        _refuse_crossing(rules)
    return Imputation(rules, limit)


def _refuse_crossing(rules: Mapping[str, Rule]) -> None:
    """Refuse prices that may come in the wrong order, whatever the bars around are."""
    told = {column: f"{column}={rules[column]}" for column in PRICES}
    methods = {rules[column].method for column in PRICES}
    if len(methods) > 1:
        raise ConfigurationError(
            f"imputation: {', '.join(told.values())}: prices of several methods may cross, a close "
            "above its high; give prices one method, or each a constant"
        )
    if methods != {Method.CONSTANT}:
        return
    value = {column: rules[column].value or 0.0 for column in PRICES}
    for column in ("open", "close"):
        for above, below in (("high", column), (column, "low")):
            if value[below] > value[above]:
                raise ConfigurationError(
                    f"imputation: {told[below]} is above {told[above]}: low, open and close, high "
                    "is the order of a bar"
                )


def impute(grid: pl.DataFrame, how: Imputation) -> pl.DataFrame:
    """The bars that are made up.

    Args:
        grid: every bar that is expected or there, sorted by (symbol, ts): the columns of
            CURATED_BARS, prices null where the bar is missing; `segment`, which differs where
            values must not be carried over; and `wanted`, whether a missing bar may be made up.
        how: the imputation.

    Returns:
        Rows of CURATED_BARS with MASKS (Boolean: which values were made up), in the order of the
        grid; dq_status is warn, source and flags say `imputed`.
    """
    missing = pl.col("close").is_null()
    run = pl.struct("symbol", "segment", missing).rle_id()
    placed = grid.with_columns(_missing=missing, _run=run).with_columns(
        _place=pl.int_range(1, pl.len() + 1).over("_run"), _length=pl.len().over("_run")
    )
    values = {name: _value(name, rule, how.limit) for name, rule in how.rules.items()}
    made = placed.with_columns(
        _as_stored(name, values[name])
        if name in values
        else pl.when(~pl.col("_missing")).then(name).alias(name)
        for name in COLUMNS
    ).filter("_missing", "wanted", pl.all_horizontal(pl.col(PRICES).is_not_null()), _is_bar())
    marked = made.with_columns(
        source=pl.lit(IMPUTED),
        filled=pl.lit(""),
        final=pl.lit(value=True),
        dq_status=pl.lit("warn"),
        flags=pl.lit(IMPUTED),
        rule_version=pl.lit(""),
    )
    masks = [pl.col(c).is_not_null().alias(m) for c, m in zip(COLUMNS, MASKS, strict=True)]
    return marked.select(*CURATED_BARS.names, *masks)


def unmarked(bars: pl.DataFrame) -> pl.DataFrame:
    """Real bars with MASKS, all of them false."""
    return bars.with_columns(pl.lit(value=False).alias(mask) for mask in MASKS)


def _is_bar() -> pl.Expr:
    """Whether low, open, close and high are in their order, but for the last digits of a float."""
    slack = 1e-9 * pl.col("high").abs()
    highest, lowest = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    return (highest <= pl.col("high") + slack) & (lowest >= pl.col("low") - slack)


def _as_stored(column: str, value: pl.Expr) -> pl.Expr:
    dtype = CURATED_BARS.dtypes[column]
    whole = value.round() if dtype.is_integer() else value
    return whole.cast(dtype).alias(column)


def _value(column: str, rule: Rule, limit: int) -> pl.Expr:
    """The column with the gaps that the rule fills."""
    segment = ["symbol", "segment"]
    early = pl.col("_missing") & (pl.col("_place") <= limit)
    if rule.method is Method.CONSTANT:
        known = (~pl.col("_missing")).cum_max().over(segment)
        return pl.when(early & known).then(pl.lit(rule.value)).otherwise(column)
    if rule.method is Method.FFILL:
        carried = pl.col("close" if column in PRICES else column).forward_fill().over(segment)
        return pl.when(early).then(carried).otherwise(column)
    between = pl.col(column).interpolate().over(segment)
    short = pl.col("_missing") & (pl.col("_length") <= limit)
    return pl.when(short).then(between).otherwise(column)


def _pairs(text: str) -> dict[str, str]:
    """`name=value` pairs; a method alone is that of the prices."""
    pairs: dict[str, str] = {}
    for part in (p.strip() for p in text.split(",") if p.strip()):
        name, equals, value = part.partition("=")
        if not equals:
            name, value = "prices", part
        if name.strip() in pairs:
            raise ConfigurationError(f"imputation: {name.strip()} is given twice in {text!r}")
        pairs[name.strip()] = value.strip()
    return pairs


def _limit(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise ConfigurationError(f"imputation: limit={value!r}; it takes a number of bars from 1")
    return int(value)


def _rule(column: str, text: str) -> Rule:
    """The rule of a column from its words."""
    name, _, number = text.partition(":")
    if column in _COUNTS:
        text = {"null": "none", "zero": "constant:0", "0": "constant:0"}.get(text, text)
        name, _, number = text.partition(":")
    if name not in list(Method) or (name == Method.CONSTANT) != bool(number):
        zero = ", zero" if column in _COUNTS else ""
        raise ConfigurationError(
            f"imputation: {column}={text!r}; it takes none, ffill, interpolate{zero} or "
            "constant:<number>"
        )
    if name != Method.CONSTANT:
        return Rule(Method(name))
    return Rule(Method.CONSTANT, _number(column, number))


def _number(column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    counted = column in _COUNTS
    if not isfinite(value) or value < 0 or (value == 0 and not counted):
        least = "nobody trades less than 0" if counted else "a price is above 0"
        raise ConfigurationError(f"imputation: {column}=constant:{text}; {least}")
    return value
