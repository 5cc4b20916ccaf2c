"""Fetch: ask a vendor for what is lacking and keep everything that it says.

What belongs here: going through the questions of a plan, and the report of what came.
What does not: what to ask for (market_data/pipeline/planning.py), how an answer lands
(market_data/pipeline/landing.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from market_data.pipeline.asking import Asking
from market_data.pipeline.landing import Landed, Landing
from market_data.pipeline.planning import IngestRequest, plan_ingest
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.pipeline.questions import plan_cost
from market_data.pipeline.telemetry import ingest_events
from market_data.ports import Outcome, SymbolOutcome, Vendor
from market_data.wording import few


@dataclass
class IngestReport:
    """What a fetch did, for run metadata and command lines."""

    vendor: str
    timeframe: str
    fetches: int = 0
    answered: int = 0
    not_begun: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    new_rows: int = 0
    revised_rows: int = 0
    rejected_rows: int = 0
    outcomes: dict[str, SymbolOutcome] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    answers: int = 0
    """Symbols answered, summed over the questions: a symbol may be answered in one of two."""

    @property
    def total_rows(self) -> int:
        """Rows received, over all symbols."""
        return sum(self.rows.values())

    @property
    def failed(self) -> dict[str, SymbolOutcome]:
        """Symbols that the vendor refused or failed to answer, or was not asked for after all."""
        bad = (Outcome.FAILED, Outcome.REFUSED, Outcome.NOT_ASKED)
        return {s: o for s, o in self.outcomes.items() if o.outcome in bad}

    def add(self, landed: Landed) -> None:
        """Count one more answer in."""
        self.fetches += 1
        self.new_rows += landed.new
        self.revised_rows += landed.revised
        self.rejected_rows += landed.rejected
        for symbol, rows in landed.rows.items():
            self.rows[symbol] = self.rows.get(symbol, 0) + rows
        self.answers += sum(o.outcome.is_answer for o in landed.outcomes.values())
        for symbol, outcome in landed.outcomes.items():
            self.outcomes[symbol] = _worse(self.outcomes.get(symbol), outcome)
        if landed.error is not None:
            self.errors.append(str(landed.error))

    @property
    def nothing_answered(self) -> bool:
        """Whether questions were put, none was answered for any symbol, and no row came."""
        return bool(self.outcomes) and not self.answers and not self.total_rows


def ingest(
    platform: Platform, request: IngestRequest, vendor: Vendor, progress: Progress = silent
) -> IngestReport:
    """Say what it costs, ask for what is lacking, land it, and say what came.

    Trouble with one symbol, or with one question, does not stop the others: it becomes the
    outcome of the symbols concerned, in the ledger and in the report.
    """
    plan = plan_ingest(platform, request)
    report = IngestReport(
        request.vendor, request.timeframe, answered=plan.answered, not_begun=plan.not_begun
    )
    if plan.fetches:
        for sentence in plan_cost(platform, request, plan, vendor).sentences():
            progress(sentence)
    for number, fetch in enumerate(plan.fetches, start=1):
        progress(
            f"{request.vendor} {request.timeframe}: {few(fetch.symbols, 5)} {fetch.first} to "
            f"{fetch.last} ({number} of {len(plan.fetches)})"
        )
        report.add(Landing(Asking.now(platform, request, fetch, vendor)).run())
    if plan.fetches:
        platform.events.publish(ingest_events(request, report, platform.clock.now()))
    return report


_BADNESS = (
    Outcome.ROWS,
    Outcome.NOTHING,
    Outcome.UNAVAILABLE,
    Outcome.NOT_ASKED,
    Outcome.REFUSED,
    Outcome.FAILED,
)


def _worse(known: SymbolOutcome | None, new: SymbolOutcome) -> SymbolOutcome:
    """Of two outcomes of one symbol, the one a person has to look at; rows before nothing."""
    if known is None:
        return new
    calm = (Outcome.ROWS, Outcome.NOTHING)
    if known.outcome in calm and new.outcome in calm:
        return known if known.outcome is Outcome.ROWS else new
    return max(known, new, key=lambda o: _BADNESS.index(o.outcome))
