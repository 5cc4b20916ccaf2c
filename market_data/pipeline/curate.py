"""Curate: from the raw logs of all vendors to the trusted series, chunk by chunk.

What belongs here: which raw bars a slice needs, in which chunks, and where the result goes.
What does not: the rules (market_data/curation/curate.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import polars as pl

from market_data.calendars import expected_bars
from market_data.curation import CurationInput, CurationResult, curate
from market_data.curation.contracts import check_curated
from market_data.datasets import curated_bars, raw_bars
from market_data.pipeline.decisions import preferred_vendors
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.pipeline.rules import rules_of
from market_data.pipeline.split_answers import splits_told
from market_data.ports import Outcome
from market_data.schemas import CURATED_BARS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass

PREVIEW_ROWS = 10
Curate = Callable[[CurationInput], CurationResult]
"""What makes curated rows of raw ones: `market_data.curation.curate` and what equals it."""


@dataclass
class CurateReport:
    """What a curation did, for run metadata and command lines."""

    timeframe: Timeframe
    symbols: tuple[str, ...] = ()
    """Symbols that have curated bars in the range."""
    rows: int = 0
    quarantined: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    preview: pl.DataFrame = field(default_factory=CURATED_BARS.empty)
    per_session: pl.DataFrame = field(default_factory=pl.DataFrame)
    """symbol, session, rows, expected, coverage (null on a closed day)."""


def curate_sessions(
    platform: Platform,
    timeframe: Timeframe,
    symbols: Sequence[str],
    first: date,
    last: date,
    progress: Progress = silent,
    work: Curate = curate,
) -> CurateReport:
    """Make the curated slice (sessions x symbols) what the raw logs say it is now.

    Each chunk is replaced in one step, so that a run that is killed leaves whole chunks, and the
    same run again arrives at the same rows.

    Args:
        platform: configuration and ports.
        timeframe: of the bars.
        symbols: of the slice.
        first: first session.
        last: last session, included.
        progress: hears of it.
        work: curates a chunk; `curate`, or what does the same elsewhere.
    """
    report = CurateReport(timeframe)
    counted: list[pl.DataFrame] = []
    dataset = curated_bars(timeframe)
    steps = list(chunks(first, last, step_days(platform, timeframe)))
    for number, (start, end) in enumerate(steps, start=1):
        progress(f"curate {timeframe}: {start} to {end} ({number} of {len(steps)})")
        # Who reads the raw logs last also writes last; otherwise a slow run would put an older
        # reading over a newer one.
        with platform.locks.hold(lock_names(dataset.name, start, end)):
            result = work(slice_input(platform, timeframe, symbols, start, end))
            # Refused rows first: a crash in between refuses them again, and loses none.
            platform.quarantine.settle(
                result.quarantined, timeframe=timeframe, symbols=symbols, sessions=(start, end)
            )
            platform.store.replace(
                dataset, check_curated(result.bars), sessions=(start, end), symbols=symbols
            )
        report.quarantined += result.quarantined.height
        _count(report, result.bars)
        counted.append(result.bars.group_by("symbol", "session").len("rows"))
    _finish(platform, report, counted, first, last)
    return report


def curate_slice(
    platform: Platform,
    timeframe: Timeframe,
    symbols: Sequence[str],
    first: date,
    last: date,
    *,
    as_of: datetime | None = None,
) -> CurationResult:
    """Curate one slice in memory, from what was known at `as_of` (now where None)."""
    return curate(slice_input(platform, timeframe, symbols, first, last, as_of=as_of))


def slice_input(
    platform: Platform,
    timeframe: Timeframe,
    symbols: Sequence[str],
    first: date,
    last: date,
    *,
    as_of: datetime | None = None,
    resampled: bool = True,
) -> CurationInput:
    """Everything that one slice is curated from, as it was known at `as_of` (now where None).

    Without `resampled` there are no minutes to make longer bars of.
    """
    universe = platform.universe

    def read(source: Timeframe) -> list[pl.DataFrame]:
        frames = [
            platform.raw_log.read(
                raw_bars(vendor.name, source),
                symbols=symbols,
                sessions=(first, last),
                known_at=as_of,
            )
            for vendor in universe.vendors_of(source)
        ]
        return [frame for frame in frames if not frame.is_empty()]

    native = read(timeframe)
    minutes = read(Timeframe.M1) if resampled and timeframe is not Timeframe.M1 else []
    actions = platform.actions.read(symbols=symbols, known_at=as_of)
    return CurationInput(
        timeframe=timeframe,
        native=native,
        minutes=_with_last_asked(platform, minutes, symbols, (first, last), as_of),
        instruments=[universe.instrument(s) for s in symbols],
        order={c: _order(platform, c, timeframe) for c in AssetClass},
        thresholds=platform.thresholds,
        now=as_of or platform.clock.now(),
        rule_versions=rules_of(platform, timeframe),
        actions=actions,
        # A bar fetched later counts as known at `as_of`, but its price as traded does: the
        # vendor has divided it by splits that came in between.
        actions_since=None if as_of is None else platform.actions.read(symbols=symbols),
        told=splits_told(platform, [*native, *minutes], last),
        preferred=preferred_vendors(platform, timeframe, (first, last), as_of),
    )


def _with_last_asked(
    platform: Platform,
    logs: Sequence[pl.DataFrame],
    symbols: Sequence[str],
    sessions: tuple[date, date],
    as_of: datetime | None,
) -> list[pl.DataFrame]:
    """Minutes with `asked_at`: when the vendor last answered for their session.

    An answer that brought nothing new leaves no row in the raw log, and yet says that the minutes
    which are there are all of them.
    """
    if not logs:
        return []
    answers = platform.ledger.read(timeframe=Timeframe.M1, symbols=symbols, sessions=sessions)
    if as_of is not None:
        answers = answers.filter(pl.col("asked_at") <= as_of)
    asked = answers.filter(pl.col("outcome") == str(Outcome.ROWS)).select(
        "vendor", "symbol", "session", "asked_at"
    )
    on = ["vendor", "symbol", "session"]
    return [log.join(asked, on=on, how="left", maintain_order="left") for log in logs]


def _order(platform: Platform, asset_class: AssetClass, timeframe: Timeframe) -> tuple[str, ...]:
    """Vendors with native bars, best first, then those that only have minutes to resample."""
    native = platform.universe.order(asset_class, timeframe)
    minutes = platform.universe.order(asset_class, Timeframe.M1)
    return (*native, *(v for v in minutes if v not in native))


def step_days(platform: Platform, timeframe: Timeframe) -> int:
    """Days per chunk: about a month of anything that is made of minutes, else a year.

    Memory then depends on the chunk, not on the length of a backfill.
    """
    minutes = not platform.ledger.spans(timeframe=Timeframe.M1).is_empty()
    if timeframe in (Timeframe.M1, Timeframe.M5, Timeframe.M15) or minutes:
        return 31
    return 366


def chunks(first: date, last: date, days: int) -> Iterator[tuple[date, date]]:
    """Cut a range at the ends of months (up to 31 days) or years, as the stores do."""
    start = first
    while start <= last:
        if days > 31:
            boundary = date(start.year, 12, 31)
        else:
            boundary = (start.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(
                days=1
            )
        end = min(boundary, last)
        yield start, end
        start = end + timedelta(days=1)


def lock_names(dataset: str, first: date, last: date) -> list[str]:
    """Names to hold while a slice of a dataset is made: one per month."""
    return [f"{dataset} {start:%Y-%m}" for start, _ in chunks(first, last, 31)]


def _count(report: CurateReport, bars: pl.DataFrame) -> None:
    report.rows += bars.height
    for column, counts in (("dq_status", report.statuses), ("source", report.sources)):
        for value, rows in bars.group_by(column).len().sort(column).iter_rows():
            counts[value] = counts.get(value, 0) + rows
    if report.preview.height < PREVIEW_ROWS:
        report.preview = pl.concat([report.preview, bars]).head(PREVIEW_ROWS)


def _finish(
    platform: Platform, report: CurateReport, counted: list[pl.DataFrame], first: date, last: date
) -> None:
    rows = pl.concat(
        [
            pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date, "rows": pl.UInt32}),
            *counted,
        ]
    )
    report.symbols = tuple(rows["symbol"].unique().sort())
    instruments = [platform.universe.instrument(s) for s in report.symbols]
    expected = expected_bars(instruments, report.timeframe, first, last).filter(
        pl.col("open") <= platform.clock.now()
    )
    report.per_session = (
        expected.select("symbol", "session", "expected")
        .join(rows, on=["symbol", "session"], how="full", coalesce=True)
        .with_columns(pl.col("rows").fill_null(0).cast(pl.Int64))
        .with_columns(
            coverage=pl.when(pl.col("expected") == 0)
            .then(1.0)
            .otherwise((pl.col("rows") / pl.col("expected")).clip(upper_bound=1.0))
        )
        .sort("symbol", "session")
    )
