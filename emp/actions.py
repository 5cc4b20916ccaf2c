"""Corporate actions out of a user's files, and the curated bars that they concern.

What belongs here: opening a file and giving its reader the sessions that it needs; which stored
bars are no longer what curation makes of them.
What does not: the reading (market_data/lean_factors.py), adjustment (market_data/adjustment.py),
curating again (emp/run.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from market_data.calendars import trading_sessions
from market_data.datasets import curated_bars
from market_data.errors import ConfigurationError
from market_data.lean_factors import lean_actions, parse_factor_file
from market_data.pipeline.curate import chunks, curate_slice, step_days
from market_data.pipeline.platform import Platform
from market_data.quality.digest import bars_digest
from market_data.timeframes import Timeframe
from market_data.universe import Instrument


def factor_file_actions(
    file: Path, instrument: Instrument, *, source: str, now: datetime
) -> pl.DataFrame:
    """The splits and dividends of a LEAN factor file, splits as ratios of small integers.

    Returns:
        Rows of CORPORATE_ACTIONS.

    Raises:
        ConfigurationError: the file cannot be opened, or is empty.
        SchemaError: it is no factor file.
    """
    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {file}: {error}") from error
    factors = parse_factor_file(text)
    first = factors["date"].min()
    if not isinstance(first, date):
        raise ConfigurationError(f"{file} holds no row")
    sessions = trading_sessions(instrument.calendar, first, now.date() + timedelta(days=10))
    return lean_actions(
        factors, symbol=instrument.symbol, sessions=sessions, source=source, snap_splits=True
    )


@dataclass(frozen=True)
class Outdated:
    """Stored bars of one symbol and timeframe that curation would make otherwise now.

    Attributes:
        timeframe: of the bars.
        first: first session concerned.
        last: last session concerned.
        sessions: how many are.
    """

    timeframe: Timeframe
    first: date
    last: date
    sessions: int


def outdated(platform: Platform, symbol: str) -> list[Outdated]:
    """Where the curated bars of a symbol differ from what the raw logs and actions give now."""
    found = ((timeframe, _differing(platform, symbol, timeframe)) for timeframe in Timeframe)
    return [Outdated(t, min(days), max(days), len(days)) for t, days in found if days]


def _differing(platform: Platform, symbol: str, timeframe: Timeframe) -> list[date]:
    """The sessions whose stored bars are others than those made anew."""
    dataset = curated_bars(timeframe)
    held = platform.store.scan(dataset, symbols=[symbol], columns=["session"])["session"].unique()
    if held.is_empty():
        return []
    key = ["symbol", "session", "bars_digest"]
    days: list[date] = []
    ends = held.sort()
    for span in chunks(ends[0], ends[-1], step_days(platform, timeframe)):
        stored = bars_digest(platform.store.scan(dataset, symbols=[symbol], sessions=span))
        anew = bars_digest(curate_slice(platform, timeframe, [symbol], *span).bars)
        days += stored.join(anew, on=key, how="anti")["session"].to_list()
        days += anew.join(stored, on=key[:2], how="anti")["session"].to_list()
    return days
