"""A backfill in a process of its own, which can be told to die at its n-th commit.

Run as `python -m tests.support.backfill_process DATA_DIR [DIE_AT]`: ingests both sample vendors,
curates and scores, and prints how many commits it made. With DIE_AT it kills itself with SIGKILL
right after that commit: what follows it in the code is lost, as in a power cut.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from adapters.backend import open_platform
from adapters.settings import Settings
from market_data.pipeline.curate import curate_sessions
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.pipeline.platform import Platform
from market_data.pipeline.score import score_range
from market_data.timeframes import Timeframe

FIRST, LAST = date(2024, 2, 20), date(2024, 3, 6)
COMMITS = {
    "payloads": ("put",),
    "raw_log": ("append",),
    "quarantine": ("add", "settle"),
    "actions": ("add",),
    "ledger": ("record",),
    "journal": ("add",),
    "store": ("replace",),
}


class Commits:
    """Counts commits over all ports and dies at the chosen one."""

    def __init__(self, die_at: int | None) -> None:
        self.made = 0
        self._die_at = die_at

    def after_one(self) -> None:
        self.made += 1
        if self.made == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A port whose commits are counted."""

    def __init__(self, port: Any, methods: tuple[str, ...], commits: Commits) -> None:
        self._port, self._methods, self._commits = port, methods, commits

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        if name not in self._methods:
            return attribute

        def counted(*args: Any, **kwargs: Any) -> Any:
            result = attribute(*args, **kwargs)
            self._commits.after_one()
            return result

        return counted


def watched(platform: Platform, commits: Commits) -> Platform:
    ports = {
        name: Watched(getattr(platform, name), methods, commits)
        for name, methods in COMMITS.items()
    }
    return replace(platform, **ports)


def backfill(platform: Platform) -> None:
    symbols = platform.universe.symbols_of("sample_a")
    for vendor in ("sample_a", "sample_b"):
        request = IngestRequest(vendor, Timeframe.D1, symbols, FIRST, LAST)
        ingest(platform, request, platform.vendors.open(vendor))
    curate_sessions(platform, Timeframe.D1, symbols, FIRST, LAST)
    score_range(platform, symbols, FIRST, LAST)


def main() -> None:
    data_dir = Path(sys.argv[1])
    commits = Commits(int(sys.argv[2]) if len(sys.argv) > 2 else None)
    backfill(watched(open_platform(Settings(data_dir=data_dir)), commits))
    print(commits.made)


if __name__ == "__main__":
    main()
