"""Sessions that are failed now: not what broke some night, but what nobody has made good since.

What belongs here: from the ledger, attempts of runs and scores to what has failed in one way, since
when, why, and the command that mends it. What does not: reading them (adapters, resources), what is
missing of a vendor's outage (outages.py), what ought to be there (market_data/quality/coverage.py).

A question to a vendor has failed while nobody has answered it; a session of an asset while no run
has made it since the one that failed; bars while their newest score is RED.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import polars as pl

from market_data.ports import IngestRun, Outcome, Report
from market_data.ports.redaction import sanitised
from market_data.quality.score import RED
from market_data.timeframes import Timeframe

FETCH, RUN, SCORE = "fetch", "run", "score"
REPORT = "failed_sessions"
"""Name of the report on the newest inventory."""
KEPT = 200
"""So many entries are kept of it, of those that a vendor or a run left first."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Failed:
    """What has failed in one way.

    Attributes:
        kind: fetch: a vendor has not answered; run: a run has not made it; score: it is RED.
        dataset: key of the asset.
        symbols: that are concerned; none where all are.
        sessions: the first and the last.
        count: symbol-sessions, of runs sessions.
        since: when it failed first, UTC; None where nobody wrote that down.
        why: the reason, in a sentence.
        cure: the command that mends it, or shows what is wrong.
    """

    kind: str
    dataset: str
    symbols: tuple[str, ...]
    sessions: tuple[date, date]
    count: int
    since: datetime | None
    why: str
    cure: str

    def told(self) -> dict[str, Any]:
        """What JSON can hold of it."""
        return {
            "kind": self.kind,
            "dataset": self.dataset,
            "symbols": list(self.symbols),
            "first": self.sessions[0].isoformat(),
            "last": self.sessions[1].isoformat(),
            "count": self.count,
            "since": self.since.isoformat() if self.since else None,
            "why": self.why,
            "cure": self.cure,
        }


@dataclass(frozen=True)
class Attempt:
    """A session of an asset that its newest run did not make.

    Attributes:
        dataset: key of the asset.
        session: the session.
        run_id: of the run.
        at: when the run ended, UTC.
        why: what ended it.
    """

    dataset: str
    session: date
    run_id: str
    at: datetime
    why: str


def counts_of(found: Iterable[Failed]) -> dict[str, int]:
    """How many sessions have failed, by kind; of runs sessions, else symbol-sessions."""
    counts = dict.fromkeys((FETCH, RUN, SCORE), 0)
    for failed in found:
        counts[failed.kind] += failed.count
    return counts


def inventory(found: Sequence[Failed], at: datetime) -> Report:
    """The inventory as it is kept: warn while a vendor or a run left a session.

    Args:
        found: what is failed.
        at: when, aware.
    """
    left = [failed for failed in found if failed.kind != SCORE]
    told = [*left, *(failed for failed in found if failed.kind == SCORE)]
    body = {
        "counts": counts_of(found),
        "entries": len(told),
        "failed": [failed.told() for failed in told[:KEPT]],
    }
    return Report(REPORT, at, "warn" if left else "ok", sanitised(body))


def failed_fetches(ledger: pl.DataFrame, runs: Sequence[IngestRun]) -> list[Failed]:
    """Questions that nobody has answered, by vendor, timeframe and reason.

    Since no later failure undoes an answer, whatever was asked about such a session has failed: it
    is failed since the oldest attempt that was about it.

    Args:
        ledger: rows of LEDGER; of those only the refused and the failed count.
        runs: attempts, of these vendors at least.
    """
    rows = ledger.filter(pl.col("outcome").is_in([str(Outcome.FAILED), str(Outcome.REFUSED)]))
    attempts: dict[tuple[str, str], list[IngestRun]] = {}
    for run in sorted(runs, key=lambda r: r.started_at):
        attempts.setdefault((run.vendor, str(run.timeframe)), []).append(run)
    found = []
    by = ("vendor", "timeframe", "outcome", "detail")
    for (vendor, timeframe, outcome, detail), part in rows.group_by(by, maintain_order=True):
        wanted = dict(part.group_by("symbol").agg("session").iter_rows())
        asked = attempts.get((str(vendor), str(timeframe)), [])
        first: datetime = part["asked_at"].min()  # type: ignore[assignment]
        began = next((run.started_at for run in asked if _was_about(run, wanted)), first)
        sessions = _span(part)
        found.append(
            Failed(
                FETCH,
                _asked_dataset(str(vendor), str(timeframe)),
                tuple(sorted(wanted)),
                sessions,
                part.height,
                min(began, first),
                f"{outcome}: {detail}" if detail else str(outcome),
                _asked_again(str(vendor), str(timeframe), sorted(wanted), sessions),
            )
        )
    return sorted(found, key=_order)


