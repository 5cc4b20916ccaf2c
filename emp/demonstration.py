"""The demonstration: which runs it makes, and what it tells afterwards.

What belongs here: ranges, vendors and the short summary.
What does not: the runs themselves (emp/run.py), the verdicts (emp/planted.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from emp.hearing import RunRecord
from emp.planted import Verdict, judge_planted
from emp.run import coarser, run_feeds, run_reference
from market_data.datasets import SCORES_DATASET, curated_bars
from market_data.pipeline.feed import Feed
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    from adapters.settings import Settings
    from emp.narration import Narrator
    from market_data.pipeline.platform import Platform

VENDORS = ("sample_a", "sample_b")
RANGES = {
    Timeframe.D1: (date(2024, 1, 2), date(2024, 3, 28)),
    Timeframe.M1: (date(2024, 3, 7), date(2024, 3, 13)),
}


@dataclass(frozen=True)
class Demonstration:
    """What the demonstration did and found."""

    records: list[RunRecord]
    rows: dict[str, int]
    symbols: list[str]
    sessions: dict[str, int]
    coverage: dict[str, float]
    quarantined: int
    statuses: dict[str, int]
    verdicts: list[Verdict]

    @property
    def succeeded(self) -> bool:
        """Whether every run ended well."""
        return all(record.succeeded for record in self.records)

    def told(self) -> dict[str, Any]:
        """Everything for JSON."""
        return {
            "runs": [
                {
                    "run_id": r.run_id,
                    "status": "success" if r.succeeded else "failure",
                    "failures": [f.message for f in r.failures],
                }
                for r in self.records
            ],
            "rows": self.rows,
            "symbols": self.symbols,
            "sessions": self.sessions,
            "coverage": self.coverage,
            "quarantined_rows": self.quarantined,
            "scores": self.statuses,
            "planted": [
                {
                    "kind": str(v.fault.kind),
                    "vendor": v.fault.vendor,
                    "symbol": v.fault.symbol,
                    "timeframe": str(v.fault.timeframe),
                    "session": str(v.fault.session),
                    "detail": v.fault.detail,
                    "standing": str(v.standing),
                    "evidence": v.evidence,
                }
                for v in self.verdicts
            ],
        }


def demonstrate(settings: Settings, narrator: Narrator) -> Demonstration:
    """Publish the reference tables, ingest both vendors at 1d and 1m, look at what is there."""
    from adapters.backend import open_platform
    from adapters.configuration import load_universe

    universe = load_universe(settings)
    feeds = [Feed(vendor, universe.symbols_of(vendor)) for vendor in VENDORS]
    records = []
    for timeframe, (first, last) in RANGES.items():
        also = () if timeframe is Timeframe.D1 else _between(timeframe)
        records.append(
            run_feeds(settings, timeframe, feeds, first, last, also=also, narrator=narrator)
        )
    records.append(run_reference(settings, narrator))
    narrator.step("looking for what was planted")
    platform = open_platform(settings)
    scores = platform.store.scan(SCORES_DATASET)
    bars = {
        t: platform.store.scan(curated_bars(t), columns=["symbol", "session"]) for t in Timeframe
    }
    every = pl.concat(bars.values())
    return Demonstration(
        records=records,
        rows={str(t): frame.height for t, frame in bars.items()},
        symbols=sorted(every["symbol"].unique()),
        sessions={str(t): frame["session"].n_unique() for t, frame in bars.items()},
        coverage=_coverage(scores),
        quarantined=_quarantined(platform),
        statuses=dict(scores.group_by("status").len().sort("status").iter_rows()),
        verdicts=judge_planted(platform, VENDORS, RANGES),
    )


def _between(timeframe: Timeframe) -> tuple[Timeframe, ...]:
    """What is resampled from it, but for the bars that the vendors have themselves."""
    return tuple(t for t in coarser(timeframe) if t not in RANGES)


def _coverage(scores: pl.DataFrame) -> dict[str, float]:
    """Share of the expected bars that are there, per dataset."""
    share = pl.min_horizontal("observed", "expected").sum() / pl.col("expected").sum()
    by_dataset = scores.group_by("dataset").agg(share.alias("coverage")).sort("dataset")
    return {name: round(value, 6) for name, value in by_dataset.iter_rows() if value is not None}


def _quarantined(platform: Platform) -> int:
    return sum(
        platform.quarantine.read(timeframe=t, sessions=span).height for t, span in RANGES.items()
    )


def sentences(shown: Demonstration, settings: Settings) -> Iterator[str]:
    """The summary for a person, line by line."""
    yield ""
    for name, rows in shown.rows.items():
        coverage = shown.coverage.get(f"curated/bars_{name}")
        part = "" if coverage is None else f", coverage {coverage:.4f}"
        yield f"  bars_{name:<4} {rows:>7} rows, {shown.sessions[name]:>3} sessions{part}"
    yield f"  symbols   {', '.join(shown.symbols)}"
    yield f"  refused   {shown.quarantined} rows lie in quarantine, each with its reasons"
    yield "  scores    " + ", ".join(f"{n} {status}" for status, n in shown.statuses.items())
    standings = Counter(str(v.standing) for v in shown.verdicts)
    yield ""
    yield f"Planted errors: {', '.join(f'{n} {standing}' for standing, n in standings.items())}"
    for verdict in shown.verdicts:
        yield f"  {verdict.sentence()}"
    yield ""
    for record in shown.records:
        for failure in record.failures:
            yield f"run {record.run_id}: {failure.step} failed: {failure.message}"
    yield f"Data lies in {settings.data_dir.resolve()}"
    yield "Open the UI with: make dev"
