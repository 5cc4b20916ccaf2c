"""Landing: one question to a vendor, from asking to the ledger.

What belongs here: the order in which an answer lands. Payload first, then rows, then the ledger,
so that a crash at any point leaves a session that is asked again, never one that is believed.
What does not: what to ask for (market_data/pipeline/planning.py), what is known of the question
whatever the answer (asking.py), which bars only restate known ones (said_anew.py), what the ledger
says of each session (verdicts.py), rules about rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from market_data.datasets import raw_bars
from market_data.errors import VendorError
from market_data.pipeline.asking import Asking
from market_data.pipeline.doubts import REFUSED, count_refused
from market_data.pipeline.keep_actions import take_back
from market_data.pipeline.said_anew import said_anew
from market_data.pipeline.shape_watch import ShapeWatch
from market_data.pipeline.split_answers import own_words
from market_data.pipeline.telemetry import slice_events
from market_data.pipeline.told_actions import ToldActions
from market_data.pipeline.unworked import Unworked
from market_data.pipeline.verdicts import (
    COUNTS,
    Answer,
    common_kind,
    ledger_rows,
    settle,
    unasked,
)
from market_data.ports import (
    FetchResult,
    IngestRun,
    SymbolOutcome,
)
from market_data.quarantine import quarantine_bars, quarantine_rejected
from market_data.revisions import VALUES
from market_data.schemas import CORPORATE_ACTIONS

SLICE_ROWS = 500_000
"""Rows gathered before they are written: one commit for many small files, bounded memory."""
VALUE_KEY = ["symbol", "ts", *VALUES]
_EVENT = ["symbol", "ex_date", "kind"]


@dataclass(frozen=True)
class Landed:
    """What came of one question.

    Attributes:
        rows: bars received per symbol.
        outcomes: one per symbol that was asked for.
        new: rows that the raw log did not know.
        revised: of these, rows that revise a known bar.
        rejected: rows that could not become a bar.
        error: what ended the whole answer, if anything did.
    """

    rows: Mapping[str, int]
    outcomes: Mapping[str, SymbolOutcome]
    new: int
    revised: int
    rejected: int
    error: VendorError | None


class Landing:
    """One question, from asking to the ledger."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._platform, self._request, self._fetch = asking.platform, asking.request, asking.fetch
        self._counts: list[pl.DataFrame] = []
        self._outcomes: dict[str, SymbolOutcome] = {}
        self._begins: dict[str, datetime] = {}
        self._payloads: list[tuple[str, str]] = []
        self._refused = [pl.DataFrame(schema=REFUSED)]
        self._actions = ToldActions(asking)
        self._unworked = Unworked(asking.platform)
        self._told = [CORPORATE_ACTIONS.empty().select(_EVENT)]
        self._rejected = 0
        self._timeless: Counter[str] = Counter()
        self._new = 0
        self._revised = 0
        self._newest: datetime | None = None
        self._shapes = ShapeWatch(asking)

    def run(self) -> Landed:
        """Ask, land slice by slice, record."""
        error: VendorError | None = None
        gathered: list[FetchResult] = []
        rows = 0
        try:
            for result in self._asking.vendor.fetch(self._asking.question):
                gathered.append(result)
                rows += result.frame.height
                if rows >= SLICE_ROWS:
                    self._land(gathered)
                    gathered, rows = [], 0
        except VendorError as trouble:
            error = trouble
        self._land(gathered)
        counts = self._count_rows()
        outcomes = self._settle(counts, error)
        received = dict(counts.group_by("symbol").agg(pl.col("rows").sum()).iter_rows())
        landed = Landed(received, outcomes, self._new, self._revised, self._rejected, error)
        verdicts = ledger_rows(
            self._asking.asked(broken=error is not None),
            self._asking.expected,
            counts,
            outcomes,
            self._begins,
            refused=pl.concat(self._refused).group_by("symbol", "session").sum(),
            known=self._asking.known,
        )
        self._record(verdicts, self._journal_entry(counts, outcomes, error), landed)
        # Last, since bars must not lie in the log without a word of them in the ledger.
        self._tell_shapes(outcomes)
        return landed

    def _record(self, verdicts: pl.DataFrame, entry: IngestRun, landed: Landed) -> None:
        events = slice_events(entry, landed)
        self._platform.ledger.record(verdicts, events=events, now=self._now())
        self._platform.journal.add(entry)

    def _tell_shapes(self, outcomes: Mapping[str, SymbolOutcome]) -> None:
        """What has changed in the shape of the answers."""
        self._shapes.tell(outcomes)

    def _land(self, results: list[FetchResult]) -> None:
        """Payloads, actions, rows, rejected rows: in this order, each step safe to repeat.

        Rows divided by a split that nobody knows of could not be told from prices as traded.
        """
        for result in results:
            self._payloads += [(self._platform.payloads.put(p), p.symbol) for p in result.payloads]
            self._outcomes.update(result.outcomes)
            self._begins.update(result.begins)
            self._shapes.look(result)
        told_now = _concat(r.actions for r in results)
        if not told_now.is_empty():
            self._told.append(told_now.select(_EVENT))
            self._actions.keep(told_now)
        raw = self._asking.to_raw(_concat(r.frame for r in results))
        self._take_back(_concat(r.rejected for r in results), raw)
        if not raw.is_empty():
            dataset = raw_bars(self._request.vendor, self._request.timeframe)
            told = own_words(self._platform, self._fetch.symbols)
            raw = self._unworked.noted(raw, told, dataset=dataset, calendar=self._fetch.calendar)
            if self._actions.keep_settled(self._unworked.shown):
                told = own_words(self._platform, self._fetch.symbols)
            said, confirmed = said_anew(self._asking, raw, dataset, told, now=self._now())
            if not said.is_empty():
                appended = self._platform.raw_log.append(
                    dataset, said, seen=self._asking.seen, confirmed=confirmed, now=self._now()
                )
                self._new += appended.new
                self._revised += appended.revised
            self._counts.append(self._asking.count(raw))
            ended = self._asking.newest_end(raw)
            self._newest = ended if self._newest is None else max(self._newest, ended)
            # First what this answer mends, then what it spoils.
            self._platform.quarantine.supersede(
                raw.select("symbol", "ts", "session"),
                vendor=self._request.vendor,
                timeframe=self._request.timeframe,
            )
            self._keep_repeats(raw)
        else:
            self._actions.keep_settled(self._unworked.shown)
        rejected = _concat(r.rejected for r in results)
        if not rejected.is_empty():
            self._rejected += rejected.height
            self._timeless.update(rejected.filter(pl.col("ts").is_null())["symbol"])
            refused = quarantine_rejected(
                rejected,
                vendor=self._request.vendor,
                timeframe=self._request.timeframe,
                fetch_id=self._asking.fetch_id,
                seen_at=self._asking.started,
                calendar=self._fetch.calendar,
            )
            self._refused.append(count_refused(refused))
            self._platform.quarantine.add(refused)

    def _now(self) -> datetime | None:
        """When the answer came, if just now."""
        return self._platform.clock.now()

    def _take_back(self, rejected: pl.DataFrame, raw: pl.DataFrame) -> None:
        """What the vendor once told of these sessions, and tells no more.

        A dividend that was refused is told all the same.
        """
        if not rejected.is_empty():
            days = rejected.select("symbol", ex_date=pl.col("ts").dt.date())
            self._told.append(days.with_columns(kind=pl.lit("dividend")))
        take_back(
            self._platform,
            pl.concat(self._told),
            raw,
            dataset=raw_bars(self._request.vendor, self._request.timeframe),
            vendor=self._request.vendor,
            timeframe=self._request.timeframe,
            now=self._asking.started,
        )

    def _keep_repeats(self, raw: pl.DataFrame) -> None:
        """The log keeps a bar once; that it came twice in one answer is kept in quarantine."""
        repeats = raw.filter(
            raw.select("symbol", "ts").is_duplicated() & ~pl.struct(VALUE_KEY).is_first_distinct()
        )
        if not repeats.is_empty():
            self._platform.quarantine.add(
                quarantine_bars(
                    repeats.with_columns(reasons=pl.lit("duplicate")),
                    timeframe=self._request.timeframe,
                    seen_at=self._asking.started,
                    stage="fetch",
                )
            )

    def _count_rows(self) -> pl.DataFrame:
        return (
            pl.concat([pl.DataFrame(schema=COUNTS), *self._counts])
            .group_by("symbol", "session")
            .agg(pl.col("rows", "bars").sum())
        )

    def _settle(
        self, counts: pl.DataFrame, error: VendorError | None
    ) -> Mapping[str, SymbolOutcome]:
        """One outcome per symbol that was asked for."""
        universe, rules = self._platform.universe, self._platform.thresholds
        answer = Answer(
            stated=self._outcomes,
            rows=dict(counts.group_by("symbol").agg(pl.col("rows").sum()).iter_rows()),
            timeless=self._timeless,
            error=error,
        )
        return {
            symbol: settle(
                symbol,
                answer,
                rules.rule(
                    universe.instrument(symbol).asset_class, self._request.timeframe
                ).reject_error_share,
            )
            for symbol in self._fetch.symbols
        }

    def _journal_entry(
        self,
        counts: pl.DataFrame,
        outcomes: Mapping[str, SymbolOutcome],
        error: VendorError | None,
    ) -> IngestRun:
        bad = [o for o in outcomes.values() if not o.outcome.is_answer]
        status = "ok" if not bad else "failed" if len(bad) == len(outcomes) else "partial"
        return IngestRun(
            fetch_id=self._asking.fetch_id,
            run_id=self._request.run_id,
            vendor=self._request.vendor,
            timeframe=self._request.timeframe,
            symbols=self._fetch.symbols,
            sessions=(self._fetch.first, self._fetch.last),
            status=status,
            rows=int(counts["rows"].sum()),
            new_rows=self._new,
            rejected_rows=self._rejected,
            started_at=self._asking.started,
            ended_at=self._platform.clock.now(),
            payloads=tuple(address for address, _ in self._payloads),
            payload_symbols=tuple(symbol for _, symbol in self._payloads),
            error=str(error or next((o.detail for o in bad), "")),
            trouble=error.kind if error else common_kind(outcomes.values()),
            newest_bar=self._newest,
            unasked=unasked(outcomes),
        )


def _concat(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    listed = [f for f in frames if not f.is_empty()]
    return pl.concat(listed) if listed else pl.DataFrame()
