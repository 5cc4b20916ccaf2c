"""The pricing cache of older tools: what its files are called, hold and say of their quality.

What belongs here: the layout's names, the frame, the issues, the metadata, and which entries are
old enough to go. What does not: writing and deleting files (adapters/pricing_folder.py).

An entry is three files of one name: `<UTC time>_<vendor>_<interval>_<digest>` with `.parquet` or
`.csv`, `_metadata.json` and `_issues.json`. The digest is of symbols, vendor, interval and window.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from market_data.timeframes import Timeframe

COLUMNS = (
    "timestamp",
    "symbol",
    "open",
    "high",
    "low",
    "close",
    "adj_close",
    "volume",
    "source",
)
LEAST_COVERAGE = 0.6
"""Share of the expected bars below which rows are missing."""
STALE_AFTER = timedelta(days=2)
"""Between the newest bar and the last expected session."""

_TIME = "%Y%m%dT%H%M%SZ"
_FILE = re.compile(
    r"(?P<entry>(?P<time>\d{8}T\d{6}Z)_[^/]+_[0-9a-z]+_[0-9a-f]{12})"
    r"(?:\.parquet|\.csv|_metadata\.json|_issues\.json)"
)


@dataclass(frozen=True)
class Window:
    """What an entry is about.

    Attributes:
        vendor: who said it.
        timeframe: of the bars.
        symbols: platform symbols.
        start: of the first session, UTC midnight.
        end: of the last session, UTC midnight of the day after it.
    """

    vendor: str
    timeframe: Timeframe
    symbols: tuple[str, ...]
    start: datetime
    end: datetime

    def entry(self, created_at: datetime) -> str:
        """The name that the files of an entry share."""
        key = {
            "symbols": list(self.symbols),
            "vendor": self.vendor,
            "interval": str(self.timeframe),
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
        }
        text = json.dumps(key, sort_keys=True).encode()
        digest = hashlib.blake2b(text, digest_size=6).hexdigest()
        time = created_at.astimezone(UTC).strftime(_TIME)
        return f"{time}_{self.vendor}_{self.timeframe}_{digest}"


def pricing_frame(raw: pl.DataFrame, vendor: str) -> pl.DataFrame:
    """Bars as the layout has them.

    Args:
        raw: rows of RAW_BARS of one vendor, on one basis, see
            `market_data.pipeline.one_basis.on_one_basis`.
        vendor: written to `source`.

    Returns:
        COLUMNS, sorted by (symbol, timestamp); `timestamp` is the start of the bar, UTC, and
        `adj_close` the close where the vendor gives none.
    """
    return (
        raw.select(
            "symbol",
            "open",
            "high",
            "low",
            "close",
            "volume",
            timestamp="ts",
            adj_close=pl.coalesce("adj_close", "close"),
            source=pl.lit(vendor),
        )
        .select(COLUMNS)
        .sort("symbol", "timestamp")
    )


def pricing_issues(
    frame: pl.DataFrame, expected: pl.DataFrame, repeated: int
) -> list[dict[str, Any]]:
    """What is wrong with an entry.

    Coverage and age are told by the calendar's sessions, so that week-ends and holidays are no
    gaps.

    Args:
        frame: see `pricing_frame`.
        expected: rows of EXPECTED: what sessions that have begun should hold.
        repeated: rows that came twice in an answer, of which one is kept.

    Returns:
        One object per issue: code, severity (error or warning), message, symbol (null where it is
        about the whole entry), context. Codes: no_data (error); duplicate_rows, missing_rows,
        flat_prices, stale_series (warnings).
    """
    if frame.is_empty():
        return [_issue("no_data", "error", "the vendor gave no rows")]
    issues = []
    doubled = int(frame.select("symbol", "timestamp").is_duplicated().sum()) + repeated
    if doubled:
        told = "bars were given more than once"
        issues.append(_issue("duplicate_rows", "warning", told, rows=doubled))
    for row in _per_symbol(frame, expected).iter_rows(named=True):
        issues += _of_symbol(row)
    return issues


def mixed_basis_issues(unclear: pl.DataFrame) -> list[dict[str, Any]]:
    """One issue `mixed_basis` (error) per symbol of which some bars may stand on another basis.

    Args:
        unclear: such rows: symbol and session.
    """
    spans = unclear.group_by("symbol").agg(
        rows=pl.len(), first=pl.col("session").min(), last=pl.col("session").max()
    )
    told = "nobody can say which splits these prices are divided by: ask for them again"
    return [
        _issue(
            "mixed_basis",
            "error",
            told,
            row["symbol"],
            rows=row["rows"],
            first=row["first"].isoformat(),
            last=row["last"].isoformat(),
        )
        for row in spans.sort("symbol").iter_rows(named=True)
    ]


def _per_symbol(frame: pl.DataFrame, expected: pl.DataFrame) -> pl.DataFrame:
    wanted = expected.group_by("symbol").agg(
        expected=pl.col("expected").sum(), last_close=pl.col("close").max()
    )
    found = frame.group_by("symbol").agg(
        observed=pl.len(),
        closes=pl.col("close").n_unique(),
        latest=pl.col("timestamp").max(),
    )
    return wanted.join(found, on="symbol", how="full", coalesce=True).sort("symbol")


def _of_symbol(row: dict[str, Any]) -> list[dict[str, Any]]:
    symbol, observed, expected = row["symbol"], row["observed"] or 0, row["expected"] or 0
    issues = []
    least = max(int(expected * LEAST_COVERAGE), 1) if expected else 0
    if observed < least:
        told = f"{observed} of {expected} expected bars are there"
        context = {"observed": observed, "expected_hint": expected, "minimum_required": least}
        issues.append(_issue("missing_rows", "warning", told, symbol, **context))
    if observed > 1 and row["closes"] == 1:
        issues.append(_issue("flat_prices", "warning", "every close is the same", symbol))
    latest, last = row["latest"], row["last_close"]
    if latest is not None and last is not None and latest < last - STALE_AFTER:
        told = "the newest bar is older than the last sessions of the window"
        issues.append(_issue("stale_series", "warning", told, symbol, latest=latest.isoformat()))
    return issues


def _issue(
    code: str, severity: str, message: str, symbol: str | None = None, **context: Any
) -> dict[str, Any]:
    return {
        "code": code,
        "severity": severity,
        "message": message,
        "symbol": symbol,
        "context": context,
    }


def pricing_metadata(
    window: Window, *, created_at: datetime, dataset_path: str, rows: int, more: dict[str, Any]
) -> dict[str, Any]:
    """The content of an entry's `_metadata.json`; `more` joins the object `metadata`."""
    start, end = window.start.isoformat(), window.end.isoformat()
    return {
        "created_at": created_at.isoformat(),
        "dataset_path": dataset_path,
        "symbols": list(window.symbols),
        "vendor": window.vendor,
        "interval": str(window.timeframe),
        "window_start": start,
        "window_end": end,
        "rows": rows,
        "metadata": {
            "vendor": window.vendor,
            "symbol_count": len(window.symbols),
            "row_count": rows,
            "window_start": start,
            "window_end": end,
            **more,
        },
    }


def files_to_prune(
    names: Iterable[str],
    *,
    now: datetime,
    retention_days: int | None,
    max_entries: int | None,
) -> list[str]:
    """Which files of a folder belong to entries that are to go.

    Args:
        names: of the files in the folder; those that the layout does not know are left alone.
        now: aware.
        retention_days: entries made longer ago go; None: none for their age.
        max_entries: so many stay, the newest; None: all.

    Returns:
        Names, sorted.
    """
    entries: dict[str, list[str]] = {}
    for name in names:
        match = _FILE.fullmatch(name)
        if match is not None and _made(match["time"]) is not None:
            entries.setdefault(match["entry"], []).append(name)
    newest = sorted(entries, reverse=True)
    old = [
        entry
        for entry in newest
        if retention_days is not None
        and (made := _made(entry[:16])) is not None
        and made < now - timedelta(days=retention_days)
    ]
    beyond: Sequence[str] = [] if max_entries is None else newest[max_entries:]
    return sorted(name for entry in {*old, *beyond} for name in entries[entry])


def _made(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
