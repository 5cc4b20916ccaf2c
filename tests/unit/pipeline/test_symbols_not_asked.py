"""Symbols about which nothing was sent: no word of the vendor's, and no trace in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from adapters.vendors.each_symbol import each_symbol
from adapters.vendors.retrying import Questions
from emp.hearing import RunRecord
from emp.summary import Scope, exit_status, symbol_outcomes
from market_data.errors import (
    BudgetSpentError,
    LeftAloneError,
    RateLimitedError,
    UnauthorisedError,
    UnreachableError,
    VendorError,
    VendorUnavailableError,
)
from market_data.pipeline.feed import Feed
from market_data.pipeline.ingest import IngestReport, ingest
from market_data.pipeline.planning import IngestRequest
from market_data.ports import (
    Claim,
    FetchRequest,
    FetchResult,
    OpenGate,
    Outcome,
    SymbolOutcome,
    SymbolRequest,
)
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ledger, shares
from tests.support.worlds import World

NOW = datetime(2024, 3, 15, tzinfo=UTC)
LATER = datetime(2024, 3, 16, tzinfo=UTC)
DAY = date(2024, 3, 4)
BARS = {s: [datetime(2024, 3, 4, tzinfo=UTC)] for s in ("AAA", "BBB")}
SPENT = BudgetSpentError("25 requests per day are used up", retry_after=60.0)


@dataclass
class Closing(OpenGate):
    """Lets so many attempts through, and holds back the others."""

    lets_through: int = 1_000
    trouble: VendorError = SPENT

    def enter(self, claims: Sequence[Claim]) -> None:
        if not self.lets_through:
            raise self.trouble
        self.lets_through -= 1


@dataclass
class OneByOne(FakeVendor):
    """Each symbol takes two requests, and those of some symbols meet a trouble."""

    troubles: dict[str, VendorError] = field(default_factory=dict)
    gate: Closing = field(default_factory=Closing)
    attempts: int = 1

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        return each_symbol(request, self._fetch_symbol)

    def _fetch_symbol(self, wanted: SymbolRequest, request: FetchRequest) -> Iterator[FetchResult]:
        def answer() -> str:
            if wanted.symbol in self.troubles:
                raise self.troubles[wanted.symbol]
            return wanted.symbol

        questions = Questions(self.gate, self.attempts, lambda _: None)
        found = {questions.put([], answer) for _ in range(2)}
        for result in super().fetch(request):
            frame = result.frame.filter(pl.col("symbol").is_in(sorted(found)))
            yield FetchResult(frame=frame, outcomes={wanted.symbol: SymbolOutcome(Outcome.ROWS)})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, NOW))


def run(world: World, vendor: OneByOne, name: str = "first") -> IngestReport:
    request = IngestRequest(
        "yahoo", Timeframe.D1, ("AAA", "BBB"), DAY, DAY, refetch=True, run_id=name
    )
    return ingest(world.platform, request, vendor)


def told(world: World, name: str = "first") -> dict[str, dict[str, Any]]:
    fetches = [f for f in world.platform.journal.runs() if f.run_id == name]
    scope = Scope(Feed("yahoo", ("AAA", "BBB")), Timeframe.D1, DAY, DAY)
    return symbol_outcomes(world.platform, scope, fetches)


def asked_at(world: World) -> list[datetime]:
    return world.platform.ledger.read(vendors=["yahoo"])["asked_at"].to_list()


@pytest.mark.parametrize(
    "trouble", [RateLimitedError("the key is K"), UnauthorisedError("no"), UnreachableError("no")]
)
def test_whoever_comes_after_a_refusal_was_not_asked(world: World, trouble: VendorError) -> None:
    report = run(world, OneByOne(bars=BARS, troubles={"AAA": trouble}))
    assert report.outcomes["AAA"].outcome is Outcome(trouble.outcome)
    assert report.outcomes["BBB"].outcome is Outcome.NOT_ASKED
    assert set(report.failed) == {"AAA", "BBB"}
    assert report.nothing_answered
    assert set(ledger(world)) == {"2024-03-04"}
    assert ledger(world, symbol="BBB") == {}
    (attempt,) = world.platform.journal.runs()
    assert (attempt.status, attempt.unasked) == ("failed", ("BBB",))
    outcomes = told(world)
    assert (outcomes["AAA"]["asked"], outcomes["AAA"]["held_back"]) == (True, False)
    assert outcomes["BBB"]["outcome"] == "not asked"
    assert outcomes["BBB"]["detail"] == f"not asked, since {trouble}"
    assert (outcomes["BBB"]["asked"], outcomes["BBB"]["held_back"]) == (False, True)


@pytest.mark.parametrize("own", [SPENT, LeftAloneError("the vendor is left alone")])
def test_what_is_held_back_here_leaves_the_earlier_answers(world: World, own: VendorError) -> None:
    run(world, OneByOne(bars=BARS, troubles={"AAA": RateLimitedError("the key is K")}))
    before = asked_at(world)
    later = world.later(LATER)
    report = run(later, OneByOne(bars=BARS, gate=Closing(0, own)), "second")
    assert {o.outcome for o in report.outcomes.values()} == {Outcome.NOT_ASKED}
    assert asked_at(later) == before == [NOW]
    outcomes = told(later, "second")
    assert [(o["outcome"], o["asked"]) for o in outcomes.values()] == [("not asked", False)] * 2
    assert {o["detail"] for o in outcomes.values()} == {f"not asked, since {own}"}
    assert outcomes["AAA"]["sessions"] == {"refused": 1}
    summary = {"outcomes": outcomes, "error_findings": 0}
    done = RunRecord("second", succeeded=True)
    assert exit_status(summary, done, fail_on_quality=False) == 1, "no success without an answer"


def test_bars_of_an_earlier_run_stand_and_the_run_says_that_it_did_not_ask(world: World) -> None:
    run(world, OneByOne(bars=BARS))
    later = world.later(LATER)
    run(later, OneByOne(bars=BARS, gate=Closing(2)), "second")
    assert ledger(later, symbol="BBB") == {"2024-03-04": ("rows", 1, True)}
    outcomes = told(later, "second")
    assert (outcomes["AAA"]["outcome"], outcomes["AAA"]["asked"]) == ("rows", True)
    assert outcomes["BBB"]["outcome"] == "not asked"
    assert outcomes["BBB"]["sessions"] == {"rows": 1}


def test_a_symbol_whose_first_request_was_sent_was_asked(world: World) -> None:
    report = run(world, OneByOne(bars=BARS, gate=Closing(1)))
    assert report.outcomes["AAA"].outcome is Outcome.REFUSED
    assert report.outcomes["BBB"].outcome is Outcome.NOT_ASKED
    assert told(world)["AAA"]["asked"] is True


def test_a_request_that_is_held_back_at_its_second_attempt_was_sent(world: World) -> None:
    busy = VendorUnavailableError("half past never")
    vendor = OneByOne(bars=BARS, troubles={"AAA": busy}, gate=Closing(1), attempts=3)
    report = run(world, vendor)
    assert report.outcomes["AAA"].outcome is Outcome.REFUSED
    assert ledger(world, symbol="BBB") == {}