def failed_attempts(attempts: Iterable[Attempt]) -> list[Failed]:
    """Sessions that no run has made since the one that failed, by asset, run and unbroken range."""
    found = []
    ordered = sorted(attempts, key=lambda a: (a.dataset, a.run_id, a.session))
    for (dataset, run_id), same in groupby(ordered, key=lambda a: (a.dataset, a.run_id)):
        for part in _unbroken(list(same)):
            sessions = part[0].session, part[-1].session
            found.append(
                Failed(
                    RUN,
                    dataset,
                    (),
                    sessions,
                    len(part),
                    part[0].at,
                    part[0].why,
                    _made_again(dataset, run_id, sessions),
                )
            )
    return sorted(found, key=_order)


def red_scores(scores: pl.DataFrame) -> list[Failed]:
    """Bars whose score is RED, by dataset and reasons.

    Args:
        scores: rows of SCORES.
    """
    found = []
    red = scores.filter(pl.col("status") == RED)
    for (dataset, reasons), part in red.group_by("dataset", "reasons", maintain_order=True):
        symbols, sessions = sorted(part["symbol"].unique()), _span(part)
        timeframe = str(dataset).rpartition("_")[2]
        found.append(
            Failed(
                SCORE,
                str(dataset),
                tuple(symbols),
                sessions,
                part.height,
                None,
                f"RED: {reasons}" if reasons else "RED",
                f"emp quality --timeframe {timeframe}{_symbols(symbols)} "
                f"--start {sessions[0]} --end {sessions[1]}",
            )
        )
    return sorted(found, key=_order)


def _was_about(run: IngestRun, wanted: Mapping[str, Sequence[date]]) -> bool:
    first, last = run.sessions
    asked = set(run.symbols) - set(run.unasked)
    return any(first <= s <= last for symbol in asked for s in wanted.get(symbol, ()))


def _asked_dataset(vendor: str, timeframe: str) -> str:
    """The asset of a row of the ledger; of macro data the vendor is its name."""
    return f"raw/{vendor}_bars_{timeframe}" if _is_bars(timeframe) else f"raw/{vendor}"


def _asked_again(
    vendor: str, timeframe: str, symbols: Sequence[str], sessions: tuple[date, date]
) -> str:
    span = f"--start {sessions[0]} --end {sessions[1]}"
    if not _is_bars(timeframe):
        return f"emp macro ingest {span}"
    return f"emp ingest --vendor {vendor} --timeframe {timeframe}{_symbols(symbols)} {span}"


def _is_bars(timeframe: str) -> bool:
    return timeframe in set(Timeframe)


def _span(rows: pl.DataFrame) -> tuple[date, date]:
    first, last = rows.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
    return first, last


def _symbols(symbols: Sequence[str]) -> str:
    return f" --symbols '{','.join(symbols)}'"


def _unbroken(attempts: Sequence[Attempt]) -> Iterator[list[Attempt]]:
    part = [attempts[0]]
    for attempt in attempts[1:]:
        if attempt.session - part[-1].session != _DAY:
            yield part
            part = []
        part.append(attempt)
    yield part


def _made_again(dataset: str, run_id: str, sessions: tuple[date, date]) -> str:
    """The command that makes sessions of an asset; of one without, what does it in the UI."""
    layer, _, name = dataset.partition("/")
    span = f"--start {sessions[0]} --end {sessions[1]}"
    if name.startswith("fred_") or name == "macro_calendar":
        return f"emp macro ingest {span}"
    if layer == "raw":
        return f"emp backfill launch {dataset} {span}"
    if layer == "curated" and name.startswith("bars_"):
        return f"emp backfill launch {name} {span} --overwrite-curated"
    return f"re-execute run {run_id} from failure, in the UI"


def _order(found: Failed) -> tuple[str, str, date, str]:
    return found.kind, found.dataset, found.sessions[0], found.why
