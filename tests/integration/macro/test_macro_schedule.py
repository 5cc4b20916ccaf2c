"""The daily schedule of macro releases: off by default, a ranged run a day, none without a key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from adapters.operations_opening import open_operations
from emp_assets.pacing import START_TAG
from jobs.automation.limits import MAX_RUNTIME_TAG
from jobs.automation.requests import SCHEDULE_TAG, TICK_TAG
from jobs.macro_schedule import NAME, macro_schedule, range_of
from jobs.vendor_jobs import MACRO_JOB
from market_data.automation.policy import AutomationPolicy
from market_data.datasets import MACRO_CALENDAR
from market_data.failover.state import Decision, Standing
from tests.support.fred_replay import (
    DATES,
    KEY,
    serve_dates,
    serve_nothing,
    serve_vintages,
    turn_on,
)
from tests.support.graph import Graph, graph
from tests.support.instances import kept_instance
from tests.support.replay_server import ReplayServer

TODAY = datetime(2024, 11, 1, 16, 15, tzinfo=UTC)


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Graph]:
    # A tick opens the instance anew, which one in memory does not survive.
    with graph(tmp_path) as made, kept_instance() as instance:
        yield Graph(made.settings, instance)


def tick(built: Graph) -> dg.RunRequest | dg.SkipReason:
    with dg.build_schedule_context(
        instance=built.instance,
        scheduled_execution_time=TODAY,
        repository_def=built.defs.get_repository_def(),
        resources=built.defs.resources,
    ) as context:
        told = built.defs.resolve_schedule_def(NAME).evaluate_tick(context)
    if not told.run_requests:
        return dg.SkipReason(told.skip_message)
    (request,) = told.run_requests
    return request


def test_it_is_there_and_off(built: Graph) -> None:
    (found,) = (s for s in built.defs.schedules or () if s.name == NAME)
    assert isinstance(found, dg.ScheduleDefinition)
    assert found.default_status is dg.DefaultScheduleStatus.STOPPED
    assert (found.job_name, found.execution_timezone) == (MACRO_JOB, "America/New_York")
    # It asks somebody, so it is on where the others are that do.
    on = macro_schedule(AutomationPolicy(), running=True)
    assert on.default_status is dg.DefaultScheduleStatus.RUNNING


def test_without_a_key_nobody_is_asked(built: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRED_API_KEY", raising=False)
    told = tick(built)
    assert isinstance(told, dg.SkipReason)
    assert "FRED_API_KEY" in str(told.skip_message)


def test_a_day_is_one_ranged_run(built: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    with ReplayServer() as server:
        turn_on(monkeypatch, server)
        serve_nothing(server)
        serve_dates(server, {53: ["2024-10-30"], 180: ["2024-10-31", "2024-11-07"]})
        serve_vintages(server, "ICSA", [("2024-10-31", "2024-10-26", "216000")])
        request = tick(built)
        assert isinstance(request, dg.RunRequest)
        job = built.defs.get_repository_def().get_job(MACRO_JOB)
        run = job.get_subset(
            asset_selection=set(request.asset_selection or ()),
            asset_check_selection=set(request.asset_check_keys or ()),
        ).execute_in_process(instance=built.instance, tags=dict(request.tags))
        assert run.success
        asked = server.asked_for(DATES)
    assert request.tags[MAX_RUNTIME_TAG] == "21600"
    (query,) = (a.query for a in asked)
    assert (query["realtime_start"], query["realtime_end"]) == ("2024-10-25", "2024-12-26")
    assert built.platform.store.scan(MACRO_CALENDAR).height == 4
    assert tick(built) == request, "the same day asks for the same run"


def test_a_schedule_that_fails_again_and_again_is_told_of_and_pauses_as_others_do(
    built: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRED_API_KEY", KEY)
    request = tick(built)
    assert isinstance(request, dg.RunRequest)
    pause = datetime.fromisoformat(request.tags[START_TAG]) - TODAY
    assert timedelta(0) <= pause <= AutomationPolicy().jitter
    assert (request.tags[SCHEDULE_TAG], request.tags[TICK_TAG]) == (NAME, TODAY.isoformat())
    job = built.defs.get_repository_def().get_job(MACRO_JOB)
    for days in (3, 2, 1):
        tags = {**request.tags, TICK_TAG: (TODAY - timedelta(days=days)).isoformat()}
        run = built.instance.create_run_for_job(job, tags=tags)
        built.instance.report_run_failed(run)
    # It ticks once a day: it is told of, and skips nothing.
    assert isinstance(tick(built), dg.RunRequest)
    states = open_operations(built.settings.local_operations_url).automation
    (state,) = states.all()
    assert (state.name, state.failures, state.cut_at) == (NAME, 3, TODAY)


def test_while_the_warehouse_is_away_it_fetches_alone_and_notes_the_calendar(
    built: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRED_API_KEY", KEY)
    failover = open_operations(built.settings.local_operations_url).failover
    assert failover.take(Decision(TODAY, Standing.NORMAL, Standing.AWAY, "test"), after=0)
    for _ in range(2):
        request = tick(built)
        assert isinstance(request, dg.RunRequest)
        made = {key.to_user_string() for key in request.asset_selection or ()}
        assert made == {"raw/fred_releases", "raw/fred_observations"}
    (missed,) = failover.open()
    assert (missed.dataset, missed.sessions) == (MACRO_CALENDAR.name, range_of(TODAY.date()))


def test_a_range_is_one_question_and_reaches_no_further_than_the_calendar() -> None:
    first, last = range_of(TODAY.date())
    assert first == date(2024, 10, 25)
    assert last - first <= timedelta(days=62)
