"""What an ingest did, as the JSON that 'emp ingest' prints and the status that it exits with.

What belongs here: gathering it from the journal, the ledger, the stores and the checks.
What does not: the run itself (emp/run.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from adapters.modes import decide
from emp.output import records
from market_data.datasets import SCORES_DATASET, curated_bars, raw_bars
from market_data.ports import IngestRun, Outcome
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    from adapters.settings import Settings
    from emp.hearing import RunRecord
    from market_data.pipeline.feed import Feed
    from market_data.pipeline.platform import Platform

SHOWN_FINDINGS = 200
EXIT_OK, EXIT_FAILURE, EXIT_QUALITY = 0, 1, 2

_BADNESS = ("rows", "nothing", "holiday", "not asked", "unavailable", "refused", "failed")
_BAD = ("refused", "failed")


@dataclass(frozen=True)
class Scope:
    """What a run was about."""

    feed: Feed
    timeframe: Timeframe
    first: date
    last: date
    also: tuple[Timeframe, ...] = ()


def summarise(
    settings: Settings, platform: Platform, scope: Scope, record: RunRecord
) -> dict[str, Any]:
    """The summary of a run.

    Returns:
        run_id, status (success or failure), failures, vendor, timeframe, sessions, location, rows
        (curated, per timeframe and symbol), received_rows, new_rows, revised_rows, rejected_rows,
        outcomes (per symbol), findings (of the run's own symbols, at most SHOWN_FINDINGS),
        findings_total, error_findings, other_sessions (sessions beside the run's own of which a
        check says something else since).
    """
    findings = own_findings(platform, scope)
    fetches = _fetches(platform, scope, record.run_id)
    return {
        "run_id": record.run_id,
        "status": "success" if record.succeeded else "failure",
        "failures": [{"step": f.step, "message": f.message} for f in record.failures],
        "vendor": scope.feed.vendor,
        "timeframe": str(scope.timeframe),
        "sessions": {"first": str(scope.first), "last": str(scope.last)},
        "location": location(settings, scope),
        "rows": {str(t): _curated_rows(platform, t, scope) for t in (scope.timeframe, *scope.also)},
        "received_rows": sum(f.rows for f in fetches),
        "new_rows": sum(f.new_rows for f in fetches),
        "revised_rows": record.totals.get("revised_rows", 0),
        "rejected_rows": sum(f.rejected_rows for f in fetches),
        "outcomes": symbol_outcomes(platform, scope, fetches),
        "findings": records(findings.head(SHOWN_FINDINGS)),
        "findings_total": findings.height,
        "error_findings": findings.filter(pl.col("severity") == "error").height,
        "other_sessions": [asdict(other) for other in record.others[:SHOWN_FINDINGS]],
    }


def exit_status(summary: dict[str, Any], record: RunRecord, *, fail_on_quality: bool) -> int:
    """2 where quality was asked to decide and an error finding concerns the run's own symbols.

    So does an error that the run finds in a session beside its own, and was not told of before.
    A run that failed for another reason, or a symbol that was not answered, is a failure first.
    """
    unanswered = any(
        o["outcome"] in _BAD or o.get("held_back", False) for o in summary["outcomes"].values()
    )
    if unanswered or not (record.succeeded or record.stopped_by_checks_alone):
        return EXIT_FAILURE
    own = set(summary["outcomes"])
    beside = [o for o in record.others if o.error and (own & set(o.symbols) or not o.symbols)]
    if fail_on_quality and (summary["error_findings"] or beside):
        return EXIT_QUALITY
    return EXIT_OK if record.succeeded else EXIT_FAILURE


def location(settings: Settings, scope: Scope) -> dict[str, Any]:
    """Where the data of a run lies."""
    servers = decide(settings).servers
    warehouse = servers.timescale.shown if servers else settings.warehouse_place
    local = settings.local_operations_url.removeprefix("sqlite:///")
    curated = [curated_bars(t).name for t in (scope.timeframe, *scope.also)]
    return {
        "data_dir": str(settings.data_dir.resolve()),
        "raw": f"{settings.lake_place}/{raw_bars(scope.feed.vendor, scope.timeframe).name}",
        "curated": [f"{warehouse}/{name}" for name in curated],
        "scores": f"{warehouse}/{SCORES_DATASET.name}",
        "operations": "the database of EMP_OPERATIONS_URL" if servers else local,
    }


def own_findings(platform: Platform, scope: Scope) -> pl.DataFrame:
    """What the checks find about the run's own symbols, errors first."""
    from market_data.pipeline.inspection import inspect_curated, inspect_raw

    first, last = scope.first, scope.last
    found = [
        inspect_curated(platform, t, first, last).findings for t in (scope.timeframe, *scope.also)
    ]
    found.append(inspect_raw(platform, scope.feed.vendor, scope.timeframe, first, last).findings)
    return (
        pl.concat(found)
        .filter(pl.col("symbol").is_in(list(scope.feed.symbols)))
        .sort("severity", "session", "symbol", "dataset", "check", "code")
    )


def _fetches(platform: Platform, scope: Scope, run_id: str) -> list[IngestRun]:
    recent = platform.journal.runs(vendor=scope.feed.vendor, limit=100_000)
    return [fetch for fetch in recent if fetch.run_id == run_id]


def _curated_rows(platform: Platform, timeframe: Timeframe, scope: Scope) -> dict[str, int]:
    rows = platform.store.scan(
        curated_bars(timeframe),
        symbols=scope.feed.symbols,
        sessions=(scope.first, scope.last),
        columns=["symbol"],
    )
    counted = dict(rows.group_by("symbol").len().iter_rows())
    return {symbol: counted.get(symbol, 0) for symbol in scope.feed.symbols}


def symbol_outcomes(
    platform: Platform, scope: Scope, fetches: Sequence[IngestRun]
) -> dict[str, dict[str, Any]]:
    """Per symbol: outcome, detail, whether this run asked, and its sessions by outcome.

    `held_back` is true where the run would have asked and sent nothing, for some or all sessions:
    after a trouble that would have met this symbol too, or since the vendor is being left alone.

    The ledger speaks for what this run asked. It keeps an older answer when a later question
    fails, so a question of this run that left no trace in it takes its outcome from the journal.
    """
    ledger = platform.ledger.read(
        timeframe=scope.timeframe,
        vendors=[scope.feed.vendor],
        symbols=scope.feed.symbols,
        sessions=(scope.first, scope.last),
    )
    outcomes = {}
    for symbol in scope.feed.symbols:
        rows = ledger.filter(pl.col("symbol") == symbol)
        planned = [fetch for fetch in fetches if symbol in fetch.symbols]
        held = [fetch for fetch in planned if symbol in fetch.unasked]
        asked = [fetch for fetch in planned if symbol not in fetch.unasked]
        own = rows.filter(pl.col("fetch_id").is_in([fetch.fetch_id for fetch in asked]))
        outcome, detail = _worst(own if asked else rows)
        for fetch in asked:
            if _unanswered(fetch, own) and outcome not in _BAD:
                outcome, detail = str(Outcome.FAILED), fetch.error
        if held and (not asked or outcome not in _BAD):
            outcome, detail = str(Outcome.NOT_ASKED), f"not asked, since {held[0].error}"
        outcomes[symbol] = {
            "outcome": outcome,
            "detail": detail,
            "asked": bool(asked),
            "held_back": bool(held),
            "sessions": dict(rows.group_by("outcome").len().sort("outcome").iter_rows()),
        }
    return outcomes


def _unanswered(fetch: IngestRun, own: pl.DataFrame) -> bool:
    """Whether a question brought this symbol no answer that stands."""
    if fetch.status == "ok":
        return False
    of_fetch = own.filter(pl.col("fetch_id") == fetch.fetch_id)
    return fetch.status == "failed" or of_fetch.is_empty()


def _worst(rows: pl.DataFrame) -> tuple[str, str]:
    """The outcome that a person has to look at; rows go before nothing."""
    there = rows["outcome"].unique().to_list()
    if not there:
        return str(Outcome.NOT_ASKED), ""
    calm = [o for o in there if o not in ("unavailable", *_BAD)]
    outcome = max(set(there) - set(calm), key=_BADNESS.index, default=None) or _calm(calm)
    details = rows.filter((pl.col("outcome") == outcome) & (pl.col("detail") != ""))["detail"]
    return outcome, details.item(0) if details.len() else ""


def _calm(outcomes: Iterable[str]) -> str:
    return min(outcomes, key=_BADNESS.index)
