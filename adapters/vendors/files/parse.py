"""A block of lines to bars and to rows that cannot become one.

What belongs here: cells, and every reason for which a line is rejected.
What does not: rules about values - a negative price is a bar here, curation judges it.

Reasons: `missing_<column>` the cell is empty, `bad_<column>` it cannot be read,
`missing_field` / `extra_field` the line is too short / too long, `bad_encoding`,
`nonexistent_time` a local time that daylight saving leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from adapters.vendors.files.blocks import REPLACEMENT, Block
from adapters.vendors.files.layout import Layout
from adapters.vendors.files.spec import ACTIONS, NULLABLE, FormatSpec
from adapters.vendors.files.times import bar_starts
from market_data.basis import Side
from market_data.schemas import FETCHED_BARS, PRICES, REJECTED_ROWS, UTC

_LINE = "\x1f"
"""A character that no text file holds: lets the CSV reader split lines and nothing else. Where a
damaged file holds it, it becomes another that is no part of a number."""

BEYOND = "beyond"
"""Name, in a rejected row, of what follows the last field."""


SAID = pl.Schema(
    {"symbol": pl.String(), "ex_date": pl.Date(), "kind": pl.String(), "value": pl.Float64()}
)
"""An action in a file's own terms; `value` is null where its cell is no number."""


@dataclass(frozen=True)
class Parsed:
    """What became of a block.

    Attributes:
        bars: rows of FETCHED_BARS.
        rejected: rows of REJECTED_ROWS.
        actions: rows of SAID: splits and dividends as the cells of its bars tell them.
    """

    bars: pl.DataFrame
    rejected: pl.DataFrame
    actions: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SAID))


@dataclass
class _Cells:
    """The fields of the lines, and the masks of what is wrong with them."""

    frame: pl.DataFrame
    layout: Layout
    spec: FormatSpec
    wrong: dict[str, pl.Series]

    def text(self, role: str) -> pl.Series | None:
        """Stripped cells of a role; None where the text has no such column."""
        at = self.layout.roles.get(role)
        return None if at is None else self.frame.to_series(at).str.strip_chars(' \t"')

    def mark(self, reason: str, mask: pl.Series) -> None:
        if mask.any():
            self.wrong[reason] = mask


def parse_block(
    block: Block,
    layout: Layout,
    spec: FormatSpec,
    *,
    names: Mapping[str, tuple[str, str]],
    file_symbol: str | None = None,
    file_day: date | None = None,
) -> Parsed:
    """Read the lines of a block.

    Args:
        block: whole lines.
        layout: where each role stands.
        spec: how to read them.
        names: vendor symbol in capitals to (platform symbol, vendor symbol) of who is asked for;
            rows of another symbol are left out.
        file_symbol: key into `names` of a file that holds one symbol; None where its rows say.
        file_day: day in the file's name.

    Returns:
        Bars in the file's order, rejected lines with all their reasons.
    """
    frame = split_lines(block, layout, spec)
    if frame.is_empty():
        return Parsed(FETCHED_BARS.empty(), REJECTED_ROWS.empty())
    cells = _Cells(frame, layout, spec, {})
    _mark_lines(cells, block)
    columns = {"ts": _times(cells, file_day), **_symbols(cells, names, file_symbol)}
    columns |= _prices(cells) | _nullables(cells)
    bars = pl.DataFrame(columns)
    known = bars["symbol"].is_not_null()
    if not cells.wrong:
        told = _actions(cells, bars, known)
        return Parsed(FETCHED_BARS.conform(bars.filter(known)), REJECTED_ROWS.empty(), told)
    bad = pl.select(pl.any_horizontal(*cells.wrong.values())).to_series()
    rejected = _rejected(cells, bars, bad & known)
    told = _actions(cells, bars, known & ~bad)
    return Parsed(FETCHED_BARS.conform(bars.filter(known & ~bad)), rejected, told)


def split_lines(block: Block, layout: Layout, spec: FormatSpec) -> pl.DataFrame:
    """One text column per field, and one more for what follows the last field.

    A cell that a line is too short for is null. Blank lines and comments are left out.
    """
    width = len(layout.names)
    lines = pl.read_csv(
        b"line\n" + block.data.replace(_LINE.encode(), REPLACEMENT.encode()),
        schema={"line": pl.String()},
        separator=_LINE,
        quote_char=None,
        truncate_ragged_lines=True,
        empty_string_is_null=False,
    )
    blank = pl.col("line").str.strip_chars() == ""
    skip = blank | pl.col("line").str.starts_with(spec.comment) if spec.comment else blank
    fields = lines.filter(~skip).select(
        pl.col("line").str.splitn(spec.delimiter, width + 1).alias("field")
    )
    return fields.unnest("field")


def _mark_lines(cells: _Cells, block: Block) -> None:
    width = len(cells.layout.names)
    beyond = cells.frame.to_series(width)
    cells.mark("missing_field", cells.frame.to_series(width - 1).is_null())
    if beyond.null_count() < len(beyond):
        # One delimiter at the end of a line adds no field.
        cells.mark("extra_field", (beyond.str.strip_chars() != "").fill_null(value=False))
    if not block.data.isascii():
        broken = pl.any_horizontal(pl.all().str.contains(REPLACEMENT, literal=True))
        cells.mark("bad_encoding", cells.frame.select(broken.fill_null(value=False)).to_series())


