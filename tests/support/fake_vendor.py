"""A vendor whose answers a test writes down, behind a real platform.

What belongs here: rows at given starts, outcomes and errors per question, what was asked.
What does not: platforms (worlds.py), assertions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import polars as pl

from market_data.basis import Basis
from market_data.errors import VendorError
from market_data.pipeline.ingest import IngestReport, ingest
from market_data.pipeline.planning import IngestRequest
from market_data.ports import Capabilities, FetchRequest, FetchResult, SymbolOutcome
from market_data.schemas import FETCHED_BARS, REJECTED_ROWS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import Day, FileVendor, World

SHARES = ("AAA", "BBB")
INSTRUMENTS = tuple(
    Instrument(
        symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS", vendor_symbols={"yahoo": s}
    )
    for s in SHARES
)


@dataclass
class FakeVendor:
    """Answers with the bars that it has in the range, each at the price 100.

    Attributes:
        name: yahoo, or mine, which reads files.
        bars: starts per symbol; a daily bar begins at 00:00 UTC of its date.
        outcomes: what it states of a symbol.
        rejected: rows of REJECTED_ROWS that come with every answer.
        errors: raised where the question's range begins at or after the first and before the
            second instant, after the bars.
        asked: the questions so far.
    """

    name: str = "yahoo"
    bars: Mapping[str, list[datetime]] = field(default_factory=dict)
    outcomes: Mapping[str, SymbolOutcome] = field(default_factory=dict)
    rejected: pl.DataFrame = field(default_factory=REJECTED_ROWS.empty)
    errors: Mapping[tuple[datetime, datetime], VendorError] = field(default_factory=dict)
    lookback: Mapping[Timeframe, timedelta] = field(default_factory=dict)
    delay: timedelta = timedelta(0)
    asked: list[FetchRequest] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(tuple(Timeframe), lookback=self.lookback, delay=self.delay)

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        return Basis(unit=instrument.currency)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        self.asked.append(request)
        starts = [
            (wanted.symbol, ts)
            for wanted in request.symbols
            for ts in self.bars.get(wanted.symbol, [])
            if request.start <= ts < request.end
        ]
        stated = {
            s.symbol: self.outcomes[s.symbol] for s in request.symbols if s.symbol in self.outcomes
        }
        yield FetchResult(frame=_rows(starts), rejected=self.rejected, outcomes=stated)
        for (first, last), error in self.errors.items():
            if first <= request.start < last:
                raise error


def _rows(starts: list[tuple[str, datetime]]) -> pl.DataFrame:
    frame = pl.DataFrame(
        starts,
        schema={"symbol": pl.String, "ts": pl.Datetime("us", "UTC")},
        orient="row",
    )
    return FETCHED_BARS.conform(
        frame.with_columns(
            pl.lit(100.0).alias(name) for name in ("open", "high", "low", "close")
        ).with_columns(vendor_symbol="symbol", volume=pl.lit(10.0))
    )


def shares(world: World) -> World:
    """The world with two shares, and a vendor "mine" that reads files of them."""
    # The file need not exist: the fake answers in its name.
    feeds = {"1d": ("plain", world.settings.data_dir), "1h": ("plain", world.settings.data_dir)}
    return world.register(FileVendor("mine", feeds, SHARES), instruments=INSTRUMENTS)


def ask(
    world: World,
    vendor: FakeVendor,
    first: Day,
    last: Day,
    *symbols: str,
    timeframe: str = "1d",
    refetch: bool = False,
) -> IngestReport:
    """Put a wish to a fake vendor; AAA where no symbol is named."""
    span = (date.fromisoformat(str(day)) for day in (first, last))
    request = IngestRequest(vendor.name, Timeframe(timeframe), symbols or ("AAA",), *span, refetch)
    return ingest(world.platform, request, vendor)


def ledger(world: World, vendor: str = "yahoo", symbol: str = "AAA") -> dict[str, tuple]:
    """Session to (outcome, rows, final)."""
    known = world.platform.ledger.read(vendors=[vendor], symbols=[symbol])
    return {
        str(session): (outcome, rows, final)
        for session, outcome, rows, final in known.select(
            "session", "outcome", "rows", "final"
        ).iter_rows()
    }


def having(vendor: FakeVendor, **bars: list[datetime]) -> FakeVendor:
    """The vendor with other bars, and nothing asked yet."""
    return replace(vendor, bars=bars, asked=[])
