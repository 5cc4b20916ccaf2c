"""Cells of time to bar starts in UTC.

What belongs here: formats, zones, daylight saving, labels, days. What does not: prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from adapters.vendors.files.spec import EPOCHS, MILLISECONDS, ZONE_IN_FORMAT, FormatSpec
from adapters.vendors.instants import LATEST_MICROSECOND
from market_data.schemas import UTC

_NAIVE = pl.Datetime("us")
_DAY_MS = 86_400_000
_EPOCH_LIMIT = LATEST_MICROSECOND * 10
"""Microseconds beyond which a number is no time of ours; keeps products inside 64 bits."""

_OFFSET_SUFFIX = r"^(.*\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s?(?:Z|[+-]\d{2}:?\d{2})$"
_SAMPLE = 50


@dataclass(frozen=True)
class Times:
    """Bar starts and why one is missing; all of one length.

    Attributes:
        ts: UTC, null where it could not be read.
        nonexistent: a local time that the clock jumps over in spring.
    """

    ts: pl.Series
    nonexistent: pl.Series


def bar_starts(
    time: pl.Series | None, day: pl.Series | None, spec: FormatSpec, file_day: date | None
) -> Times:
    """Turn cells into bar starts, UTC, microseconds.

    A daily bar gets its own date at 00:00 UTC, whatever the zone. An ambiguous local time (in
    autumn) is taken as the earlier one.

    Args:
        time: cells of the time column, stripped.
        day: cells of the date column, where the format has one.
        spec: says how to read them.
        file_day: the day in the file's name.
    """
    local = _local(time, day, spec, file_day)
    never = pl.repeat(value=False, n=len(local), eager=True)
    if not spec.timeframe.is_intraday:
        return Times(local.dt.date().cast(_NAIVE).dt.replace_time_zone("UTC").cast(UTC), never)
    ts, skipped = (local, never) if local.dtype == UTC else _to_utc(local, spec)
    if spec.time.label == "end":
        ts = ts - spec.timeframe.duration
    return Times(ts.cast(UTC), skipped)


def _to_utc(local: pl.Series, spec: FormatSpec) -> tuple[pl.Series, pl.Series]:
    offset = spec.time.offset
    if offset is not None:
        ts = (local - offset).dt.replace_time_zone("UTC")
        return ts, pl.repeat(value=False, n=len(ts), eager=True)
    ts = local.dt.replace_time_zone(spec.time.zone, ambiguous="earliest", non_existent="null")
    return ts.dt.convert_time_zone("UTC"), ts.is_null() & local.is_not_null()


def _local(
    time: pl.Series | None, day: pl.Series | None, spec: FormatSpec, file_day: date | None
) -> pl.Series:
    """Times as written, naive; or UTC where the cells themselves say their offset."""
    formats = spec.time.formats
    if formats[0] == MILLISECONDS:
        return _since_midnight(time, day, spec, file_day)
    if formats[0] in EPOCHS:
        return _epoch(time if time is not None else day, spec)
    if time is None or day is None:
        text = time if time is not None else day
    else:
        text = pl.select(pl.concat_str(day, time, separator=" ")).to_series()
    if text is None:
        raise AssertionError("a format has a time or a date column")
    return _parsed(text, formats, daily=not spec.timeframe.is_intraday)


def _since_midnight(
    time: pl.Series | None, day: pl.Series | None, spec: FormatSpec, file_day: date | None
) -> pl.Series:
    if time is None:
        raise AssertionError("ms_since_midnight needs a time column")
    ms = time.cast(pl.Int64, strict=False)
    if spec.time.date_from == "filename":
        days = pl.repeat(file_day, len(ms), dtype=pl.Date(), eager=True)
    elif day is not None:
        days = day.str.to_date(spec.time.date_format, strict=False)
    else:
        raise AssertionError("ms_since_midnight needs a date")
    inside = ms.is_between(0, _DAY_MS, closed="left")
    local = days.cast(_NAIVE) + (ms * 1000).cast(pl.Duration("us"))
    return local.set(~inside.fill_null(value=False), None)


def _epoch(text: pl.Series | None, spec: FormatSpec) -> pl.Series:
    if text is None:
        raise AssertionError("an epoch needs a column")
    unit = EPOCHS[spec.time.formats[0]]
    number = text.cast(pl.Float64, strict=False)
    whole = pl.select(
        pl.when(number.abs() * unit < _EPOCH_LIMIT).then(
            (number * unit).round().cast(pl.Int64, strict=False)
        )
    ).to_series()
    ts = whole.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if spec.timeframe.is_intraday:
        return ts.cast(UTC)
    if spec.time.offset is not None:
        return ts.dt.replace_time_zone(None) + spec.time.offset
    return ts.dt.convert_time_zone(spec.time.zone).dt.replace_time_zone(None)


def _parsed(text: pl.Series, formats: tuple[str, ...], *, daily: bool) -> pl.Series:
    """The first format that reads a cell wins; the one that suits the text is tried first."""
    if daily and any(ZONE_IN_FORMAT.search(f) for f in formats):
        text = text.str.replace(_OFFSET_SUFFIX, "${1}")
        formats = tuple(dict.fromkeys(ZONE_IN_FORMAT.sub("", f) for f in formats))
    dtype = UTC if any(ZONE_IN_FORMAT.search(f) for f in formats) else _NAIVE
    if len(formats) > 1:
        sample = text.drop_nulls().head(_SAMPLE)
        formats = tuple(sorted(formats, key=lambda f: _read(sample, f, dtype).null_count()))
    result = _read(text, formats[0], dtype)
    for pattern in formats[1:]:
        if result.null_count() == text.null_count():
            break
        other = _read(text.set(result.is_not_null(), None), pattern, dtype)
        result = pl.select(pl.coalesce(result, other)).to_series()
    return result


def _read(text: pl.Series, pattern: str, dtype: pl.DataType) -> pl.Series:
    read = text.str.to_datetime(pattern, strict=False, time_unit="us")
    if dtype == UTC and read.dtype == _NAIVE:
        # The spec lets patterns with and without offset stand together in zone UTC alone.
        return read.dt.replace_time_zone("UTC")
    return read.cast(dtype)
