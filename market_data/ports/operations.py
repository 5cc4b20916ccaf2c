"""Ports of the operational tables: ledger, journal, quarantine, corporate actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import polars as pl

from market_data.ports.events import Event
from market_data.schemas import CORPORATE_ACTIONS, UTC
from market_data.timeframes import Timeframe


class Ledger(Protocol):
    """Knows, per vendor, timeframe, symbol and session, what was asked and what came."""

    def record(
        self, frame: pl.DataFrame, *, events: Sequence[Event] = (), now: datetime | None = None
    ) -> None:
        """Upsert rows of LEDGER.

        An answer is not undone by a later failure: a row whose outcome is `rows`, `nothing`,
        `holiday` or `unavailable` is replaced only by another answer, and one of the first three
        never by `unavailable`.

        Args:
            frame: rows of LEDGER.
            events: what listeners are told of these rows. Where somebody listens they are kept
                for delivery in the same transaction: neither is there without the other.
            now: the time, where these questions were put just now: what a clock that was ahead has
                recorded of a time still to come is earlier then, and final no more. None for
                questions of another time.
        """
        ...

    def read(
        self,
        *,
        timeframe: Timeframe | None = None,
        vendors: Sequence[str] | None = None,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> pl.DataFrame:
        """Rows of LEDGER, sorted by (vendor, timeframe, symbol, session)."""
        ...

    def failing(self) -> pl.DataFrame:
        """Rows of LEDGER whose outcome is `refused` or `failed`, sorted as by `read`."""
        ...

    def spans(self, *, timeframe: Timeframe, vendors: Sequence[str] | None = None) -> pl.DataFrame:
        """First and last session asked, per symbol: columns symbol, first, last."""
        ...

    def unavailable(
        self,
        *,
        timeframes: Sequence[Timeframe],
        vendors: Sequence[str],
        sessions: tuple[date, date],
    ) -> pl.DataFrame:
        """Symbol-sessions of which every record among these says `unavailable`.

        Returns:
            Columns symbol, session, sorted by both.
        """
        ...


@dataclass(frozen=True)
class IngestRun:
    """One attempt to fetch, as the journal keeps it."""

    fetch_id: str
    run_id: str
    vendor: str
    timeframe: Timeframe
    symbols: tuple[str, ...]
    sessions: tuple[date, date]
    status: str
    rows: int
    new_rows: int
    rejected_rows: int
    started_at: datetime
    ended_at: datetime
    payloads: tuple[str, ...] = ()
    error: str = ""
    payload_symbols: tuple[str, ...] = ()
    """Of each payload the one symbol that it answers about, empty where it may be about several;
    no item at all where nobody wrote it down."""
    trouble: str = ""
    """The kind of what ended the answer, or of what met all of its symbols, see VendorError; empty
    where nothing did."""
    newest_bar: datetime | None = None
    """When the newest bar of the answer ended; None where no bar came, or nobody wrote it down."""
    unasked: tuple[str, ...] = ()
    """Those of `symbols` about which nothing was sent, since a trouble came before."""
    failover: int | None = None
    """Number of the decision in force while the warehouse was away; the journal itself writes it
    down."""

    @property
    def duration_seconds(self) -> float:
        """How long the attempt took."""
        return max(0.0, (self.ended_at - self.started_at).total_seconds())

    @property
    def freshness_seconds(self) -> float | None:
        """How old the newest bar was when the attempt ended; 0 for one that was still running."""
        if self.newest_bar is None:
            return None
        return max(0.0, (self.ended_at - self.newest_bar).total_seconds())


class Journal(Protocol):
    """Every attempt to fetch, good or bad."""

    def add(self, run: IngestRun) -> None:
        """Add one attempt; the same fetch_id again replaces it."""
        ...

    def runs(
        self,
        *,
        vendor: str | None = None,
        since: datetime | None = None,
        limit: int | None = 100,
    ) -> list[IngestRun]:
        """Attempts, newest first.

        Args:
            vendor: only of this one; None for all.
            since: only those that were begun then or later, aware; None for all.
            limit: at most so many; None for all.
        """
        ...

    def news(self, after: int, vendors: Sequence[str]) -> tuple[set[str], int]:
        """What some vendors' answers that were recorded after a number were about.

        Args:
            after: the newest number that was looked at; 0 for all.
            vendors: whose answers.

        Returns:
            The symbols of answers that had rows, and the newest number; `after` where nothing was
            recorded. Numbers rise with every attempt that is added or replaced, whenever it was
            begun, and none is recorded late below one that was seen.
        """
        ...

    def of(self, fetch_ids: Sequence[str]) -> list[IngestRun]:
        """The attempts of these names, in the order of their names; unknown names are left out."""
        ...


@dataclass(frozen=True)
class Refused:
    """Which rows of the quarantine are meant; None stands for all.

    Attributes:
        row_ids: of single rows.
        vendors: who said them.
        timeframe: of the feed.
        symbols: instruments.
        sessions: first and last session; leaves out rows whose session could not be told.
        stages: fetch, curate.
        reasons: rows that have one of these among their reasons.
        statuses: open, resolved, replayed, dropped.
    """

    row_ids: Sequence[str] | None = None
    vendors: Sequence[str] | None = None
    timeframe: Timeframe | None = None
    symbols: Sequence[str] | None = None
    sessions: tuple[date, date] | None = None
    stages: Sequence[str] | None = None
    reasons: Sequence[str] | None = None
    statuses: Sequence[str] | None = None


class QuarantineLog(Protocol):
    """Every rejected row, once, with all its reasons."""

    def add(self, frame: pl.DataFrame) -> int:
        """Keep rows of QUARANTINE that are not there yet; returns how many were new.

        A row that is known and resolved is open again.
        """
        ...

    def supersede(self, bars: pl.DataFrame, *, vendor: str, timeframe: Timeframe) -> int:
        """Close what earlier fetches refused, now that the vendor has sent those bars whole.

        The rows stay, but are no longer open.

        Args:
            bars: columns symbol, ts and session of the bars that came.
            vendor: whose.
            timeframe: of which feed.

        Returns:
            How many rows were closed.
        """
        ...

    def settle(
        self,
        frame: pl.DataFrame,
        *,
        timeframe: Timeframe,
        symbols: Sequence[str],
        sessions: tuple[date, date],
    ) -> int:
        """Keep what curating a slice refused, and close what it no longer refuses.

        Rows of the slice that an earlier curation refused and that are not in `frame` count as
        resolved: the vendor revised them, or a limit changed. They stay, but are no longer open.

        Args:
            frame: rows of QUARANTINE, of any timeframe.
            timeframe: whose earlier rows are closed.
            symbols: symbols of the slice.
            sessions: first and last session of the slice.

        Returns:
            How many rows were new.
        """
        ...

    def read(
        self,
        *,
        vendors: Sequence[str] | None = None,
        timeframe: Timeframe | None = None,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:
        """Rows of QUARANTINE sorted by (symbol, session, ts)."""
        ...

    def counts(
        self,
        *,
        timeframe: Timeframe,
        sessions: tuple[date, date],
        vendors: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Open rows per vendor, symbol, session, stage and reasons: those columns and rows."""
        ...

    def entries(self, wanted: Refused, *, limit: int | None = None) -> pl.DataFrame:
        """Rows of REFUSED_ROWS sorted by (symbol, session, ts), at most `limit`."""
        ...

    def named(self, beginning: str) -> list[str]:
        """The ids of at most two rows that begin so, whatever their status."""
        ...

    def reasons(self, wanted: Refused) -> pl.DataFrame:
        """How many rows there are per vendor, timeframe, stage, status and reasons.

        Returns:
            Those columns and rows, most rows first.
        """
        ...

    def decide(
        self, row_ids: Sequence[str], status: str, *, at: datetime, by: str, reason: str
    ) -> int:
        """Write down what a person decided about rows.

        `dropped` is about open rows, and stays when a row is refused again. `replayed` is about
        open and resolved ones that were accepted when tried again; a row that is refused once
        more is open again.

        Returns:
            How many rows it concerns.
        """
        ...


