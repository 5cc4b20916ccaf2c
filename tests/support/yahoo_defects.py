"""Files of Yahoo with a known defect, each beside its mended twin, ingested and curated.

What belongs here: which they are, what is wrong in them, one installation that holds them all. What
does not: assertions, and what is measured of them.
"""

from __future__ import annotations

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
    """A file, what is found in it, and how it is ingested."""

    name: str
    calendar: str
    code: str
    sessions: tuple[date, ...]
    exported: date = EXPORTED
    currency: str = "USD"


PAIRS = [
    # A split of 5:1 that was worked into the last days before it, and into none before those.
    Pair(
        "4063-T-1d-bad-stock-split",
        "XTKS",
        "jump",
        (date(2023, 3, 29),),
        exported=date(2023, 4, 14),
        currency="JPY",
    ),
    # Pence for nine days, pounds before and after.
    Pair(
        "AET-L-1d-100x-error",
        "XLON",
        "unit_error",
        tuple(date(2022, 5, day) for day in (9, 10, 11, 12, 13, 16, 17, 18, 19)),
        currency="GBP",
    ),
    # A dividend that the adjusted close knows nothing of.
    Pair(
        "8TRA-DE-1d-missing-div-adjust",
        "XETR",
        "adjustment_chain",
        (date(2023, 6, 2),),
        currency="EUR",
    ),
    # A dividend told twice, the second time a day later and a little higher.
    Pair("KAP-IL-1d-bad-div", "XLON", "phantom_dividend", (date(2022, 7, 13),)),
]
SOUND = Pair("EWG-1d-no-bad-divs", "XNYS", "", ())
FILES = [(pair, name) for pair in PAIRS for name in (pair.name, f"{pair.name}-fixed")]
FILES.append((SOUND, SOUND.name))
DETECTED = {pair.code for pair in PAIRS}


def symbol_of(name: str) -> str:
    return name.upper().replace("-1D", "").replace("DIV-ADJUST", "DIV")


def sessions_in(path: Path) -> tuple[date, date]:
    table = pl.read_csv(path, infer_schema=False)
    days = table.to_series(0).str.slice(0, 10).str.to_date()
    return days.min(), days.max()  # type: ignore[return-value]


def world_of_defects(folder: Path, data: Path) -> World:
    """One installation that holds every file as a symbol of its own, ingested and curated."""
    made = World.at(folder, NOW)
    vendors, instruments, spans = [], [], []
    for number, (pair, name) in enumerate(FILES):
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
    for (pair, name), served, span in zip(FILES, vendors, spans, strict=True):
        report = made.load(served.name, "1d", symbol_of(name), *span, exported=pair.exported)
        if report.errors:
            raise AssertionError(report)
    symbols = tuple(symbol_of(name) for _, name in FILES)
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
