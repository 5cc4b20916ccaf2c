"""Fetches and curates a range of macro releases in a process of its own, for tests that kill it.

python -m tests.support.macro_process 2024-07-01 2024-11-30
"""

from __future__ import annotations

import sys
from datetime import date

from adapters.backend import open_platform
from adapters.settings import Settings
from adapters.variables import read
from market_data.pipeline.macro_calendar import curate_macro
from market_data.pipeline.macro_ingest import ingest_release_dates, ingest_vintages


def main() -> None:
    """Do it, and say what came."""
    first, last = (date.fromisoformat(text) for text in sys.argv[1:3])
    platform = open_platform(read(Settings))
    ingest_release_dates(platform, first, last)
    ingest_vintages(platform, first, last)
    sys.stdout.write(f"{curate_macro(platform, first, last).height}\n")


if __name__ == "__main__":
    main()
