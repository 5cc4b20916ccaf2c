"""On which day the prices of a file were adjusted for splits: that of its export.

What belongs here: where that day is found, and what is refused where it is not.
What does not: undoing the splits (market_data/corporate_actions/undoing.py).

A vendor that is asked adjusts as it answers. A file was adjusted when it was exported, and read
years later it knows nothing of the splits since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from adapters.vendors.files.discovery import FoundFile, day_in, plain_stem
from adapters.vendors.files.spec import FormatSpec
from market_data.basis import Adjustment
from market_data.errors import MalformedAnswerError, VendorError
from market_data.universe import Instrument

_SPARE = timedelta(days=1)
"""Between the day of an exchange and that of UTC."""

_CURE = (
    "say the day of the export: emp ingest --prices-as-of YYYY-MM-DD (prices_as_of in a run's "
    "configuration), adjusted_on under basis in the format, or adjusted_on_pattern there where "
    "the files' names hold it"
)


def needs_day(spec: FormatSpec, instrument: Instrument) -> bool:
    """Whether prices mean nothing without the day on which they were adjusted."""
    return spec.basis.adjustment is Adjustment.SPLITS and instrument.asset_class.is_adjustable


def export_day(
    found: Iterable[FoundFile], spec: FormatSpec, prices_as_of: date | None, today: date
) -> date:
    """The day on which the prices of one symbol's files were adjusted.

    Args:
        found: the files that speak for the symbol.
        spec: their format; its `adjusted_on` goes before the files' names.
        prices_as_of: the day that the run was told, which goes before both.
        today: date of the fetch, UTC.

    Raises:
        MalformedAnswerError: no day is known, it lies ahead, or the files tell different ones.
    """
    days: dict[date | None, Path] = {}
    for file in found:
        days.setdefault(
            prices_as_of or spec.basis.adjusted_on or _named(file.path, spec), file.path
        )
    if None in days:
        raise MalformedAnswerError(
            f"the prices of {days[None]} are adjusted for splits, and nothing says up to which "
            f"day (adjusted_on): {_CURE}"
        )
    known = sorted(day for day in days if day is not None)
    if len(known) > 1:
        raise MalformedAnswerError(
            f"the prices of {days[known[0]]} were adjusted for splits on {known[0]}, those of "
            f"{days[known[-1]]} on {known[-1]} (adjusted_on): read one of them at a time (--path)"
        )
    if known[0] > today + _SPARE:
        raise MalformedAnswerError(
            f"the prices of {days[known[0]]} cannot have been adjusted for splits on {known[0]} "
            f"(adjusted_on), which lies ahead: {_CURE}"
        )
    return known[0]


def refuse_later_bars(bars: pl.DataFrame, path: Path, days: Collection[date]) -> None:
    """Refuse a file with bars of a time after it was exported.

    Args:
        bars: rows with `ts`.
        path: the file.
        days: the days of the export of the symbols that it speaks for; none where none is needed.

    Raises:
        VendorError: there are such bars: the day is wrong.
    """
    newest: date | None = bars["ts"].dt.date().max()  # type: ignore[assignment]
    if days and newest is not None and newest > min(days) + _SPARE:
        raise VendorError(
            f"{path} holds a bar of {newest:%Y-%m-%d}, after the day on which its prices are said "
            f"to have been adjusted for splits ({min(days)}, adjusted_on): {_CURE}"
        )


def _named(path: Path, spec: FormatSpec) -> date | None:
    pattern = spec.basis.adjusted_on_pattern
    if pattern is None:
        return None
    return day_in(plain_stem(path), pattern, spec.basis.adjusted_on_format)
