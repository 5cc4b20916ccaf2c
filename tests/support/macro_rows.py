"""Announced dates and vintages for tests, in few words.

What belongs here: rows of FRED_RELEASES and FRED_OBSERVATIONS. What does not: assertions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import polars as pl

from adapters.macro_releases import load_macro_releases
from adapters.settings import Settings
from market_data.macro.schemas import FRED_OBSERVATIONS, FRED_RELEASES

TABLE = load_macro_releases(Settings())
LONG_AGO = datetime(2023, 1, 1, tzinfo=UTC)

GDP = [
    ("2024-04-25", "2024-01-01", 28284.5),
    ("2024-07-25", "2024-01-01", 28269.2),
    ("2024-07-25", "2024-04-01", 28629.2),
    ("2024-08-29", "2024-04-01", 28652.3),
    ("2024-09-26", "2024-01-01", 28624.1),
    ("2024-09-26", "2024-04-01", 29016.7),
    ("2024-10-30", "2024-07-01", 29349.9),
]


def dates(*days: str, release: str = "53", listed: bool = True) -> pl.DataFrame:
    """Dates of a release, known since long ago."""
    rows = [(release, date.fromisoformat(d), "x", listed, LONG_AGO, LONG_AGO, "f") for d in days]
    return pl.DataFrame(rows, schema=FRED_RELEASES.dtypes, orient="row")


def vintages(values: Sequence[tuple[str, str, float | None]], series: str = "GDP") -> pl.DataFrame:
    """First day, period and value of each vintage; known at half past twelve UTC of the day."""
    rows = [
        (
            series,
            date.fromisoformat(seen),
            date.fromisoformat(period),
            value,
            datetime.fromisoformat(f"{seen}T12:30+00:00"),
            LONG_AGO,
            "f",
        )
        for seen, period, value in values
    ]
    return pl.DataFrame(rows, schema=FRED_OBSERVATIONS.dtypes, orient="row")
