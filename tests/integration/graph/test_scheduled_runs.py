"""What schedules do, over the real graph and a vendor on the loopback: ticks, runs, retries.

Schedules want an instance that others can open too: its records lie in SQLite.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster import DagsterEventType, DagsterRunStatus
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from adapters.automation import load_automation
from adapters.settings import PROJECT, Settings
from emp_assets.retrying import RETRY_TAG
from jobs.automation.ends import ended_ticks
from jobs.automation.limits import MAX_RETRIES_TAG, MAX_RUNTIME_TAG
from jobs.automation.requests import SCHEDULE_TAG, TICK_TAG
from market_data.alerts.facts import SlaFact
from market_data.automation.cutoff import TickEnd
from market_data.datasets import curated_bars
from market_data.timeframes import Timeframe
from resources.platform import PlatformResource
from sensors.run_facts import run_fact
from sensors.schedule_facts import sla_fact
from tests.support.graph import Graph
from tests.support.instances import kept_instance
from tests.support.replay_server import Asked, ReplayServer, Reply, failing, json_body

DAILY = "daily_market_data"
CANDLES = "/products/BTC-USD/candles"
TICK = datetime(2024, 3, 12, 1, tzinfo=UTC)
DAY = timedelta(days=1)
UNKNOWN = failing(404, b'{"message": "NotFound"}')
UNIVERSE = {
    "instruments": [
        {
            "symbol": "BTCUSD",
            "asset_class": "crypto",
            "calendar": "24/7",
            "vendor_symbols": {"coinbase": "BTC-USD"},
        }
    ],
    "vendors": [{"name": "coinbase", "reader": "coinbase", "timeframes": ["1h", "1d"]}],
    "priority": {"default": ["coinbase"]},
}
POLICY = {
    "daily": {"timeframes": ["1d"], "lookback": 1},
    "retries": {"waits": ["0.01s", "0.02s"]},
    "refresh": {"every": {"1h": "15m"}},
}


def candles(asked: Asked) -> Reply:
    """One flat candle per step of the range, newest first, as Coinbase sends them."""
    step = int(asked.query["granularity"])
    start, end = (
        int(datetime.fromisoformat(asked.query[name]).timestamp()) for name in ("start", "end")
    )
    starts = range(-(-start // step) * step, end + 1, step)
    return json_body([[at, 99.0, 101.0, 100.0, 100.0, 5.0] for at in reversed(starts)])


@dataclass
class House:
    """A graph, its vendor, and what a daemon would do with it."""

    graph: Graph
    server: ReplayServer

    def tick(self, name: str, at: datetime) -> Sequence[dg.RunRequest] | str:
        """One tick of a schedule: its requests, or why there are none."""
        schedule = self.graph.defs.resolve_schedule_def(name)
        with dg.build_schedule_context(
            instance=self.graph.instance,
            scheduled_execution_time=at,
            repository_def=self.graph.defs.get_repository_def(),
            resources=self.graph.defs.resources,
        ) as context:
            found = schedule.evaluate_tick(context)
        return found.run_requests or found.skip_message or ""

    def launch(self, request: dg.RunRequest, *, layer: str = "") -> dg.ExecuteInProcessResult:
        """The run of a request in this process; of one layer alone, unchecked, where named."""
        job = self.graph.defs.get_repository_def().get_job("scheduled_bars")
        chosen = {k for k in request.asset_selection or () if layer in ("", k.path[0])}
        checks = set() if layer else set(request.asset_check_keys or ())
        steps = {"__".join(key.path) for key in chosen}
        ops = dict(request.run_config["ops"])
        return job.get_subset(
            asset_selection=chosen, asset_check_selection=checks
        ).execute_in_process(
            instance=self.graph.instance,
            run_config={"ops": {n: c for n, c in ops.items() if not layer or n in steps}},
            tags=dict(request.tags),
            raise_on_error=False,
        )

    def daily(self, at: datetime) -> dg.RunRequest:
        """The one request of a day's tick."""
        (request,) = self.tick(DAILY, at)
        assert isinstance(request, dg.RunRequest)
        return request

    def fetch(self, at: datetime) -> dg.ExecuteInProcessResult:
        """The raw layer of a day's run."""
        return self.launch(self.daily(at), layer="raw")

    def record(self, at: datetime, status: DagsterRunStatus) -> dg.DagsterRun:
        """A run of a day's tick as the daemon would have recorded it."""
        request = self.daily(at)
        return self.graph.instance.create_run_for_job(
            self.graph.defs.get_repository_def().get_job("scheduled_bars"),
            status=status,
            tags=dict(request.tags),
            asset_selection=frozenset(request.asset_selection or ()),
        )

    def retries(self, run_id: str) -> list[float]:
        """The pauses before further attempts of a run."""
        page = self.graph.instance.get_records_for_run(
            run_id, of_type=DagsterEventType.STEP_UP_FOR_RETRY
        )
        events = [r.event_log_entry.dagster_event for r in page.records]
        return [e.step_retry_data.seconds_to_wait for e in events if e is not None]

    def ends(self, name: str) -> list[TickEnd]:
        return list(ended_ticks(self.graph.instance, name, 5))


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    config = tmp_path / "config"
    copytree(PROJECT / "config", config)
    (config / "universe.yaml").write_text(yaml.safe_dump(UNIVERSE))
    (config / "automation.yaml").write_text(yaml.safe_dump(POLICY))
    settings = Settings(data_dir=tmp_path / "data", config_dir=config)
    with ReplayServer() as server, kept_instance() as instance:
        monkeypatch.setenv("COINBASE_URL", server.url)
        server.reply(CANDLES, candles)
        yield House(Graph(settings, instance), server)


