"""Everything that an installation stores, as frames that two installations can be compared by.

What belongs here: reading it in a process of its own, so that the environment decides which
installation is read; what names a fetch or its time is left out.
What does not: making rows, assertions beyond equality.

Run as `python -m tests.support.stored_rows FOLDER`: writes one Parquet file per frame there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from adapters.backend import open_platform
from adapters.settings import Settings
from market_data.datasets import FLAGS_DATASET, SCORES_DATASET, curated_bars, raw_bars
from market_data.timeframes import Timeframe
from tests.support.warm_python import run_python

SESSIONS = (date(2024, 1, 1), date(2024, 12, 31))


def main() -> None:
    """Write the frames of the environment's installation."""
    platform = open_platform(Settings())
    frames = {
        "raw": platform.raw_log.revisions(
            raw_bars("sample_a", Timeframe.D1), sessions=SESSIONS
        ).drop("fetched_at", "fetch_id"),
        "curated": platform.store.scan(curated_bars(Timeframe.D1), sessions=SESSIONS),
        # Freshness depends on the moment of the run.
        "scores": platform.store.scan(SCORES_DATASET, sessions=SESSIONS).drop("freshness_seconds"),
        "flags": platform.store.scan(FLAGS_DATASET, sessions=SESSIONS).drop("found_at"),
        "quarantine": platform.quarantine.read(sessions=SESSIONS).drop("seen_at", "fetch_id"),
        "ledger": platform.ledger.read(sessions=SESSIONS).drop("asked_at", "fetch_id"),
    }
    for name, frame in frames.items():
        frame.write_parquet(Path(sys.argv[1]) / f"{name}.parquet")


def stored_rows(environment: Mapping[str, str], folder: Path) -> dict[str, pl.DataFrame]:
    """What the installation of an environment stores, from the raw log to the ledger.

    Args:
        environment: of the process that reads.
        folder: for its files; made where it is absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = run_python(["-m", "tests.support.stored_rows", str(folder)], env=environment)
    assert done.returncode == 0, done.stderr
    return {file.stem: pl.read_parquet(file) for file in folder.glob("*.parquet")}


def assert_same_rows(
    found: Mapping[str, pl.DataFrame], expected: Mapping[str, pl.DataFrame]
) -> None:
    """Fails, naming the frame, unless both hold the same rows in the same order."""
    assert set(found) == set(expected)
    for name, frame in expected.items():
        try:
            assert_frame_equal(found[name], frame, check_exact=True)
        except AssertionError as difference:
            raise AssertionError(f"{name}: {difference}") from difference


if __name__ == "__main__":
    main()
