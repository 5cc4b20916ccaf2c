"""What assets and checks show in the UI: schemas, previews, heat maps, numbers, runbooks.

What belongs here: frames to Dagster metadata, always of bounded size; links.
What does not: what is measured (market_data).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from market_data.errors import ConfigurationError
from market_data.schemas import FrameSchema
from resources.platform import PlatformResource

PER_SESSION_LIMIT = 60
"""Runs of more sessions than this record totals; per-session metadata costs too much beyond."""

PREVIEW_ROWS = 10
HEAT_CELLS = 60
RUNBOOKS = "docs/runbooks"
FULL, LOW, MISSING, CLOSED = "█", "▒", "x", "·"
"""Cells of a heat map, in characters that every font has."""


def column_schema(schema: FrameSchema) -> dg.TableSchema:
    """The columns of a dataset with their types and meanings."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                c.name,
                type=str(c.dtype),
                description=c.description,
                constraints=dg.TableColumnConstraints(nullable=c.nullable),
            )
            for c in schema.columns
        ]
    )


def table(frame: pl.DataFrame, *, rows: int = PREVIEW_ROWS) -> dg.MetadataValue[Any]:
    """The first rows of a frame as a table; a frame without rows becomes a sentence."""
    if frame.is_empty():
        return dg.MetadataValue.text("no rows")
    shown = frame.head(rows).with_columns(
        pl.col(pl.Datetime, pl.Date).cast(pl.String), pl.selectors.float().round(6)
    )
    records = [
        dg.TableRecord({k: "" if v is None else v for k, v in row.items()})
        for row in shown.iter_rows(named=True)
    ]
    schema = dg.TableSchema([dg.TableColumn(c, type=str(t)) for c, t in frame.schema.items()])
    return dg.MetadataValue.table(records, schema=schema)


def markdown_table(frame: pl.DataFrame, *, rows: int = 30) -> dg.MetadataValue[Any]:
    """A frame as a Markdown table, for cells that hold drawings or long text."""
    header = "| " + " | ".join(frame.columns) + " |\n|" + "---|" * frame.width
    lines = [
        "| " + " | ".join("" if v is None else str(v) for v in row) + " |"
        for row in frame.head(rows).iter_rows()
    ]
    more = f"\n\n{frame.height - rows} more rows" if frame.height > rows else ""
    return dg.MetadataValue.md("\n".join([header, *lines]) + more)


def coverage_heat_map(
    coverage: pl.DataFrame, limits: Mapping[str, tuple[float, float]]
) -> dg.MetadataValue[Any]:
    """Symbols x sessions, one cell each; neighbouring sessions share a cell when many.

    Args:
        coverage: symbol, session, coverage (0 to 1); a session that is absent is closed.
        limits: per symbol the values below which a cell is low, and below which it is missing.
    """
    if coverage.is_empty():
        return dg.MetadataValue.text("no session of these symbols was open")
    sessions: list[date] = coverage["session"].unique().sort().to_list()
    first, last = sessions[0], sessions[-1]
    width = max(1, -(-((last - first).days + 1) // HEAT_CELLS))
    days = (pl.col("session") - first).dt.total_days()
    cells = coverage.group_by("symbol", (days // width).alias("cell")).agg(pl.col("coverage").min())
    count = (last - first).days // width + 1
    drawn = {
        (symbol, cell): _cell(value, *limits[symbol]) for symbol, cell, value in cells.iter_rows()
    }
    mean = dict(coverage.group_by("symbol").agg(pl.col("coverage").mean()).iter_rows())
    lines = [
        f"| {symbol} | `{''.join(drawn.get((symbol, i), CLOSED) for i in range(count))}` "
        f"| {mean[symbol]:.4f} | {limits[symbol][0]:g} | {limits[symbol][1]:g} |"
        for symbol in sorted(mean)[:100]
    ]
    unit = "session" if width == 1 else f"{width} days, the worst of them"
    return dg.MetadataValue.md(
        f"One cell is one {unit}: {FULL} enough, {LOW} below warn, {MISSING} below error, "
        f"{CLOSED} closed.\n\n| symbol | {first} to {last} | mean | warn | error |\n"
        "|---|---|---|---|---|\n" + "\n".join(lines)
    )


def _cell(value: float, warn: float, error: float) -> str:
    if value >= warn:
        return FULL
    return LOW if value >= error else MISSING


def add_session_metadata(
    context: dg.AssetExecutionContext,
    first: date,
    last: date,
    values: Mapping[date, Mapping[str, Any]],
) -> None:
    """Write per-session numbers where the run is short enough; see PER_SESSION_LIMIT."""
    days = (last - first).days + 1
    if days > PER_SESSION_LIMIT:
        return
    for offset in range(days):
        day = first + timedelta(days=offset)
        context.add_asset_metadata(dict(values.get(day, {})), partition_key=day.isoformat())


def materialised(
    context: dg.AssetExecutionContext,
    first: date,
    last: date,
    *,
    numbers: Mapping[str, Any],
    drawings: Mapping[str, Any],
) -> dg.MaterializeResult[None]:
    """The result of a run: numbers on every session, tables and drawings where they fit.

    Dagster copies the metadata of a ranged run to each of its sessions. Kilobytes of tables on
    thousands of sessions would be hundreds of megabytes of records, so a run that is longer than
    PER_SESSION_LIMIT shows them on its newest session alone, and says so.
    """
    if (last - first).days + 1 <= PER_SESSION_LIMIT:
        return dg.MaterializeResult(metadata={**numbers, **drawings})
    context.add_asset_metadata(dict(drawings), partition_key=last.isoformat())
    note = f"tables and drawings of this run are shown on session {last}"
    return dg.MaterializeResult(metadata={**numbers, "details": note})


def run_range(first: date, last: date, symbols: Sequence[str]) -> dict[str, Any]:
    """What a run covered, so that its totals cannot be read as one session's numbers."""
    names = ", ".join(symbols[:50]) + (
        f" and {len(symbols) - 50} more" if len(symbols) > 50 else ""
    )
    days = (last - first).days + 1
    return {
        "sessions": f"{first} to {last} ({days} days; the numbers here are totals over them)"
        if days > 1
        else str(first),
        "symbols": names,
        "symbol_count": len(symbols),
    }


def runbooks_of(platform: PlatformResource) -> str:
    """The address of the folder of the runbooks; a check does not depend on the alerts' file."""
    from adapters.alerts.configuration import load_alert_rules
    from adapters.runbooks import linked_runbooks

    try:
        return load_alert_rules(platform.settings()).runbooks.rstrip("/")
    except ConfigurationError:
        # The sensors of alerts tell of it.
        return linked_runbooks(RUNBOOKS) or RUNBOOKS


def runbook(folder: str, page: str, *, whole: bool = True) -> dg.MetadataValue[Any]:
    """The page that says what to do, one click away.

    A link where the runbooks are on the web. A browser opens no file from another page: of those
    on this machine the text itself is shown, after a first line with the page's name.

    Args:
        folder: address of the runbooks.
        page: its name, with the place of a code where there is one.
        whole: whether there is room for the text; else the address alone.
    """
    from adapters.runbooks import is_web, page_text

    address = f"{folder}/{page}"
    if is_web(address):
        return dg.MetadataValue.url(address)
    text = page_text(folder, page) if whole else ""
    return (
        dg.MetadataValue.md(f"`{RUNBOOKS}/{page}`\n\n{text}")
        if text
        else (dg.MetadataValue.text(address))
    )
