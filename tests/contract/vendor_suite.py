"""The promises that every Vendor keeps; tests/contract/test_*_vendor.py hold the adapters to them.

What belongs here: tests over the port alone.
What does not: what one vendor's numbers are (tests/integration, tests/unit).

A vendor joins by a class that inherits from `VendorContract` and gives it a `case` fixture; one
that is asked over HTTP inherits from `WebVendorContract` (web_vendor_suite.py), which holds it to
more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from market_data.basis import Basis
from market_data.ports import (
    FetchRequest,
    FetchResult,
    Outcome,
    SymbolOutcome,
    SymbolRequest,
    Vendor,
)
from market_data.schemas import CORPORATE_ACTIONS, FETCHED_BARS, REJECTED_ROWS
from market_data.timeframes import Timeframe


@dataclass
class VendorCase:
    """A vendor and questions that it can answer.

    Attributes:
        vendor: the vendor.
        request: a question with rows for every symbol.
        empty: start and end of a range without any bar.
        unknown: a symbol that it does not know.
        unserved: a timeframe that it has not; None where it has them all.
        duplicates: (symbol, ts) that it repeats on purpose.
        asked: how many questions went out so far; None where nothing goes out.
        golden: per symbol a bar of the answer, checked by hand: `ts`, its start in UTC, and any
            other columns of FETCHED_BARS.
        bases: per symbol of the request what its prices mean, every part.
        paged: a question about symbols of which each takes several requests.
    """

    vendor: Vendor
    request: FetchRequest
    empty: tuple[datetime, datetime]
    unknown: SymbolRequest
    unserved: Timeframe | None = Timeframe.H4
    duplicates: set[tuple[str, datetime]] = field(default_factory=set)
    asked: Callable[[], int] | None = None
    golden: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bases: Mapping[str, Basis] = field(default_factory=dict)
    paged: FetchRequest | None = None


def rows_of(results: list[FetchResult]) -> pl.DataFrame:
    """All rows of an answer."""
    return pl.concat([FETCHED_BARS.empty(), *(r.frame for r in results)])


def outcomes_of(results: list[FetchResult]) -> dict[str, SymbolOutcome]:
    """The outcome of each symbol that the answer settles."""
    return {s: o for r in results for s, o in r.outcomes.items()}


class VendorContract:
    """Inherit, and give it a fixture `case`."""

    @pytest.fixture
    def results(self, case: VendorCase) -> list[FetchResult]:
        return list(case.vendor.fetch(case.request))

    def test_frames_have_the_promised_shape(self, results: list[FetchResult]) -> None:
        for result in results:
            FETCHED_BARS.check(result.frame)
            REJECTED_ROWS.check(result.rejected)
            CORPORATE_ACTIONS.check(result.actions)

    def test_every_bar_starts_inside_the_range(
        self, case: VendorCase, results: list[FetchResult]
    ) -> None:
        ts = rows_of(results)["ts"]
        assert ts.min() >= case.request.start
        assert ts.max() < case.request.end

    def test_daily_bars_travel_under_their_date(
        self, case: VendorCase, results: list[FetchResult]
    ) -> None:
        times = rows_of(results)["ts"].dt.time().unique().to_list()
        at_midnight = [t.isoformat() for t in times] == ["00:00:00"]
        assert at_midnight is not case.request.timeframe.is_intraday

    def test_rows_name_what_was_asked_for(
        self, case: VendorCase, results: list[FetchResult]
    ) -> None:
        names = rows_of(results).select("symbol", "vendor_symbol").unique().rows()
        assert set(names) == {(s.symbol, s.vendor_symbol) for s in case.request.symbols}

    def test_every_symbol_is_settled_as_its_rows_say(
        self, case: VendorCase, results: list[FetchResult]
    ) -> None:
        outcomes = outcomes_of(results)
        for wanted in case.request.symbols:
            stated = outcomes.get(wanted.symbol, SymbolOutcome(Outcome.ROWS))
            assert stated.outcome is Outcome.ROWS

    def test_no_bar_comes_twice_unless_planted(
        self, case: VendorCase, results: list[FetchResult]
    ) -> None:
        bars = rows_of(results).select("symbol", "ts")
        twice = bars.filter(bars.is_duplicated()).unique().rows()
        assert set(twice) == case.duplicates

    def test_the_same_question_gets_the_same_rows(
        self, case: VendorCase, results: list[FetchResult]
    ) -> None:
        again = rows_of(list(case.vendor.fetch(case.request)))
        assert again.equals(rows_of(results))

    def test_two_halves_are_the_whole(self, case: VendorCase, results: list[FetchResult]) -> None:
        request = case.request
        days = (request.end - request.start) // timedelta(days=2)
        middle = request.start + timedelta(days=days)
        halves = [replace(request, end=middle), replace(request, start=middle)]
        rows = pl.concat([rows_of(list(case.vendor.fetch(half))) for half in halves])
        order = ["symbol", "ts", "close"]
        assert rows.sort(order).equals(rows_of(results).sort(order))

    def test_a_range_without_bars_is_no_error(self, case: VendorCase) -> None:
        start, end = case.empty
        request = replace(case.request, start=start, end=end)
        results = list(case.vendor.fetch(request))
        assert rows_of(results).is_empty()
        assert {o.outcome for o in outcomes_of(results).values()} <= {
            Outcome.NOTHING,
            Outcome.UNAVAILABLE,
        }

    def test_an_unknown_symbol_fails_and_stops_no_other(self, case: VendorCase) -> None:
        request = replace(case.request, symbols=(case.unknown, *case.request.symbols))
        results = list(case.vendor.fetch(request))
        stated = outcomes_of(results)[case.unknown.symbol]
        assert stated.outcome is Outcome.FAILED
        assert stated.detail
        known = {s.symbol for s in case.request.symbols}
        assert set(rows_of(results)["symbol"]) == known

    def test_a_timeframe_it_has_not_is_unavailable(self, case: VendorCase) -> None:
        if case.unserved is None:
            pytest.skip("it has every timeframe")
        assert case.unserved not in case.vendor.capabilities.timeframes
        request = replace(case.request, timeframe=case.unserved)
        results = list(case.vendor.fetch(request))
        assert rows_of(results).is_empty()
        outcomes = outcomes_of(results)
        assert set(outcomes) == {s.symbol for s in case.request.symbols}
        assert {o.outcome for o in outcomes.values()} == {Outcome.UNAVAILABLE}

    def test_nothing_is_asked_before_the_first_slice_is_wanted(self, case: VendorCase) -> None:
        before = case.asked() if case.asked else 0
        answer = case.vendor.fetch(case.request)
        assert iter(answer) is answer
        assert (case.asked() if case.asked else 0) == before

    def test_prices_have_a_meaning(self, case: VendorCase) -> None:
        for wanted in case.request.symbols:
            basis = case.vendor.basis(wanted.instrument, case.request.timeframe)
            assert Basis.parse(str(basis)) == basis
            assert basis.unit

    def test_every_part_of_the_meaning_is_as_stated(
        self, case: VendorCase, results: list[FetchResult]
    ) -> None:
        """After an answer: some vendors tell in it what their prices mean."""
        assert rows_of(results).height
        found = {
            s.symbol: case.vendor.basis(s.instrument, case.request.timeframe)
            for s in case.request.symbols
        }
        assert {symbol: found[symbol] for symbol in case.bases} == dict(case.bases)

    def test_known_bars_come_under_their_start_in_utc(
        self, case: VendorCase, results: list[FetchResult]
    ) -> None:
        rows = rows_of(results)
        for symbol, bar in case.golden.items():
            at = (pl.col("symbol") == symbol) & (pl.col("ts") == bar["ts"])
            found = rows.filter(at).select(bar.keys()).to_dicts()
            assert found == [dict(bar)], symbol

    def test_several_requests_for_a_range_are_the_range(self, case: VendorCase) -> None:
        if case.paged is None:
            pytest.skip("one request brings everything")
        before = case.asked() if case.asked else 0
        whole = rows_of(list(case.vendor.fetch(case.paged)))
        if case.asked:
            assert case.asked() - before >= 2 * len(case.paged.symbols)
        assert not whole.select("symbol", "ts").is_duplicated().any()
        start, end = case.paged.start, case.paged.end
        step = timedelta(days=max(1, (end - start) // timedelta(days=5)))
        pieces = []
        while start < end:
            part = replace(case.paged, start=start, end=min(start + step, end))
            pieces.append(rows_of(list(case.vendor.fetch(part))))
            start += step
        order = ["symbol", "ts"]
        assert whole.height
        assert pl.concat(pieces).sort(order).equals(whole.sort(order))

    def test_payloads_are_bytes_with_a_source(self, results: list[FetchResult]) -> None:
        for payload in (p for r in results for p in r.payloads):
            assert payload.content
            assert payload.source
            assert "crumb" not in payload.source
