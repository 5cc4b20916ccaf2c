"""Files of Yahoo with a known defect, each beside its mended twin, ingested and curated.

What belongs here: which they are, what is wrong in them, one installation that holds them all. What
does not: assertions, and what is measured of them. Which sessions are wrong is never listed here:
the twin says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from market_data.pipeline.health import JudgedRange, judged_range
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

NOW = datetime(2024, 9, 2, 12, tzinfo=UTC)
EXPORTED = date(2024, 9, 1)


@dataclass(frozen=True)
class Pair:
    """A file, the code of what is found in it, and how it is ingested."""

    name: str
    calendar: str
    code: str
    exported: date = EXPORTED
    currency: str = "USD"


PAIRS = [
    # A split of 5:1 that was worked into the last day before it, and into none before that.
    Pair(
        "4063-T-1d-bad-stock-split",
        "XTKS",
        "split_in_part",
        exported=date(2023, 4, 14),
        currency="JPY",
    ),
    # Pounds, and for nine days between them the pence in which the share is quoted.
    Pair("AET-L-1d-100x-error", "XLON", "unit_error", currency="GBp"),
    # A dividend that the adjusted close knows nothing of.
    Pair("8TRA-DE-1d-missing-div-adjust", "XETR", "adjustment_chain", currency="EUR"),
    # A dividend told twice, the second time a day later and a little higher.
    Pair("KAP-IL-1d-bad-div", "XLON", "phantom_dividend"),
]
SOUND = Pair("EWG-1d-no-bad-divs", "XNYS", "")
FILES = [(pair, name) for pair in PAIRS for name in (pair.name, f"{pair.name}-fixed")]
FILES.append((SOUND, SOUND.name))
DETECTED = {pair.code for pair in PAIRS}


def symbol_of(name: str) -> str:
    return name.upper().replace("-1D", "").replace("DIV-ADJUST", "DIV")


def wrong_sessions(data: Path, pair: Pair) -> tuple[date, ...]:
    """Where the file says otherwise than its twin.

    That is the sessions whose prices are others; where none are, those whose dividend or split is
    another; where none is, those at which the adjusted close changes by another share of the close.
    A repair moves the last digits of a price, and a volume with its split.
    """
    bad, right = (_rows(data / "defects_yahoo" / f"{pair.name}{end}.csv") for end in ("", "-fixed"))
    both = bad.join(right, on="session", validate="1:1").sort("session")
    if both.height != bad.height:
        raise AssertionError(f"{pair.name} and its twin are of different days")
    for columns in (_PRICES, _ACTIONS, ("chain",)):
        off = pl.any_horizontal(
            ((pl.col(c) - pl.col(f"{c}_right")).abs() > 1e-6 * pl.col(f"{c}_right").abs())
            for c in columns
        )
        found = both.filter(off)["session"].to_list()
        if found:
            return tuple(found)
    raise AssertionError(f"{pair.name} is as its twin")


_PRICES, _ACTIONS = ("Open", "High", "Low", "Close"), ("Dividends", "Stock Splits")


def _rows(path: Path) -> pl.DataFrame:
    table = pl.read_csv(path, infer_schema=False)
    day = pl.col(table.columns[0]).str.slice(0, 10).str.to_date()
    adjusted = pl.col("Adj Close") / pl.col("Close")
    return (
        table.select(
            day.alias("session"), pl.col(*_PRICES, *_ACTIONS, "Adj Close").cast(pl.Float64)
        )
        .sort("session")
        .with_columns(chain=(adjusted / adjusted.shift()))
    )


def sessions_in(path: Path) -> tuple[date, date]:
    table = pl.read_csv(path, infer_schema=False)
    days = table.to_series(0).str.slice(0, 10).str.to_date()
    return days.min(), days.max()  # type: ignore[return-value]


def world_of_defects(folder: Path, data: Path, pairs: Sequence[Pair] | None = None) -> World:
    """One installation that holds every file as a symbol of its own, ingested and curated.

    With `pairs` those and their twins alone.
    """
    files = FILES if pairs is None else [(p, n) for p in pairs for n in (p.name, f"{p.name}-fixed")]
    made = World.at(folder, NOW)
    vendors, instruments, spans = [], [], []
    for number, (pair, name) in enumerate(files):
        path = data / "defects_yahoo" / f"{name}.csv"
        vendor, symbol = f"yahoo_files_{number}", symbol_of(name)
        vendors.append(FileVendor(vendor, {"1d": ("yahoo_csv", path)}, (symbol,)))
        instruments.append(
            Instrument(
                symbol=symbol,
                asset_class=AssetClass.EQUITY,
                calendar=pair.calendar,
                currency=pair.currency,
                vendor_symbols={vendor: symbol},
            )
        )
        spans.append(sessions_in(path))
    made.register(*vendors, instruments=tuple(instruments))
    for (pair, name), served, span in zip(files, vendors, spans, strict=True):
        report = made.load(served.name, "1d", symbol_of(name), *span, exported=pair.exported)
        if report.errors:
            raise AssertionError(report)
    symbols = tuple(symbol_of(name) for _, name in files)
    made.curate("1d", symbols, min(s[0] for s in spans), max(s[1] for s in spans))
    return made


def judged(world: World) -> JudgedRange:
    """The curated days as `emp health` judges them."""
    return judged_range(world.platform, "curated/bars_1d", date(2022, 1, 3), EXPORTED)


def found(seen: JudgedRange, name: str, codes: set[str]) -> list[tuple[date, str]]:
    """Sessions and codes of what is found of a file."""
    findings = seen.inspection.findings
    own = findings.filter(pl.col("symbol") == symbol_of(name), pl.col("code").is_in(list(codes)))
    return own.select("session", "code").rows()
