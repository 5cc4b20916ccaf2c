"""Outages: when a vendor could not be asked, as the journal tells it, and what they left behind.

What belongs here: unbroken runs of attempts that nobody answered, and what the ledger still lacks
of what they asked for. What does not: why a single session is missing (the ledger), fetching it.

An outage is of the vendor, the way to it, or its gateway: no connection, no answer in time, an
error of its servers. That it refuses a question, a key or a symbol is an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl

from market_data.ports import IngestRun, Outcome
from market_data.timeframes import Timeframe

KINDS = frozenset({"unreachable", "unavailable", "left alone"})
"""Kinds of trouble that nobody's answer is behind, see `market_data.errors.VendorError`."""
_NOT_ASKED = frozenset({"budget spent"})


@dataclass(frozen=True)
class Outage:
    """One vendor's outage.

    Attributes:
        vendor: whose.
        began: when the first attempt was made that nobody answered; of one that was answered for
            some symbols before, when it ended.
        last_seen: when the last such attempt ended.
        ended: when the first attempt was made that was answered again; None while there is none.
        reason: what the last attempt was told.
        attempts: the attempts, oldest first.
    """

    vendor: str
    began: datetime
    last_seen: datetime
    ended: datetime | None
    reason: str
    attempts: tuple[IngestRun, ...]

    @property
    def timeframes(self) -> tuple[Timeframe, ...]:
        """Timeframes that were asked for in vain."""
        return tuple(t for t in Timeframe if any(run.timeframe is t for run in self.attempts))

    def asked(self, timeframe: Timeframe) -> tuple[tuple[str, ...], tuple[date, date]]:
        """Symbols, and first and last session, that were asked for in vain at a timeframe."""
        runs = [run for run in self.attempts if run.timeframe is timeframe]
        symbols = tuple(sorted({symbol for run in runs for symbol in run.symbols}))
        return symbols, (min(r.sessions[0] for r in runs), max(r.sessions[1] for r in runs))


@dataclass(frozen=True)
class Lacking:
    """What an outage left behind at one timeframe, and nobody has filled since.

    Attributes:
        timeframe: of the bars.
        symbols: that lack any session.
        sessions: first and last session that any of them lacks.
        symbol_sessions: how many are lacking.
        rows: symbol, session of each.
    """

    timeframe: Timeframe
    symbols: tuple[str, ...]
    sessions: tuple[date, date]
    symbol_sessions: int
    rows: pl.DataFrame = field(repr=False, compare=False)

    def command(self, vendor: str) -> str:
        """The command that asks for it."""
        first, last = self.sessions
        return (
            f"emp ingest --vendor {vendor} --timeframe {self.timeframe} "
            f"--symbols '{','.join(self.symbols)}' --start {first} --end {last}"
        )


def outages(runs: Iterable[IngestRun]) -> list[Outage]:
    """The outages that some attempts tell of, the newest first.

    Attempts that were not made because our own allowance was used up say nothing, nor do those of
    which nobody knows the kind of their trouble.

    Args:
        runs: attempts in any order, of any vendors.
    """
    open_: dict[str, list[IngestRun]] = {}
    found = []
    for run in sorted(runs, key=lambda r: (r.started_at, r.fetch_id)):
        if run.trouble in KINDS:
            open_.setdefault(run.vendor, []).append(run)
        elif _is_answer(run) and run.vendor in open_:
            found.append(_outage(open_.pop(run.vendor), run.started_at))
    found += [_outage(attempts, None) for attempts in open_.values()]
    return sorted(found, key=lambda o: (o.began, o.vendor), reverse=True)


def lacking(outage: Outage, ledger: pl.DataFrame, timeframe: Timeframe) -> Lacking | None:
    """What is still lacking of what was asked for in vain at a timeframe; None where nothing is.

    Args:
        outage: the outage.
        ledger: rows of LEDGER, of its vendor at least.
        timeframe: one of the outage's.
    """
    failed = ledger.filter(
        pl.col("vendor") == outage.vendor,
        pl.col("timeframe") == str(timeframe),
        pl.col("outcome") == str(Outcome.FAILED),
    ).select("symbol", "session")
    rows = (
        failed.join(_in_vain(outage, timeframe), on="symbol")
        .filter(pl.col("session").is_between("first", "last"))
        .select("symbol", "session")
        .unique()
        .sort("symbol", "session")
    )
    if rows.is_empty():
        return None
    first, last = rows.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
    symbols = tuple(rows["symbol"].unique().sort().to_list())
    return Lacking(timeframe, symbols, (first, last), rows.height, rows)


def _in_vain(outage: Outage, timeframe: Timeframe) -> pl.DataFrame:
    """What the attempts of an outage asked for: symbol, first and last session."""
    return pl.DataFrame(
        [
            (symbol, *run.sessions)
            for run in outage.attempts
            if run.timeframe is timeframe
            for symbol in run.symbols
        ],
        schema={"symbol": pl.String, "first": pl.Date, "last": pl.Date},
        orient="row",
    ).unique()


def _is_answer(run: IngestRun) -> bool:
    """Whether the vendor said anything at all, be it no."""
    return run.trouble not in _NOT_ASKED and (run.status != "failed" or run.trouble != "")


def _outage(attempts: Sequence[IngestRun], ended: datetime | None) -> Outage:
    first = attempts[0]
    return Outage(
        vendor=first.vendor,
        began=first.started_at if first.status == "failed" else first.ended_at,
        last_seen=max(run.ended_at for run in attempts),
        ended=ended,
        reason=attempts[-1].error,
        attempts=tuple(attempts),
    )
