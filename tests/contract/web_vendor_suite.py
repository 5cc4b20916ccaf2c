"""The promises of every vendor that is asked over HTTP, held against a server on the loopback.

What belongs here: trouble of the network and of the vendor, the gate, what nobody may see.
What does not: promises that no network is needed for (vendor_suite.py), what one vendor's numbers
are.

A vendor joins by a class that inherits from `WebVendorContract` and gives it a `case` fixture, a
`WebCase`. The recorded answers lie on its server; trouble is put before them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.errors import (
    BudgetSpentError,
    LeftAloneError,
    RateLimitedError,
    UnauthorisedError,
    UnreachableError,
    VendorError,
)
from market_data.ports import (
    Claim,
    FetchRequest,
    FetchResult,
    OpenGate,
    Outcome,
    ReadsArchived,
    RequestGate,
    Vendor,
)
from tests.contract.vendor_suite import VendorCase, VendorContract, outcomes_of, rows_of
from tests.support.replay_server import (
    ReplayServer,
    Reply,
    cut_off,
    dripping,
    failing,
    html_page,
    redirect,
    slow,
)

ATTEMPTS = 3
_SOMETHING = Reply(b'{"some": "thing that is long enough to be cut off or to drip"}')


@dataclass(frozen=True)
class Asking:
    """How a vendor is to be built for a test.

    Attributes:
        gate: grants its requests.
        sleep: called for every pause.
        attempts: how often a question is put.
        timeout: seconds to wait for the next bytes.
        deadline: seconds for a whole answer, for a client that tells the two apart.
    """

    gate: RequestGate = field(default_factory=OpenGate)
    sleep: Callable[[float], None] = lambda _: None
    attempts: int = ATTEMPTS
    timeout: float = 5.0
    deadline: float = 10.0


@dataclass(kw_only=True)
class WebCase(VendorCase):
    """A vendor behind a server.

    Attributes:
        server: answers every question of the case well.
        build: makes a vendor that asks the server.
        questions: paths of requests for bars begin like this.
        claims: what each of these requests takes.
        secret: key or token that is sent along.
        limited: what the vendor says to too many requests.
        unauthorised: what it says to a wrong or poor key.
        troubles: other answers, and the outcome of the symbol that gets them at every attempt.
        spoil: makes of a good answer one whose rows mean to be bars, and are none.
    """

    server: ReplayServer
    build: Callable[[Asking], Vendor]
    questions: str
    spoil: Callable[[bytes], bytes]
    claims: Sequence[Claim] = ()
    secret: str = ""
    limited: Sequence[Reply] = ()
    unauthorised: Sequence[Reply] = ()
    troubles: Sequence[tuple[Reply, Outcome]] = ()

    def asked_for_bars(self) -> int:
        """How many requests for bars came in so far."""
        return sum(a.path.startswith(self.questions) for a in self.server.asked)

    def usual(self) -> pl.DataFrame:
        """The rows of an undisturbed answer."""
        return rows_of(list(self.build(Asking()).fetch(self.request)))

    def alone(self) -> FetchRequest:
        """The question about its first symbol alone."""
        return replace(self.request, symbols=self.request.symbols[:1])


class Notes:
    """A gate that grants everything, or nothing, and remembers what it heard."""

    def __init__(self, refusal: VendorError | None = None) -> None:
        self.entered: list[tuple[Claim, ...]] = []
        self.heard: list[VendorError | None] = []
        self._refusal = refusal

    def enter(self, claims: Sequence[Claim]) -> None:
        if self._refusal:
            raise self._refusal
        self.entered.append(tuple(claims))

    def report(self, trouble: VendorError | None, *, put_again: bool = False) -> None:
        self.heard.append(trouble)


def answer_of(
    vendor: Vendor, request: FetchRequest
) -> tuple[list[FetchResult], VendorError | None]:
    """What came of a question, and what ended it; any other exception is the test's failure."""
    results: list[FetchResult] = []
    try:
        results.extend(vendor.fetch(request))
    except VendorError as trouble:
        return results, trouble
    return results, None