def _times(cells: _Cells, file_day: date | None) -> pl.Series:
    time, day = cells.text("time"), cells.text("date")
    result = bar_starts(time, day, cells.spec, file_day)
    if result.ts.null_count():
        given = [c for c in (time, day) if c is not None]
        missing = pl.select(
            pl.any_horizontal(*[c.is_null() | c.is_in(cells.spec.null_values) for c in given])
        ).to_series()
        cells.mark("missing_time", missing)
        cells.mark("nonexistent_time", result.nonexistent)
        cells.mark("bad_time", result.ts.is_null() & ~missing & ~result.nonexistent)
    return result.ts.cast(UTC).alias("ts")


def _symbols(
    cells: _Cells, names: Mapping[str, tuple[str, str]], file_symbol: str | None
) -> dict[str, pl.Series]:
    """Symbol and vendor symbol; null where the row's symbol was not asked for."""
    if file_symbol is not None:
        pair = names[file_symbol]
        return {
            key: pl.repeat(value, len(cells.frame), dtype=pl.String(), eager=True).alias(key)
            for key, value in zip(("symbol", "vendor_symbol"), pair, strict=True)
        }
    text = cells.text("symbol")
    if text is None:
        raise AssertionError("a file without a symbol of its own has a symbol column")
    missing = text.fill_null("") == ""
    cells.mark("missing_symbol", missing)
    keys = [*names, ""]
    capitals = pl.select(pl.when(missing).then(pl.lit("")).otherwise(text.str.to_uppercase()))
    return {
        key: capitals.to_series()
        .replace_strict(keys, [*(pair[i] for pair in names.values()), ""], default=None)
        .alias(key)
        for i, key in enumerate(("symbol", "vendor_symbol"))
    }


def _prices(cells: _Cells) -> dict[str, pl.Series]:
    spec = cells.spec
    read = {role: _number(cells, role, required=True) for role in spec.prices}
    read = {role: _unscaled(values, spec.price_scale) for role, values in read.items()}
    if "open" in read:
        return {price: read[price].alias(price) for price in PRICES}
    if spec.side is Side.MID:
        return {
            price: ((read[f"bid_{price}"] + read[f"ask_{price}"]) / 2).alias(price)
            for price in PRICES
        }
    return {price: read[f"{spec.side}_{price}"].alias(price) for price in PRICES}


def _unscaled(values: pl.Series, scale: float) -> pl.Series:
    """Prices without their scale.

    By a scalar, Polars multiplies with the reciprocal, and 6448000 / 10000 would be
    644.8000000000001; so this divides by a column.
    """
    if scale == 1.0:
        return values
    return values / pl.repeat(scale, len(values), dtype=pl.Float64(), eager=True)


def _nullables(cells: _Cells) -> dict[str, pl.Series]:
    result = {}
    for role in NULLABLE:
        if role not in cells.layout.roles:
            continue
        values = _number(cells, role, required=False).fill_nan(None)
        if role in ("adj_close", "vwap"):
            values = _unscaled(values, cells.spec.price_scale)
        if role == "volume" and cells.spec.zero_volume_is_null:
            values = values.set(values == 0, None)
        if role == "trades":
            # A share of a trade is no count; null would hide it.
            whole = values.cast(pl.Int64, strict=False)
            cells.mark("bad_trades", (values != whole).fill_null(value=False))
            values = whole
        result[role] = values.alias(role)
    return result


def _number(cells: _Cells, role: str, *, required: bool) -> pl.Series:
    """Cells of a role as numbers, with what is wrong marked."""
    raw = cells.frame.to_series(cells.layout.roles[role])
    if cells.spec.decimal_comma:
        raw = raw.str.replace(",", ".", literal=True)
    values = raw.cast(pl.Float64, strict=False)
    if values.null_count():
        text = raw.str.strip_chars(' \t"')
        values = text.cast(pl.Float64, strict=False)
        missing = text.is_null() | text.is_in(cells.spec.null_values)
        cells.mark(f"bad_{role}", values.is_null() & ~missing)
        if required:
            cells.mark(f"missing_{role}", missing)
    return values


def _actions(cells: _Cells, bars: pl.DataFrame, good: pl.Series) -> pl.DataFrame:
    """Rows of SAID; a line that is no bar is not believed about its action either."""
    parts = [pl.DataFrame(schema=SAID)]
    for kind in ACTIONS:
        text = cells.text(kind)
        if text is None:
            continue
        if cells.spec.decimal_comma:
            text = text.str.replace(",", ".", literal=True)
        value = text.cast(pl.Float64, strict=False)
        # Nothing happens by an empty cell, by 0, and by a split of one for one.
        nothing = text.is_null() | text.is_in(cells.spec.null_values) | (value == 0)
        if kind == "split":
            nothing |= value == 1
        else:
            value = _unscaled(value, cells.spec.price_scale)
        told = good & ~nothing.fill_null(value=False)
        if told.any():
            said = bars.select("symbol", ex_date=pl.col("ts").dt.date(), kind=pl.lit(kind))
            parts.append(said.with_columns(value.alias("value")).filter(told))
    return pl.concat(parts)


def _rejected(cells: _Cells, bars: pl.DataFrame, bad: pl.Series) -> pl.DataFrame:
    """The marked lines, their reasons sorted, their cells as they came under the file's names."""
    reasons = [
        pl.when(mask.filter(bad)).then(pl.lit(reason))
        for reason, mask in sorted(cells.wrong.items())
    ]
    named = cells.frame.filter(bad)
    named.columns = [*cells.layout.names, BEYOND]
    if "extra_field" not in cells.wrong:
        named = named.drop(BEYOND)
    rows = bars.filter(bad).select(
        "symbol",
        "ts",
        pl.concat_str(*reasons, separator=",", ignore_nulls=True).alias("reasons"),
        named.to_struct("row").struct.json_encode().alias("row"),
    )
    return REJECTED_ROWS.conform(rows)
