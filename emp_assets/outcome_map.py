"""The ledger as a drawing: what was asked of whom, what came, and why bars are missing.

What belongs here: symbols x sessions as characters with a legend, and the table of reasons, both
of bounded size. What does not: the reasons themselves (market_data/pipeline/explain.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from emp_assets.metadata import HEAT_CELLS, markdown_table
from market_data.pipeline.explain import SEVERAL, explain, gaps, together
from market_data.pipeline.platform import Platform
from market_data.pipeline.withheld import with_withheld
from market_data.ports import Outcome
from market_data.timeframes import Timeframe

CELLS = {
    Outcome.HOLIDAY: "·",
    Outcome.ROWS: "█",
    Outcome.UNAVAILABLE: "-",
    Outcome.NOTHING: "o",
    Outcome.NOT_ASKED: "?",
    Outcome.REFUSED: "!",
    Outcome.FAILED: "x",
}
"""Characters that every font has; of several sessions in one cell the last one here is drawn."""

MOST_CELLS = 400_000
"""Symbols x days x vendors above which nothing is drawn; 'emp coverage' tells of a part."""
MOST_BARS = 5_000_000
"""Bars of a range above which nobody looks which are withheld; the checks tell of them."""
MOST_LINES = 100
MOST_REASONS = 40


def outcome_drawings(
    platform: Platform,
    timeframe: Timeframe,
    symbols: Sequence[str],
    sessions: tuple[date, date],
    vendors: Sequence[str] | None = None,
) -> dict[str, dg.MetadataValue[Any]]:
    """Drawings for the metadata of a run.

    Args:
        platform: where the ledger is.
        timeframe: whose bars.
        symbols: of the run.
        sessions: first and last.
        vendors: only these; None for all that serve the symbols, and a line for all together.

    Returns:
        outcome_heat_map, and reasons where there are any.
    """
    days = (sessions[1] - sessions[0]).days + 1
    speakers = len(vendors) if vendors else len(platform.universe.vendors_of(timeframe))
    if not symbols or len(symbols) * days * speakers > MOST_CELLS:
        hint = "too many sessions to draw; 'emp coverage SYMBOL --start --end' tells of some"
        return {"outcome_heat_map": dg.MetadataValue.text(hint if symbols else "no symbols")}
    known = explain(platform, symbols, *sessions, timeframe, vendors)
    if not vendors and len(symbols) * days * (timedelta(days=1) // timeframe.duration) <= MOST_BARS:
        known = with_withheld(platform, known, timeframe, named=False)
    everybody = together(known)
    drawn = known if vendors else pl.concat([everybody, known.select(everybody.columns)])
    missing = everybody.filter(pl.col("reason") != "").select("symbol", "session")
    reasons = gaps(known.join(missing, on=["symbol", "session"], maintain_order="left"))
    drawings: dict[str, dg.MetadataValue[Any]] = {"outcome_heat_map": outcome_heat_map(drawn)}
    if not reasons.is_empty():
        drawings["reasons"] = markdown_table(
            reasons.sort("symbol", "first", "vendor"), rows=MOST_REASONS
        )
    return drawings


def outcome_heat_map(explained: pl.DataFrame) -> dg.MetadataValue[Any]:
    """Symbols and vendors x sessions, one cell each; neighbouring days share a cell when many.

    Args:
        explained: columns of `market_data.pipeline.explain.EXPLAINED`.
    """
    if explained.is_empty():
        return dg.MetadataValue.text("no vendor serves these symbols")
    first: date = explained["session"].min()  # type: ignore[assignment]
    last: date = explained["session"].max()  # type: ignore[assignment]
    days = (last - first).days + 1
    width = max(1, -(-days // HEAT_CELLS))
    rank = {str(outcome): i for i, outcome in enumerate(CELLS)}
    offset = (pl.col("session") - first).dt.total_days()
    cells = (
        explained.with_columns(
            cell=offset // width,
            rank=pl.col("outcome").replace_strict(rank, return_dtype=pl.Int64),
        )
        .group_by("symbol", "vendor", "cell")
        .agg(pl.col("rank").max())
        .sort("symbol", pl.col("vendor") != SEVERAL, "vendor", "cell")
    )
    drawn = list(CELLS.values())
    lines = [
        f"| {symbol} | {vendor} | `{''.join(drawn[r] for r in line['rank'])}` |"
        for (symbol, vendor), line in cells.group_by("symbol", "vendor", maintain_order=True)
    ]
    unit = "day" if width == 1 else f"{width} days, the worst of them"
    # Two lines: the page does not wrap, and shows about ninety characters.
    told = [f"{character} {outcome}" for outcome, character in CELLS.items()]
    legend = f"{', '.join(told[:4])},\n\n{', '.join(told[4:])}"
    more = f"\n\n{len(lines) - MOST_LINES} more lines" if len(lines) > MOST_LINES else ""
    return dg.MetadataValue.md(
        f"One cell is one {unit}: {legend}.\n\n| symbol | vendor | {first} to {last} |\n"
        "|---|---|---|\n" + "\n".join(lines[:MOST_LINES]) + more
    )