def test_a_tick_is_one_ranged_run_and_a_failed_question_is_put_again(house: House):
    requests = house.tick(DAILY, TICK)
    assert isinstance(requests, list)
    assert house.tick(DAILY, TICK) == requests, "the same tick asks for the same run"
    (request,) = requests
    tags = request.tags
    assert (tags[SCHEDULE_TAG], tags[TICK_TAG]) == (DAILY, "2024-03-12T01:00:00+00:00")
    assert (tags[RETRY_TAG], tags[MAX_RUNTIME_TAG]) == ("0.01,0.02", "21600")
    # One that could not start, or whose process died, has one more; the next day is far.
    assert tags[MAX_RETRIES_TAG] == "1"
    assert tags["dagster/asset_partition_range_start"] == "2024-03-11"
    assert tags["dagster/asset_partition_range_end"] == "2024-03-12"

    house.server.first(CANDLES, UNKNOWN, UNKNOWN)
    run = house.launch(request)
    assert run.success
    assert house.retries(run.run_id) == [0.01, 0.02]
    assert len(house.server.asked_for(CANDLES)) == 3
    assert house.ends(DAILY) == [TickEnd(TICK, failed=False)]
    fact = run_fact(house.graph.instance, run.run_id, {})
    assert fact is not None
    assert fact.schedule == f"{DAILY} 1d", "the same from tick to tick"
    stored = house.graph.platform.store.scan(curated_bars(Timeframe.D1), symbols=["BTCUSD"])
    assert stored.height == 2

    # The next day asks for its own session alone.
    asked = len(house.server.asked)
    assert house.fetch(TICK + DAY).success
    assert len(house.server.asked) == asked + 1
    assert house.server.asked[-1].query["start"].startswith("2024-03-13")


def test_who_sits_before_a_run_is_told_at_once(house: House):
    house.server.first(CANDLES, UNKNOWN)
    failed = house.graph.run(["raw/coinbase_bars_1d"], "2024-03-05", "2024-03-06")
    assert not failed.success
    assert house.retries(failed.run_id) == []
    assert len(house.server.asked) == 1


def test_failing_ticks_cut_it_off_until_somebody_resumes_it(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    house.server.first(CANDLES, *[UNKNOWN] * 3)
    assert not house.fetch(TICK).success
    for day in (1, 2):
        house.record(TICK + day * DAY, DagsterRunStatus.FAILURE)
    assert [end.failed for end in house.ends(DAILY)] == [True] * 3
    # Its next tick is a day later: it is let through, to see whether it fares better.
    probe = house.tick(DAILY, TICK + 3 * DAY)
    assert isinstance(probe, list)
    assert house.tick(DAILY, TICK + 3 * DAY) == probe, "a tick that is repeated"
    with monkeypatch.context() as patch:
        # Whoever is cut off plans nothing: a store that is away is not even looked at.
        patch.delattr(PlatformResource, "open")
        told = house.tick(DAILY, TICK + 3 * DAY + timedelta(hours=1))
    assert isinstance(told, str)
    assert "cut off since 2024-03-15 01:00 UTC, after 3 failed ticks" in told
    assert "emp automation resume daily_market_data" in told
    assert opened(house) == {f"cut_off|{DAILY}"}

    from emp.automation import resume

    assert resume(house.graph.settings, DAILY, TICK + 3 * DAY)
    house.record(TICK + 4 * DAY, DagsterRunStatus.SUCCESS)
    assert opened(house) == set()
    assert not resume(house.graph.settings, DAILY, TICK + 5 * DAY), "it was not cut off"


def opened(house: House) -> set[str]:
    """What the look at the platform finds wrong with schedules."""
    with dg.build_sensor_context(
        instance=house.graph.instance,
        repository_def=house.graph.defs.get_repository_def(),
        resources=house.graph.defs.resources,
    ) as context:
        house.graph.defs.get_sensor_def("alerts_of_the_platform")(context)
    from adapters.operations_opening import open_operations

    alerts = open_operations(house.graph.settings.local_operations_url).alerts
    return {a.fingerprint for a in alerts.newest() if a.fingerprint.startswith(("cut_off", "sla"))}


def test_two_runs_that_lack_the_same_ask_once(house: House):
    """Schedules of two daemons, or a run by hand beside one."""

    def slowly(asked: Asked) -> Reply:
        made = candles(asked)
        return Reply(made.body, delay=3.0)

    house.server.reply(CANDLES, slowly)
    request = house.daily(TICK)
    other = Graph(house.graph.settings, dg.DagsterInstance.ephemeral())
    houses = [house, House(other, house.server)]
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda each: each.launch(request, layer="raw"), houses))
    assert [run.success for run in runs] == [True, True]
    assert len(house.server.asked) == 1


