"""What checks and people say of bars that are exported, put on while they are read.

What belongs here: kept flags and decisions of a range as they are at one moment, which stored bars
they change, a token of them. What does not: what follows from one
(market_data/pipeline/flagging.py and market_data/pipeline/decisions.py), reading bars
(adapters/exports/sources.py).

The store keeps bars as they were curated. Whoever reads them past the client has to put on what the
client puts on, or bars in error are handed out as good ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import polars as pl

from market_data.datasets import FLAGS_DATASET, curated_bars
from market_data.exports.jobs import ExportJob
from market_data.pipeline.decisions import bar_decisions, masked
from market_data.pipeline.flagging import with_flags
from market_data.ports import Annotation, Annotations, BarStore, Decision
from market_data.quality.annotations import ACCEPTING, unusable
from market_data.quality.findings import KEY
from market_data.quality.kept_flags import still_there
from market_data.schemas import KEPT_FLAGS, UTC
from market_data.timeframes import Timeframe

MARKS = pl.Schema(
    {"symbol": pl.String(), "ts": UTC, "flags": pl.String(), "dq_status": pl.String()}
)
"""A bar, and its flags and status as readers see them."""
_TOLD = ("symbol", "session", "bar", "code", "scope", "severity", "digest")


@dataclass(frozen=True)
class Verdicts:
    """Where flags and decisions are.

    Attributes:
        store: of the kept flags.
        annotations: of the decisions.
    """

    store: BarStore
    annotations: Annotations

    def of(self, job: ExportJob, sessions: tuple[date, date]) -> Verdict:
        """What is said now of the bars of an export in a range of sessions, both included.

        Raises:
            StoreUnavailableError: one of the two does not answer.
        """
        timeframe = job.timeframe
        if timeframe is None:
            return Verdict(Timeframe.D1, KEPT_FLAGS.empty(), ())
        mine = pl.col("dataset") == curated_bars(timeframe).name
        years = [
            self.store.scan(FLAGS_DATASET, sessions=year).filter(mine) for year in _years(*sessions)
        ]
        decided = bar_decisions(self, timeframe, sessions)
        return Verdict(timeframe, pl.concat([KEPT_FLAGS.empty(), *years]), tuple(decided))


@dataclass(frozen=True)
class Verdict:
    """What was said of bars of some sessions at one moment.

    Attributes:
        timeframe: of the bars.
        flags: rows of KEPT_FLAGS about them.
        decided: decisions that stood, see `market_data.pipeline.decisions.bar_decisions`.
    """

    timeframe: Timeframe
    flags: pl.DataFrame
    decided: tuple[Annotation, ...]

    def within(self, sessions: tuple[date, date]) -> Verdict:
        """The same of fewer sessions."""
        first, last = sessions
        decided = (a for a in self.decided if a.first_session <= last and a.last_session >= first)
        inside = pl.col("session").is_between(first, last)
        return Verdict(self.timeframe, self.flags.filter(inside), tuple(decided))

    def token(self, sessions: tuple[date, date]) -> str:
        """A hash of what may change bars of these sessions; empty where nothing does.

        Of a decision that reaches further the part in these sessions counts alone.
        """
        here = self.within(sessions)
        rows = here.flags.select(_TOLD).sort(_TOLD).rows()
        said = sorted(
            (
                a.dataset,
                a.symbol,
                str(max(a.first_session, sessions[0])),
                str(min(a.last_session, sessions[1])),
                str(a.decision),
                a.vendor,
                *a.codes,
            )
            for a in here.decided
            if a.decision in (Decision.UNUSABLE, *ACCEPTING)
        )
        return sha256(repr((rows, said)).encode()).hexdigest() if rows or said else ""

    def concerned(self, sessions: tuple[date, date]) -> pl.DataFrame:
        """The sessions whose bars may be others to readers: symbol, session, each once, sorted."""
        here = self.within(sessions)
        said = unusable(here.decided, sessions)
        return pl.concat([here.flags.select(KEY), said.select(KEY)]).unique().sort(KEY)

    def marks(self, bars: pl.DataFrame) -> pl.DataFrame:
        """The bars of which readers see other flags, or another status, than are stored.

        Args:
            bars: rows of CURATED_BARS, sessions as a whole, as they are stored.

        Returns:
            Rows of MARKS, sorted by (symbol, ts).
        """
        if bars.is_empty():
            return pl.DataFrame(schema=MARKS)
        stored = bars.sort("symbol", "ts")
        span = stored.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
        here = self.within(span)
        found = still_there(here.flags, stored, stored)
        seen = with_flags(stored, found, here.decided, self.timeframe)
        seen = masked(seen, list(here.decided), self.timeframe)
        other = (seen["flags"] != stored["flags"]) | (seen["dq_status"] != stored["dq_status"])
        return seen.filter(other).select(list(MARKS))


def with_token(version: str, token: str) -> str:
    """The version of rows and of what is said of them."""
    return sha256(f"{version}\n{token}".encode()).hexdigest() if token else version


def put_on(rows: pl.LazyFrame, marks: pl.DataFrame) -> pl.LazyFrame:
    """Rows with the flags and statuses of `marks`, in their order."""
    if marks.is_empty():
        return rows
    said = marks.lazy().rename({"flags": "_flags", "dq_status": "_status"})
    joined = rows.join(said, on=["symbol", "ts"], how="left", maintain_order="left")
    return joined.with_columns(
        flags=pl.coalesce("_flags", "flags"), dq_status=pl.coalesce("_status", "dq_status")
    ).drop("_flags", "_status")


def _years(first: date, last: date) -> Sequence[tuple[date, date]]:
    """A range year by year: a statement has a time limit."""
    return [
        (max(first, date(year, 1, 1)), min(last, date(year, 12, 31)))
        for year in range(first.year, last.year + 1)
    ]
