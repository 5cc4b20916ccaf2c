"""Corporate actions out of a user's files.

What belongs here: opening a file and giving its reader the sessions that it needs.
What does not: the reading (market_data/lean_factors.py), adjustment (market_data/adjustment.py).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from market_data.calendars import trading_sessions
from market_data.errors import ConfigurationError
from market_data.lean_factors import lean_actions, parse_factor_file
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