class WebVendorContract(VendorContract):
    """Inherit, and give it a fixture `case` that is a WebCase."""

    def test_every_request_enters_the_gate_with_its_claims(self, case: WebCase) -> None:
        gate, before, sent = Notes(), case.asked_for_bars(), len(case.server.asked)
        list(case.build(Asking(gate)).fetch(case.request))
        # Whatever is sent counts; the breaker is told of what was asked.
        assert gate.entered == [tuple(case.claims)] * (len(case.server.asked) - sent)
        assert gate.heard == [None] * (case.asked_for_bars() - before)

    def test_archived_answers_are_read_as_they_were(self, case: WebCase) -> None:
        vendor = case.build(Asking())
        if not isinstance(vendor, ReadsArchived):
            pytest.skip("its reader does not read archived answers")
        results = list(vendor.fetch(case.alone()))
        asked = len(case.server.asked)
        contents = [payload.content for r in results for payload in r.payloads]
        about = {payload.symbol for r in results for payload in r.payloads}
        assert about == {case.alone().symbols[0].symbol}, "the journal keeps whose answer it is"
        again = list(vendor.reread(contents, case.alone()))
        assert len(case.server.asked) == asked, "nobody is asked"
        assert_frame_equal(rows_of(again), rows_of(results))

    def test_trouble_is_told_to_the_gate(self, case: WebCase) -> None:
        gate, before = Notes(), case.asked_for_bars()
        case.server.first(case.questions, failing(503), failing(503))
        list(case.build(Asking(gate)).fetch(case.request))
        assert len(gate.heard) == case.asked_for_bars() - before > 2
        assert [isinstance(h, VendorError) for h in gate.heard[:3]] == [True, True, False]

    @pytest.mark.parametrize(
        "refusal",
        [
            UnreachableError("no way there"),
            RateLimitedError("tomorrow", retry_after=3600.0),
            LeftAloneError("left alone for a while"),
            BudgetSpentError("used up", retry_after=3600.0),
        ],
        ids=["unreachable", "limited", "breaker", "budget"],
    )
    def test_a_closed_gate_ends_the_answer(self, case: WebCase, refusal: VendorError) -> None:
        before = case.asked_for_bars()
        results, error = answer_of(case.build(Asking(Notes(refusal))), case.request)
        assert error == refusal
        # What is held back here was not sent: nobody was asked about the first symbol either.
        held = isinstance(refusal, BudgetSpentError | LeftAloneError)
        unasked = case.request.symbols if held else case.request.symbols[1:]
        stated = {symbol: o.outcome for symbol, o in outcomes_of(results).items()}
        assert stated == dict.fromkeys((w.symbol for w in unasked), Outcome.NOT_ASKED)
        assert not any(result.frame.height or result.payloads for result in results)
        assert case.asked_for_bars() == before

    @pytest.mark.parametrize(
        "trouble",
        [failing(500), failing(502, b""), cut_off(_SOMETHING), html_page(), Reply(b"")],
        ids=["500", "502", "cut-off", "html", "empty"],
    )
    def test_trouble_that_passes_is_not_noticed(self, case: WebCase, trouble: Reply) -> None:
        usual = case.usual()
        case.server.first(case.questions, trouble)
        vendor = case.build(Asking())
        assert rows_of(list(vendor.fetch(case.request))).equals(usual)

    def test_pauses_grow_and_are_random(
        self, case: WebCase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def pauses() -> list[float]:
            waited: list[float] = []
            case.server.first(case.questions, *[failing(500)] * 3)
            list(case.build(Asking(sleep=waited.append, attempts=4)).fetch(case.alone()))
            return waited

        found = {tuple(pauses()) for _ in range(3)}
        assert len(found) > 1
        assert all(len(waited) == 3 and min(waited) >= 0.0 for waited in found)
        monkeypatch.setattr("random.uniform", lambda low, high: high)
        longest = pauses()
        assert longest == sorted(set(longest))

    def test_trouble_that_lasts_costs_one_symbol_at_most(self, case: WebCase) -> None:
        case.server.first(case.questions, *[failing(500)] * ATTEMPTS)
        results, error = answer_of(case.build(Asking()), case.request)
        assert error is None
        first, *others = (s.symbol for s in case.request.symbols)
        stated = outcomes_of(results)[first]
        assert stated.outcome is Outcome.FAILED
        assert "500" in stated.detail
        assert set(rows_of(results)["symbol"]) == set(others)

    def test_too_many_requests_are_refused_and_no_data(self, case: WebCase) -> None:
        for reply in case.limited:
            case.server.first(case.questions, *[reply] * ATTEMPTS)
            results, error = answer_of(case.build(Asking()), case.request)
            assert isinstance(error, RateLimitedError), reply.body
            assert Outcome(error.outcome) is Outcome.REFUSED
            assert rows_of(results).is_empty()
            case.server.forget_first()

    def test_no_access_ends_the_answer(self, case: WebCase) -> None:
        for reply in case.unauthorised:
            before = case.asked_for_bars()
            case.server.first(case.questions, reply, reply)
            results, error = answer_of(case.build(Asking()), case.request)
            assert isinstance(error, UnauthorisedError), reply.body
            assert Outcome(error.outcome) is Outcome.REFUSED
            assert rows_of(results).is_empty()
            # Once more is allowed, with a new cookie or a smaller wish; never with each symbol.
            assert case.asked_for_bars() - before <= 2
            case.server.forget_first()

    def test_every_recorded_trouble_has_its_outcome(self, case: WebCase) -> None:
        for reply, outcome in case.troubles:
            case.server.first(case.questions, *[reply] * ATTEMPTS)
            results, error = answer_of(case.build(Asking()), case.alone())
            case.server.forget_first()
            (wanted,) = case.alone().symbols
            stated = (
                Outcome(error.outcome) if error else outcomes_of(results)[wanted.symbol].outcome
            )
            assert stated is outcome, reply.body
            assert rows_of(results).is_empty()

    def test_rows_of_which_none_is_a_bar_are_no_absence(self, case: WebCase) -> None:
        good = list(case.build(Asking()).fetch(case.alone()))
        spoiled = [Reply(case.spoil(p.content)) for r in good for p in r.payloads]
        case.server.first(case.questions, *spoiled)
        results, error = answer_of(case.build(Asking()), case.alone())
        case.server.forget_first()
        assert error is None
        assert rows_of(results).is_empty()
        refused = sum(r.rejected.height for r in results)
        assert refused == rows_of(good).height
        (stated,) = outcomes_of(results).values()
        assert (stated.outcome, stated.kind) == (Outcome.FAILED, "malformed answer")
        assert f"none of the {refused} rows" in stated.detail

    @pytest.mark.parametrize("how", ["hangs", "drips", "breaks off", "redirects in a loop"])
    def test_nobody_waits_for_ever(self, case: WebCase, how: str) -> None:
        case.server.reply("/round", redirect("/round"))
        trouble = {
            "hangs": slow(_SOMETHING, 1.2),
            "drips": dripping(_SOMETHING, 0.1),
            "breaks off": cut_off(_SOMETHING),
            "redirects in a loop": redirect("/round"),
        }[how]
        case.server.first(case.questions, trouble)
        began = time.monotonic()
        vendor = case.build(Asking(attempts=1, timeout=0.3, deadline=0.6))
        results, error = answer_of(vendor, case.alone())
        assert time.monotonic() - began < 3.0
        stated = [o.outcome for o in outcomes_of(results).values()]
        assert [Outcome(error.outcome)] == [Outcome.FAILED] if error else stated == [Outcome.FAILED]
        assert rows_of(results).is_empty()

    def test_no_secret_leaves(self, case: WebCase, caplog: pytest.LogCaptureFixture) -> None:
        if not case.secret:
            pytest.skip("nothing is secret")
        told = f"no entry with {case.secret}, try apikey=another".encode()
        troubles = [failing(500, told), failing(400, told), failing(403, told), Reply(told)]
        with caplog.at_level(logging.DEBUG):
            results, _ = answer_of(case.build(Asking()), case.request)
            texts = [p.source for r in results for p in r.payloads]
            for trouble in troubles:
                case.server.first(case.questions, trouble)
                vendor = case.build(Asking(attempts=1))
                results, error = answer_of(vendor, case.request)
                texts += [p.source for r in results for p in r.payloads]
                texts += [o.detail for o in outcomes_of(results).values()]
                texts += [repr(error), str(error), repr(vendor.__dict__)]
                texts += [repr(getattr(error, "__cause__", None))]
        assert any(case.secret in str(a.query) + str(a.headers) for a in case.server.asked)
        assert not [text for text in (*texts, caplog.text) if case.secret in text]
