"""Asking: one question to a vendor, and all about it that no answer changes.

What belongs here: name and time of the fetch, which sessions it is about, what the ledger knew of
them before, and how the vendor's frame becomes rows of the raw log.
What does not: the order in which an answer lands (landing.py), which questions there are
(planning.py), what the ledger says of each session (verdicts.py).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import polars as pl

from market_data.calendars import daily_start, expected_bars, with_end_of_basis, with_session
from market_data.pipeline.doubts import doubted_before
from market_data.pipeline.planning import IngestRequest, PlannedFetch
from market_data.pipeline.platform import Platform
from market_data.pipeline.questions import question
from market_data.pipeline.verdicts import COUNTS, Asked
from market_data.ports import FetchRequest, Outcome, Vendor
from market_data.schemas import RAW_BARS

SPOKE = [str(o) for o in Outcome if o.is_answer and o is not Outcome.UNAVAILABLE]
"""Outcomes by which a vendor said something about a session's bars."""


@dataclass(frozen=True)
class Asking:
    """One question as it is put.

    Attributes:
        platform: configuration and ports.
        request: of which the question is a part.
        fetch: the question as it was planned.
        vendor: who is asked.
        started: when.
        fetch_id: names the fetch.
    """

    platform: Platform
    request: IngestRequest
    fetch: PlannedFetch
    vendor: Vendor
    started: datetime
    fetch_id: str

    @classmethod
    def now(
        cls, platform: Platform, request: IngestRequest, fetch: PlannedFetch, vendor: Vendor
    ) -> Asking:
        """A question that is put now, under a name of its own."""
        started = platform.clock.now()
        name = f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:12]}"
        return cls(platform, request, fetch, vendor, started, name)

    @property
    def question(self) -> FetchRequest:
        """What the vendor is asked, in its own names of the symbols."""
        return question(self.platform, self.request, self.fetch, self.started)

    @cached_property
    def expected(self) -> pl.DataFrame:
        """Rows of EXPECTED of the sessions asked for.

        A session is over for a daily bar when the vendor's own day is, if that ends later.
        """
        instruments = [self.platform.universe.instrument(s) for s in self.fetch.symbols]
        timeframe = self.request.timeframe
        expected = self.request.wanted(
            expected_bars(instruments, timeframe, self.fetch.first, self.fetch.last)
        )
        if timeframe.is_intraday or timeframe not in self.vendor.capabilities.timeframes:
            return expected
        basis = pl.col("symbol").replace_strict(self._bases(), return_dtype=pl.String)
        ended = with_end_of_basis(
            expected.with_columns(ts=pl.col("open"), basis=basis), self.fetch.calendar, timeframe
        )
        return expected.with_columns(close=pl.max_horizontal("close", ended["bar_end"]))

    @cached_property
    def known(self) -> pl.DataFrame:
        """Rows of LEDGER of the sessions asked for, from before the answer."""
        return self.platform.ledger.read(
            timeframe=self.request.timeframe,
            vendors=[self.request.vendor],
            symbols=self.fetch.symbols,
            sessions=(self.fetch.first, self.fetch.last),
        )

    @cached_property
    def seen(self) -> pl.DataFrame:
        """Columns symbol, session, asked_at: when the vendor last spoke about a session before.

        That it did not know a symbol, or had no file of it, says nothing about a session's bars;
        neither does an answer without any, as long as it is doubted. A row that was refused does:
        whoever asks what was known then is told of no bar, also when it has come mended.
        """
        closes = self.expected.select("symbol", "session", "close")
        known = self.known.join(closes, on=["symbol", "session"], how="left")
        doubted = doubted_before(known, self.platform.vendors.settling(self.request.vendor))
        answered = (
            known.filter(pl.col("outcome").is_in(SPOKE))
            .join(
                doubted.filter(pl.col("outcome") == str(Outcome.NOTHING)),
                on=["symbol", "session"],
                how="anti",
                maintain_order="left",
            )
            .select("symbol", "session", "asked_at")
        )
        refused = self.platform.quarantine.read(
            vendors=[self.request.vendor],
            timeframe=self.request.timeframe,
            symbols=self.fetch.symbols,
            sessions=(self.fetch.first, self.fetch.last),
        ).filter(pl.col("stage") == "fetch")
        spoilt = refused.select("symbol", "session", asked_at="seen_at")
        return pl.concat([answered, spoilt.drop_nulls()])

    def to_raw(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of RAW_BARS of the sessions asked for."""
        if frame.is_empty():
            return RAW_BARS.empty()
        timeframe, calendar = self.request.timeframe, self.fetch.calendar
        if timeframe.is_intraday:
            frame = with_session(frame, calendar)
        else:
            frame = daily_start(frame.with_columns(session=pl.col("ts").dt.date()), calendar)
        frame = frame.filter(pl.col("session").is_between(self.fetch.first, self.fetch.last))
        # A bar that was still running when it came could not be known before it came.
        assumed = pl.col("bar_end") + self.vendor.capabilities.delay
        basis = pl.col("symbol").replace_strict(self._bases(), return_dtype=pl.String)
        fetched_at = pl.lit(self.started, dtype=pl.Datetime("us", "UTC"))
        return RAW_BARS.conform(
            with_end_of_basis(frame.with_columns(basis=basis), calendar, timeframe).with_columns(
                vendor=pl.lit(self.request.vendor),
                fetched_at=fetched_at,
                known_at=pl.min_horizontal(assumed, fetched_at),
                fetch_id=pl.lit(self.fetch_id),
            )
        )

    def newest_end(self, raw: pl.DataFrame) -> datetime:
        """When the newest of some rows of RAW_BARS ends; there is at least one."""
        newest = raw.filter(pl.col("ts") == pl.col("ts").max())
        timeframe = self.request.timeframe
        ended = with_end_of_basis(newest, self.fetch.calendar, timeframe)
        latest: datetime = ended["bar_end"].max()  # type: ignore[assignment]
        return latest

    def _bases(self) -> dict[str, str]:
        """What the vendor's prices of each symbol mean."""
        universe, timeframe = self.platform.universe, self.request.timeframe
        return {
            s: str(self.vendor.basis(universe.instrument(s), timeframe)) for s in self.fetch.symbols
        }

    def count(self, raw: pl.DataFrame) -> pl.DataFrame:
        """Columns of COUNTS of some rows."""
        hours = self.expected.select("symbol", "session", "open", "close")
        inside = (pl.col("ts") >= pl.col("open")) & (pl.col("ts") < pl.col("close"))
        return (
            raw.select("symbol", "session", "ts")
            .join(hours, on=["symbol", "session"], how="left")
            .group_by("symbol", "session")
            .agg(rows=pl.len(), bars=pl.col("ts").filter(inside).n_unique())
            .cast(COUNTS)
        )

    def asked(self, *, broken: bool) -> Asked:
        """The question as its verdicts depend on it."""
        vendor, timeframe = self.request.vendor, self.request.timeframe
        capabilities = self.vendor.capabilities
        return Asked(
            vendor=vendor,
            timeframe=str(timeframe),
            fetch_id=self.fetch_id,
            at=self.started,
            delay=capabilities.delay,
            settling=self.platform.vendors.settling(vendor),
            lookback=capabilities.lookback.get(timeframe),
            broken=broken,
        )
