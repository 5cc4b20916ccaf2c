"""The quality report: one page that needs nothing but a browser.

What belongs here: which datasets and days it is about, and the page around their contents.
What does not: the contents (market_data/quality/report.py), the look (emp/templates).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from emp.annotations import listed
from market_data.datasets import curated_bars
from market_data.pipeline.health import judged_range
from market_data.pipeline.views import kept_symbols
from market_data.quality.health import health
from market_data.quality.report import DatasetReport, dataset_report
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    from market_data.pipeline.platform import Platform

DAYS = 30
"""Length of the period where nobody says."""


def quality_reports(
    platform: Platform,
    *,
    datasets: Sequence[str] = (),
    start: date | None = None,
    end: date | None = None,
    symbols: Sequence[str] | None = None,
) -> list[DatasetReport]:
    """What the page shows, dataset by dataset.

    Args:
        platform: configuration and ports.
        datasets: their names; none: the curated bars of every timeframe that are kept.
        start: first session; None: 30 days before the end.
        end: last session, included; None: the newest one that is stored.
        symbols: only these; None for all.

    Raises:
        ConfigurationError: there is no such dataset or symbol.
    """
    newest = _newest(platform)
    last = end or max((d for d in newest.values()), default=platform.clock.now().date())
    first = start or last - timedelta(days=DAYS)
    return [_report(platform, name, first, last, symbols) for name in datasets or newest]


def _newest(platform: Platform) -> dict[str, date]:
    """The newest stored session of each curated dataset that has one."""
    found = {}
    for timeframe in sorted(Timeframe, key=lambda t: t.duration, reverse=True):
        kept = kept_symbols(platform, timeframe)
        if not kept:
            continue
        day = platform.store.latest(curated_bars(timeframe), symbols=kept)["session"].max()
        if isinstance(day, date):
            found[curated_bars(timeframe).name] = day
    return found


def _report(
    platform: Platform, dataset: str, first: date, last: date, symbols: Sequence[str] | None
) -> DatasetReport:
    seen = judged_range(platform, dataset, first, last, symbols=symbols)
    # Of the whole period: a headline over its end alone would pass over what the page shows below.
    verdict = health(
        dataset,
        seen.sessions,
        seen.limits,
        as_of=platform.clock.now(),
        sessions=(first, last),
        accepted=seen.accepted.height,
        unusable_by=seen.unusable["by"].to_list(),
        named=seen.named,
    )
    drift = seen.inspection.measured.get("drift", pl.DataFrame())
    if symbols is not None and drift.width:
        drift = drift.filter(pl.col("symbol").is_in(list(symbols)))
    return dataset_report(
        verdict,
        seen.sessions,
        seen.inspection.of(symbols),
        drift,
        seen.limits,
        accepted=seen.accepted,
        decisions=listed(platform, dataset=dataset, symbols=symbols, sessions=(first, last)),
    )


def page(
    reports: Sequence[DatasetReport],
    *,
    made_at: datetime,
    rule_version: str,
    period: tuple[date, date] | None,
    runbooks: str,
) -> str:
    """The report as one HTML document: styles and drawings are in it, and no address to load.

    Args:
        reports: of the datasets.
        made_at: when, UTC.
        rule_version: of the rules that judged.
        period: first and last session; None where nothing is stored.
        runbooks: address of the folder of the runbooks; empty: codes are no links.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from market_data.quality.runbooks import page_of

    pages = Environment(
        loader=PackageLoader("emp"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["share"] = _share
    pages.filters["number"] = _number

    def runbook(check: str, code: str) -> str:
        return runbooks and f"{runbooks.rstrip('/')}/{page_of(code, check)}"

    return pages.get_template("quality.html.j2").render(
        reports=[{"of": r, "scores": drawn(r.scores.sessions)} for r in reports],
        made_at=made_at,
        rule_version=rule_version,
        period=period,
        runbook=runbook,
    )


def drawn(sessions: Sequence[date]) -> dict[str, Any]:
    """The measures of a heat map: width of a cell, and the columns that bear a date."""
    count = max(len(sessions), 1)
    width = min(18.0, max(2.0, 860 / count))
    step = max(1, round(72 / width))
    last = count - round(66 / width)
    ticks = [column for column in range(0, len(sessions), step) if column <= max(last, 0)]
    return {"cell": width, "ticks": ticks, "width": max(width * count, 70)}


def _share(value: float | None) -> str:
    return "" if value is None else f"{value * 100:.1f} %"


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"
