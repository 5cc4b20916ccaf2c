"""The run of a piece whose process is killed: python -m tests.support.killed_piece FOLDER.

What belongs here: launching and claiming a backfill of one piece, and dying as after kill -9 while
its own run asks a vendor. What does not: what becomes of the two runs (the tests).
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg

from adapters.backend import open_platform
from adapters.settings import Settings
from definitions import build_definitions
from emp.instance import open_instance
from jobs.backfill_job import NAME, backfill_piece_jobs
from market_data.backfill.estimate import Rates
from market_data.backfill.plans import BackfillRequest
from market_data.backfill.policy import BackfillPolicy
from market_data.pipeline.backfill import plan_backfill
from sensors.backfills import backfill_sensor

WISH = BackfillRequest(
    "curated/bars_1d", ("DEMO-BTC",), date(2024, 3, 4), date(2024, 3, 8), ("sample_a",)
)


def die(*_: object, **__: object) -> None:
    """End as after kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Ask for the run of the piece as the daemon does, run it, and die on the way."""
    settings = Settings(data_dir=Path(sys.argv[1]))
    definitions = build_definitions(settings)
    platform = (definitions.resources or {})["platform"]
    plan = plan_backfill(open_platform(settings), WISH, BackfillPolicy(), Rates()).plan
    platform.operations.open().backfills.add(plan, at=datetime.now(UTC), author="me")
    import emp_assets.raw.bars as raw

    raw.ingest = die  # type: ignore[assignment]
    with open_instance(settings) as instance:
        with dg.build_sensor_context(
            instance=instance, resources={"platform": platform}
        ) as context:
            found = backfill_sensor(BackfillPolicy(), backfill_piece_jobs(dg.Definitions))(context)
        assert isinstance(found, dg.SensorResult)
        (request,) = found.run_requests or ()
        definitions.resolve_job_def(NAME).execute_in_process(
            instance=instance, run_config=request.run_config, tags=request.tags
        )


if __name__ == "__main__":
    main()
