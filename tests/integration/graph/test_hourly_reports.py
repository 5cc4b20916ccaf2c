"""The hourly job of the reports on ingest, and when its schedule is on."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from adapters.operations_opening import open_operations
from jobs.operations import HOURLY, INGEST, operations_schedules
from market_data.automation.policy import AutomationPolicy
from market_data.operations.reports import MAKERS
from tests.support.graph import graph


def test_it_makes_the_reports_on_ingest_and_no_other(tmp_path: Path) -> None:
    with graph(tmp_path) as made:
        done = made.defs.resolve_job_def(HOURLY).execute_in_process(instance=made.instance)
        assert {m.asset_key for m in done.get_asset_materialization_events()} == {*INGEST}
        reports = open_operations(made.settings.local_operations_url).reports
        kept = {name for name in MAKERS if reports.newest(name)}
        assert kept == {key.path[-1] for key in INGEST}


def test_its_schedule_is_on_where_somebody_listens() -> None:
    on, off = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
    for streaming, hourly in ((True, on), (False, off)):
        found = {
            s.name: s.default_status
            for s in operations_schedules(AutomationPolicy(), streaming=streaming)
        }
        assert found == {"hourly_ingest_reports": hourly, "daily_operations_reports": on}
