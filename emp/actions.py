"""Corporate actions from people: what a file says, what is kept of it, what somebody takes back.

What belongs here: opening a file, giving its reader what it needs, keeping good rows and refused
ones, withdrawals. What does not: reading and adjustment (market_data/corporate_actions), curating
again (emp/run.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

import polars as pl

from market_data.calendars import trading_sessions
from market_data.corporate_actions.conflicts import conflicts
from market_data.corporate_actions.csv_text import REQUIRED, parse_actions_csv
from market_data.corporate_actions.lean_factors import lean_actions, parse_factor_file
from market_data.corporate_actions.withdrawals import BY_HAND, NO_ACTION
from market_data.errors import ConfigurationError
from market_data.pipeline.keep_actions import keep_actions, refuse_actions
from market_data.pipeline.platform import Platform
from market_data.schemas import REJECTED_ROWS, UTC
from market_data.timeframes import Timeframe
from market_data.universe import Instrument

FileFormat = Literal["csv", "lean_factors"]
Known = Literal["when_told", "now", "since_ex_date"]
_SAME = 1e-6
"""Relative; sources round a dividend to six digits or more."""
ActionKind = Literal["split", "dividend"]
_SOURCES: dict[FileFormat, str] = {"csv": "csv", "lean_factors": "lean_factor_file"}
"""Who says it, where the user names nobody."""


@dataclass(frozen=True)
class ActionsFile:
    """What a file says.

    Attributes:
        form: its format.
        source: who says it.
        actions: rows of CORPORATE_ACTIONS.
        rejected: rows of REJECTED_ROWS; never in a factor file, which is whole or refused.
    """

    form: FileFormat
    source: str
    actions: pl.DataFrame
    rejected: pl.DataFrame = field(default_factory=REJECTED_ROWS.empty)

    @property
    def symbols(self) -> list[str]:
        """Symbols that actions are told of."""
        return self.actions["symbol"].unique().sort().to_list()


def read_actions_file(
    platform: Platform,
    file: Path,
    *,
    form: FileFormat | None,
    symbol: str | None,
    source: str | None,
    known: Known = "when_told",
) -> ActionsFile:
    """Read a file of splits and dividends.

    Args:
        platform: universe and clock.
        file: where it is.
        form: its format; None tells it from the header.
        symbol: whom a factor file speaks of.
        source: who says it; where None, `csv` or `lean_factor_file`.
        known: "now": nobody here knew the actions before, so that reads as of earlier times stay
            as they were. "since_ex_date": they were known all the time, or since `known_at` in the
            file. "when_told": now, where the file names no other time and bars of the symbol were
            fetched since the ex-date; what others told already counts as known since then.

    Raises:
        ConfigurationError: the file cannot be read, is empty, or needs a symbol that splits.
        SchemaError: it is not what its format says.
    """
    instrument = None if symbol is None else platform.universe.instrument(symbol)
    if instrument is not None and not instrument.asset_class.is_adjustable:
        raise ConfigurationError(f"{symbol} is {instrument.asset_class}: it has no splits")
    text = _text(file)
    now = platform.clock.now()
    form = form or _guessed(text)
    name = source or _SOURCES[form]
    if form == "csv":
        found, bad = parse_actions_csv(text, platform.universe.instruments, source=name, now=now)
        read = ActionsFile(form, name, found, bad)
    else:
        if instrument is None:
            raise ConfigurationError("a factor file does not name its symbol: give --symbol")
        read = ActionsFile(form, name, _factors(text, file, instrument, name, now))
    if known == "since_ex_date" or read.actions.is_empty():
        return read
    dated = (
        read.actions.with_columns(known_at=pl.lit(now, dtype=UTC))
        if known == "now"
        else _known_when_told(platform, read.actions, now)
    )
    return ActionsFile(read.form, read.source, dated, read.rejected)


def _known_when_told(platform: Platform, actions: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """The actions, those that nobody told before bars were fetched known at `now`."""
    symbols = actions["symbol"].unique().sort().to_list()
    standing = platform.actions.read(symbols=symbols).select(
        "symbol", "ex_date", "kind", _value="value", _since="known_at"
    )
    fetched = (
        platform.ledger.read(symbols=symbols)
        .filter(pl.col("rows") > 0)
        .group_by("symbol")
        .agg(_fetched=pl.col("asked_at").max())
    )
    midnight = pl.col("ex_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    repeats = (pl.col("value") - pl.col("_value")).abs() <= _SAME * pl.col("_value").abs()
    joined = actions.join(
        standing, on=["symbol", "ex_date", "kind"], how="left", maintain_order="left"
    ).join(fetched, on="symbol", how="left", maintain_order="left")
    known_at = (
        pl.when(pl.col("known_at") != midnight)
        .then("known_at")
        .when(repeats)
        .then(pl.max_horizontal("known_at", "_since"))
        .when(pl.col("_fetched") >= midnight)
        .then(pl.lit(now, dtype=UTC))
        .otherwise("known_at")
    )
    return joined.with_columns(known_at=known_at).select(actions.columns)


def keep(platform: Platform, read: ActionsFile) -> int:
    """Keep what a file says, and its refused rows in quarantine; how many actions were new.

    A refused row is closed when the source says the same symbol's action of that day well.
    """
    now = platform.clock.now()
    fetch_id = f"actions-{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:12]}"
    new = keep_actions(platform, read.actions, fetch_id=fetch_id, now=now)
    told = read.actions.select(
        "symbol",
        ts=pl.col("ex_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        session="ex_date",
    )
    platform.quarantine.supersede(told, vendor=read.source, timeframe=Timeframe.D1)
    refuse_actions(platform, read.rejected, source=read.source, fetch_id=fetch_id, now=now)
    return new


def withdraw(platform: Platform, symbol: str, ex_date: date, kind: ActionKind) -> pl.DataFrame:
    """Say that there was no such action, whoever says so; what stood until now.

    Known from now on: reads as of earlier times still see it.

    Args:
        platform: where the actions are.
        symbol: platform symbol.
        ex_date: of the action.
        kind: split or dividend.

    Returns:
        The row of CORPORATE_ACTIONS that stood.

    Raises:
        ConfigurationError: no such action is known.
    """
    platform.universe.instrument(symbol)
    stood = platform.actions.read(symbols=[symbol]).filter(
        pl.col("ex_date") == ex_date, pl.col("kind") == kind
    )
    if stood.is_empty():
        raise ConfigurationError(
            f"no {kind} of {symbol} on {ex_date} is known; 'emp actions list --symbols {symbol}' "
            "shows those that are"
        )
    now = platform.clock.now()
    none = stood.with_columns(
        value=pl.lit(NO_ACTION[kind]), source=pl.lit(BY_HAND), known_at=pl.lit(now, dtype=UTC)
    )
    platform.actions.add(none, now=now)
    return stood


def known_conflicts(
    platform: Platform, symbols: Sequence[str] | None, also: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Contradictions between the sources, see `market_data.corporate_actions.conflicts.conflicts`.

    Args:
        platform: where the actions are.
        symbols: only these; None for all.
        also: statements that are not kept yet; those of the same sources give way to them.
    """
    statements = platform.actions.statements(symbols=symbols)
    if also is not None:
        statements = pl.concat([statements, also]).unique(
            ["symbol", "ex_date", "kind", "source"], keep="last", maintain_order=True
        )
    return conflicts(statements, platform.actions.read(symbols=symbols))


def _text(file: Path) -> str:
    try:
        return file.expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {file}: {error}") from error


def _guessed(text: str) -> FileFormat:
    header = {cell.strip().lower() for cell in text.partition("\n")[0].split(",")}
    return "csv" if header & set(REQUIRED) else "lean_factors"


def _factors(
    text: str, file: Path, instrument: Instrument, source: str, now: datetime
) -> pl.DataFrame:
    """The splits and dividends of a LEAN factor file, splits as ratios of small integers."""
    factors = parse_factor_file(text)
    first = factors["date"].min()
    if not isinstance(first, date):
        raise ConfigurationError(f"{file} holds no row")
    sessions = trading_sessions(instrument.calendar, first, now.date() + timedelta(days=10))
    return lean_actions(
        factors, symbol=instrument.symbol, sessions=sessions, source=source, snap_splits=True
    )