def test_a_close_brings_its_session(house: House):
    requests = house.tick("close_24_7", datetime(2024, 3, 12, 0, 30, tzinfo=UTC))
    (request,) = requests
    assert isinstance(request, dg.RunRequest)
    assert request.tags["dagster/asset_partition_range_start"] == "2024-03-08"
    assert request.tags["dagster/asset_partition_range_end"] == "2024-03-11"
    assert house.tick("close_24_7", datetime(2024, 3, 12, 0, 30, tzinfo=UTC)) == requests


def test_a_refresh_asks_for_the_running_session_and_never_twice_at_once(house: House):
    at = datetime(2024, 3, 12, 14, 15, tzinfo=UTC)
    (request,) = house.tick("refresh_1h", at)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2024-03-12"
    assert request.tags[MAX_RETRIES_TAG] == "0", "the next tick asks for the same"
    instance = house.graph.instance
    job = house.graph.defs.get_repository_def().get_job("scheduled_bars")
    run = instance.create_run_for_job(job, status=DagsterRunStatus.STARTED, tags=dict(request.tags))
    assert house.tick("refresh_1h", at) == "the run of an earlier tick is still under way"
    instance.report_run_failed(run)
    assert isinstance(house.tick("refresh_1h", at), list)


def test_a_refresh_leaves_a_part_of_the_day_to_others(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    from market_data.pipeline import spare_budget
    from market_data.ports import Allowance, Window

    at = datetime(2024, 3, 12, 14, 15, tzinfo=UTC)
    platform = house.graph.platform
    allowance = Allowance("day", 25, timedelta(days=1))

    def left(requests: int) -> Any:
        window = Window(allowance, 25 - requests)
        vendors = type(platform.vendors)
        monkeypatch.setattr(vendors, "windows", lambda *_: (window,))
        return house.tick("refresh_1h", at)

    assert isinstance(left(6), list)
    assert "5 of them stay for other runs" in left(5)
    assert spare_budget.affordable(platform, [], 0.2) == ([], [])


@pytest.fixture
def promised(house: House) -> Callable[..., SlaFact]:
    """The daily schedule, turned on two days before its tick; its fact two hours after it."""
    instance = house.graph.instance
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(python_file="x.py"))
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "repo"), DAILY)
    data = ScheduleInstigatorData("0 1 * * *", (TICK - 2 * DAY).timestamp())
    state = InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, data)
    instance.add_instigator_state(state)
    rules = load_automation(house.graph.settings).daily

    def fact(
        ticked: TickStatus | None = None,
        at: datetime = TICK + timedelta(hours=2),
        since: datetime = TICK - 9 * DAY,
    ) -> SlaFact:
        if ticked is not None:
            instance.create_tick(
                TickData(
                    state.instigator_origin_id,
                    DAILY,
                    InstigatorType.SCHEDULE,
                    ticked,
                    TICK.timestamp(),
                    selector_id=state.selector_id,
                )
            )
        return sla_fact(instance, rules, at, since.timestamp())

    return fact


def test_the_daily_run_is_late_until_it_is_done(house: House, promised: Callable[..., SlaFact]):
    before = promised(at=TICK - 3 * DAY + timedelta(hours=2))
    assert before.tick is None, "nothing was promised before the schedule was on"
    assert promised() == SlaFact(DAILY, TICK, ("no run was asked for",))
    house.server.first(CANDLES, UNKNOWN, UNKNOWN, UNKNOWN)
    failed = house.fetch(TICK)
    late = promised()
    assert late.late == (f"scheduled_bars (run {failed.run_id}) ended as FAILURE",)
    # Somebody re-executes it: the newest run of a root counts.
    run = house.graph.instance.get_run_by_id(failed.run_id)
    assert run is not None
    house.graph.instance.create_run_for_job(
        house.graph.defs.get_repository_def().get_job("scheduled_bars"),
        status=DagsterRunStatus.SUCCESS,
        tags=dict(run.tags),
        root_run_id=run.run_id,
        parent_run_id=run.run_id,
    )
    assert promised().late == ()
    second = house.record(TICK, DagsterRunStatus.STARTED)
    assert promised().late == (f"curated/bars_1d (run {second.run_id}) is still under way",)


