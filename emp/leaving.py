"""`emp ingest --leave`: the fetched bars as files of the older layout, beside the stores.

What belongs here: which bars an entry holds, and the options.
What does not: names and contents (market_data/pricing_files.py), writing (adapters).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from adapters.pricing_folder import PricingFormat, leave, prune
from emp.summary import Scope
from market_data.calendars import expected_bars
from market_data.curation.undone_splits import DISPUTED
from market_data.datasets import raw_bars
from market_data.errors import ConfigurationError
from market_data.pipeline.one_basis import on_one_basis
from market_data.pipeline.platform import Platform
from market_data.pricing_files import (
    Window,
    mixed_basis_issues,
    pricing_frame,
    pricing_issues,
)


@dataclass(frozen=True)
class Leaving:
    """The options of --leave.

    Attributes:
        folder: where the files go; None where none are left.
        form: of the bars.
        retention_days: entries of the folder that are older go.
        max_entries: so many entries stay.
    """

    folder: Path | None = None
    form: PricingFormat = "parquet"
    retention_days: int | None = None
    max_entries: int | None = None

    def check(self) -> None:
        """Refuse options that say how to keep what nobody leaves.

        Raises:
            ConfigurationError: there is no folder.
        """
        given = (self.retention_days, self.max_entries)
        if self.folder is None and (given != (None, None) or self.form != "parquet"):
            raise ConfigurationError(
                "--leave-format, --cache-retention-days and --cache-max-entries go with "
                "--leave FOLDER"
            )


def leave_files(
    platform: Platform, scope: Scope, leaving: Leaving, run_id: str, *, sound: bool, strict: bool
) -> tuple[dict[str, Any], bool]:
    """Leave the bars that the vendor has given of a run's symbols and sessions.

    Args:
        platform: where the bars are.
        scope: what the run was about.
        leaving: the options; with a folder.
        run_id: of the run.
        sound: False leaves nothing: the run's own findings hold its bars back.
        strict: leaves nothing either where an issue is an error.

    Returns:
        What was left, for the summary: dataset, metadata and issues (paths, null where nothing was
        left), rows, quality_issues, pruned_files; and whether an issue is an error.
    """
    if leaving.folder is None:
        raise ConfigurationError("--leave names no folder")
    now = platform.clock.now()
    window = Window(
        scope.feed.vendor,
        scope.timeframe,
        tuple(scope.feed.symbols),
        _midnight(scope.first),
        _midnight(scope.last + timedelta(days=1)),
    )
    raw = platform.raw_log.read(
        raw_bars(scope.feed.vendor, scope.timeframe),
        symbols=scope.feed.symbols,
        sessions=(scope.first, scope.last),
    )
    given = on_one_basis(platform, raw, now=now)
    frame = pricing_frame(given.bars, scope.feed.vendor)
    issues = pricing_issues(frame, _expected(platform, scope, now), _repeated(platform, scope))
    issues += mixed_basis_issues(given.bars.filter(DISPUTED))
    bad = any(issue["severity"] == "error" for issue in issues)
    told: dict[str, Any] = {"dataset": None, "metadata": None, "issues": None}
    if sound and not (strict and bad):
        left = leave(
            leaving.folder,
            window,
            frame,
            issues,
            created_at=now,
            form=leaving.form,
            more={
                "run_id": run_id,
                "basis": raw["basis"].unique().sort().to_list(),
                "splits_until": now.date().isoformat(),
                "rows_put_on_that_basis": given.changed,
            },
        )
        told = {
            "dataset": str(left.dataset),
            "metadata": str(left.metadata),
            "issues": str(left.issues),
        }
    gone = _pruned(leaving, now)
    return {**told, "rows": frame.height, "quality_issues": issues, "pruned_files": gone}, bad


def _pruned(leaving: Leaving, now: datetime) -> int:
    wanted = leaving.retention_days is not None or leaving.max_entries is not None
    if leaving.folder is None or not wanted or not leaving.folder.is_dir():
        return 0
    return len(
        prune(
            leaving.folder,
            now=now,
            retention_days=leaving.retention_days,
            max_entries=leaving.max_entries,
        )
    )


def _expected(platform: Platform, scope: Scope, now: datetime) -> pl.DataFrame:
    instruments = [platform.universe.instrument(s) for s in scope.feed.symbols]
    expected = expected_bars(instruments, scope.timeframe, scope.first, scope.last)
    return expected.filter(pl.col("close") <= now)


def _repeated(platform: Platform, scope: Scope) -> int:
    """Rows that came twice in one answer."""
    counts = platform.quarantine.counts(
        timeframe=scope.timeframe,
        sessions=(scope.first, scope.last),
        vendors=[scope.feed.vendor],
    ).filter(
        pl.col("symbol").is_in(list(scope.feed.symbols)),
        pl.col("reasons").str.split(",").list.contains("duplicate"),
    )
    return int(counts["rows"].sum())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
