"""The answers about series as they land: payloads, refused rows, values, and what is said of them.

What belongs here: the order of those steps, each safe to repeat. What does not: asking
(macro_ingest.py), rows of the ledger and events (macro_records.py).
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from market_data.datasets import FRED_VINTAGES, Dataset
from market_data.errors import VendorError
from market_data.macro.releases import with_instants
from market_data.pipeline.macro_calendar import known_dates
from market_data.pipeline.macro_records import OBSERVATIONS, due_dates, told, value_rows
from market_data.pipeline.platform import Platform
from market_data.ports import IngestRun, MacroAnswer, Outcome, SymbolOutcome
from market_data.quarantine import quarantine_rejected
from market_data.schemas import UTC

_CAME = SymbolOutcome(Outcome.ROWS)


class MacroValues:
    """What the answers about series leave behind, one after another."""

    def __init__(self, platform: Platform, attempt: IngestRun) -> None:
        self.failed: dict[str, VendorError] = {}
        self.rows = self.new = self.revised = self.rejected = 0
        self._platform, self._attempt = platform, attempt
        self._payloads: list[str] = []
        self._seen: list[pl.DataFrame] = []

    def keep(self, name: str, answer: MacroAnswer) -> None:
        """Payloads, refused rows, values: each step safe to repeat."""
        platform, attempt = self._platform, self._attempt
        self._payloads += [platform.payloads.put(p) for p in answer.payloads]
        if not answer.rejected.is_empty():
            self.rejected += answer.rejected.height
            platform.quarantine.add(
                quarantine_rejected(
                    answer.rejected,
                    vendor=OBSERVATIONS,
                    timeframe=attempt.timeframe,
                    fetch_id=attempt.fetch_id,
                    seen_at=attempt.started_at,
                    calendar="24/7",
                )
            )
        frame = answer.frame.rename({"seen": "session"}).with_columns(symbol=pl.lit(name))
        timed = with_instants(
            frame.with_columns(series="symbol"), platform.macro.table, by="series", into="known_at"
        )
        kept = platform.raw_log.state(
            FRED_VINTAGES, fetched(timed, FRED_VINTAGES, attempt), now=platform.clock.now()
        )
        self.rows, self.new = self.rows + frame.height, self.new + kept.new
        self.revised += kept.revised
        self._seen.append(frame.drop_nulls("value").select("symbol", "session").unique())

    def record(self) -> None:
        """Ledger, events and journal, once every series was asked for."""
        platform, asked = self._platform, self._attempt.symbols
        failed = self.failed
        first = next(iter(failed.values()), None)
        done = replace(
            self._attempt,
            status="ok" if not failed else "failed" if len(failed) == len(asked) else "partial",
            rows=self.rows,
            new_rows=self.new,
            rejected_rows=self.rejected,
            payloads=tuple(self._payloads),
            ended_at=platform.clock.now(),
            error="" if first is None else str(first),
            trouble=first.kind if first is not None and len(failed) == len(asked) else "",
        )
        outcomes = {
            name: SymbolOutcome.of(failed[name]) if name in failed else _CAME for name in asked
        }
        start, end = done.sessions
        due = due_dates(
            known_dates(platform, start, end),
            platform.macro.table.frame.select("release", symbol="series"),
            done.sessions,
            done.started_at.date(),
        ).filter(pl.col("symbol").is_in(asked))
        seen = pl.concat([FRED_VINTAGES.schema.empty().select("symbol", "session"), *self._seen])
        figures = {
            "series": len(asked),
            "series_in_trouble": len(failed),
            "rows": self.rows,
            "new_rows": self.new,
            "revised_rows": self.revised,
            "rejected_rows": self.rejected,
        }
        rows = value_rows(done, due, seen, outcomes)
        platform.ledger.record(rows, events=told(done, outcomes, figures), now=done.ended_at)
        platform.journal.add(done)


def fetched(rows: pl.DataFrame, dataset: Dataset, attempt: IngestRun) -> pl.DataFrame:
    """The rows of a dataset, as this fetch brought them."""
    return dataset.schema.conform(
        rows.with_columns(
            fetched_at=pl.lit(attempt.started_at, dtype=UTC), fetch_id=pl.lit(attempt.fetch_id)
        )
    )