def test_a_tick_that_was_skipped_promised_nothing(promised: Callable[..., SlaFact]):
    assert promised(TickStatus.SKIPPED) == SlaFact(DAILY, TICK)


def test_a_time_of_day_that_was_changed_promised_nothing_before(
    promised: Callable[..., SlaFact],
):
    assert promised(since=TICK + timedelta(hours=1)) == SlaFact(DAILY, None)
    assert promised(since=TICK).late


def test_a_probe_is_spent_by_a_tick_that_asks_for_something(house: House):
    morning = datetime(2024, 3, 12, 9, tzinfo=UTC)
    (request,) = house.tick("refresh_1h", morning)
    assert isinstance(request, dg.RunRequest)
    instance, job = (
        house.graph.instance,
        house.graph.defs.get_repository_def().get_job("scheduled_bars"),
    )
    for minutes in (0, 15, 30):
        at = morning + timedelta(minutes=minutes)
        tags = {**request.tags, TICK_TAG: at.isoformat()}
        instance.create_run_for_job(job, status=DagsterRunStatus.FAILURE, tags=tags)
    assert "cut off" in house.tick("refresh_1h", morning + timedelta(minutes=45))
    # A run by hand that looks like one of its own keeps the probe from asking.
    busy = instance.create_run_for_job(
        job,
        status=DagsterRunStatus.STARTED,
        tags={SCHEDULE_TAG: "refresh_1h", TICK_TAG: (morning - DAY).isoformat()},
    )
    due = morning + timedelta(hours=6, minutes=30)
    assert "still under way" in house.tick("refresh_1h", due)
    instance.report_run_canceled(busy)
    assert isinstance(house.tick("refresh_1h", due + timedelta(minutes=15)), list)


def test_upkeep_merges_files_and_says_what_it_did(house: House):
    for day in range(2):
        assert house.fetch(TICK + day * DAY).success
    folder = house.graph.settings.lake_root / "raw" / "coinbase_bars_1d"
    repository = house.graph.defs.get_repository_def()
    rows = house.graph.platform.raw_log.read
    from market_data.datasets import raw_bars

    dataset = raw_bars("coinbase", Timeframe.D1)
    before = rows(dataset)
    assert len(current(folder)) == 2
    merged = repository.get_job("weekly_upkeep").execute_in_process(instance=house.graph.instance)
    assert merged.success
    assert len(current(folder)) == 1
    told = outputs(merged)
    assert told["files_before"] - told["files_after"] >= 1
    table = told["tables"][dataset.name]
    assert (table["before"]["files"], table["after"]["files"]) == (2, 1)
    assert table["after"]["stored_bytes"] > table["after"]["bytes"] > 0
    assert len(list(folder.glob("year=*/*.parquet"))) == 3
    swept = repository.get_job("monthly_upkeep").execute_in_process(instance=house.graph.instance)
    assert swept.success
    assert len(list(folder.glob("year=*/*.parquet"))) == 3, "versions of thirty days stay whole"
    assert rows(dataset).equals(before)


def outputs(done: Any) -> dict[str, Any]:
    """What the only step of a run recorded."""
    (event,) = [e for e in done.all_events if e.event_type_value == "STEP_OUTPUT"]
    return {k: v.value for k, v in event.event_specific_data.metadata.items()}


def test_upkeep_of_a_damaged_table_fails_and_looks_after_the_others(house: House):
    assert house.fetch(TICK).success
    folder = house.graph.settings.lake_root / "raw" / "coinbase_bars_1d"
    spare = house.graph.settings.lake_root / "raw" / "coinbase_bars_1h" / "_delta_log"
    spare.mkdir(parents=True)
    (spare / f"{0:020d}.json").write_text("{")
    job = house.graph.defs.get_repository_def().get_job("weekly_upkeep")
    done = job.execute_in_process(instance=house.graph.instance, raise_on_error=False)
    assert not done.success
    (failure,) = [e for e in done.all_events if e.is_step_failure]
    assert "raw/coinbase_bars_1h" in failure.event_specific_data.error_display_string
    assert "emp lake repair" in failure.event_specific_data.error_display_string
    assert list((folder / "_delta_log").glob("*.checkpoint.parquet")), "its turn came all the same"


def current(folder: Path) -> list[str]:
    """The files of a table's newest version, from its log."""
    live: set[str] = set()
    for commit in sorted((folder / "_delta_log").glob("*.json")):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            live |= {action["add"]["path"]} if "add" in action else set()
            live -= {action["remove"]["path"]} if "remove" in action else set()
    return sorted(live)