STATED_ACTIONS = {**CORPORATE_ACTIONS.dtypes, "stated_at": UTC}
"""Columns of a statement with the time at which its source last stated anything about the symbol;
null where nobody wrote that down."""


class ActionLog(Protocol):
    """Corporate actions as they became known."""

    def add(self, frame: pl.DataFrame, *, now: datetime) -> int:
        """Keep rows of CORPORATE_ACTIONS that are new or differ; returns how many were.

        The first statement of a source about a symbol, ex_date and kind keeps the `known_at` that
        it came with. A statement that changes an earlier one was not known before `now`, whatever
        it came with: what was read as of an earlier time stays as it was.

        That there was no such action is a statement too, see
        market_data/corporate_actions/withdrawals.py; `read` leaves such rows out.

        Args:
            frame: what the sources state now.
            now: the time of the statement, aware.
        """
        ...

    def read(
        self, *, symbols: Sequence[str] | None = None, known_at: datetime | None = None
    ) -> pl.DataFrame:
        """Rows of CORPORATE_ACTIONS: per symbol, ex_date and kind the newest one known."""
        ...

    def statements(self, *, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Rows of CORPORATE_ACTIONS: what every source says now, also where another one stands.

        Sorted by (symbol, ex_date, kind, source).
        """
        ...

    def history(self, *, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        """Rows of STATED_ACTIONS: every revision of every source, in the order of recording."""
        ...

    def news(self, after: int) -> pl.DataFrame:
        """Symbols of which something was recorded after that number, in the order of the numbers.

        Returns:
            Columns symbol (String) and number (Int64): of the newest row recorded. Numbers rise
            with every row, and none is recorded late below one that was seen.
        """
        ...
