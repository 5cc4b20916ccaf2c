"""The reports on operations as assets: made of real stores, shown, kept, told, and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from adapters import operations_reports
from adapters.operations_opening import Operations, open_operations
from adapters.operations_reports import gather, make_reports
from adapters.settings import Settings
from emp_assets.naming import DAILY_CHECKLIST_KEY, INGEST_HEALTH_KEY, SLO_REPORT_KEY
from jobs.operations import DAILY, EVERYTHING, HOURLY, INGEST
from market_data.calendars import trading_sessions
from market_data.operations.limits import OperationsLimits
from market_data.operations.reports import MAKERS
from market_data.ports.event_results import OperationsReport
from market_data.ports.events import Event
from tests.support.alert_rows import bad, rules
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.graph import Graph, graph
from tests.support.operations_rows import attempt
from tests.support.worlds import World

SYMBOLS = ["DEMO-BTC", "DEMO-ACME", "DEMO-GLOBEX"]
CHECKLIST = "operations/daily_checklist"
CHAIN = ["raw/sample_a_bars_1d", "curated/bars_1d", "quality/scores"]


@dataclass(frozen=True)
class Made:
    """A graph and the range that was run.

    Attributes:
        graph: has bars of all symbols of the range.
        first: the first session.
        last: the last one, the day before the run.
    """

    graph: Graph
    first: date
    last: date


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A graph that has the newest week of a coin and of two shares."""
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=7), today - timedelta(days=1)
    with graph(tmp_path_factory.mktemp("reports")) as found:
        assert found.run(CHAIN, str(first), str(last), symbols=SYMBOLS).success
        yield Made(found, first, last)


@pytest.fixture(scope="module")
def done(made: Made) -> dg.ExecuteInProcessResult:
    """The daily job."""
    return run_job(made.graph, DAILY)


def run_job(
    found: Graph, name: str, assets: Sequence[dg.AssetKey] | None = None
) -> dg.ExecuteInProcessResult:
    """A job, or some of its assets."""
    return found.defs.resolve_job_def(name).execute_in_process(
        instance=found.instance, asset_selection=assets, raise_on_error=False
    )


def operations(settings: Settings, *, streaming: bool = False) -> Operations:
    return open_operations(settings.local_operations_url, streaming=streaming)


def shown(ran: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Metadata of the assets that a run made."""
    return {
        m.asset_key.to_user_string(): m.step_materialization_data.materialization.metadata
        for m in ran.get_asset_materialization_events()
        if m.asset_key
    }


def checked(ran: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {e.check_name: e for e in ran.get_asset_check_evaluations()}


def test_the_daily_job_makes_every_report(made: Made, done: dg.ExecuteInProcessResult) -> None:
    assert done.success
    assert set(shown(done)) == {key.to_user_string() for key in EVERYTHING}
    reports = operations(made.graph.settings).reports
    for name in MAKERS:
        metadata = shown(done)[f"operations/{name}"]
        assert str(metadata["report"].value).startswith("# "), name
        (kept,) = reports.newest(name)
        assert metadata["report_json"].value == dict(kept.body), name
        assert metadata["status"].value == kept.status, name


def test_their_checks_say_what_the_reports_say(done: dg.ExecuteInProcessResult) -> None:
    found, told = checked(done), shown(done)
    judging = {"ingest_health", "ingest_trends", "slo_report", "daily_checklist"}
    assert judging <= set(found)
    for name in judging:
        report = told[f"operations/{name}"]["report_json"].value
        assert found[name].passed is (report["status"] == "ok"), name
        assert found[name].metadata["findings"].value == report["findings"], name
    for name in ("ingest_health", "ingest_trends", "slo_report"):
        assert found[name].passed, found[name].description
        assert found[name].description == "nothing found"
        assert "runbook" not in found[name].metadata


def test_a_fetch_that_failed_is_an_error_of_checklist_and_objectives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with graph(tmp_path) as found:
        at = datetime.now(UTC) - timedelta(minutes=5)
        ports = operations(found.settings)
        for n in range(20):
            ports.journal.add(
                attempt(
                    1,
                    fetch_id=f"f{n}",
                    status="failed",
                    rows=0,
                    sessions=(at.date(), at.date()),
                    started_at=at,
                    ended_at=at + timedelta(seconds=1),
                )
            )
        ran = run_job(found, DAILY, [SLO_REPORT_KEY, DAILY_CHECKLIST_KEY])
        monkeypatch.setenv("EMP_ALERTS_RUNBOOKS", "https://runbooks.invalid/")
        elsewhere = checked(run_job(found, DAILY, [DAILY_CHECKLIST_KEY]))["daily_checklist"]
    assert ran.success, "a report that finds something is no failed run"
    judged = checked(ran)
    assert set(judged) == {"slo_report", "daily_checklist"}
    for name, place in (("slo_report", "objective_missed"), ("daily_checklist", "item_open")):
        assert not judged[name].passed
        assert judged[name].severity is dg.AssetCheckSeverity.ERROR
        runbook = str(judged[name].metadata["runbook"].value)
        assert runbook.startswith(f"`docs/runbooks/objectives.md#{place}`\n\n# ")
    assert "jobs done" in str(judged["daily_checklist"].description)
    link = dg.MetadataValue.url("https://runbooks.invalid/objectives.md#item_open")
    assert elsewhere.metadata["runbook"] == link


def test_the_reports_on_ingest_are_made_of_one_look(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[datetime] = []

    def counted(*of: Any) -> Any:
        seen = gather(*of)
        looks.append(seen.at)
        return seen

    monkeypatch.setattr(operations_reports, "gather", counted)
    ran = run_job(made.graph, HOURLY)
    assert ran.success
    assert set(shown(ran)) == {key.to_user_string() for key in INGEST}
    assert set(checked(ran)) == {"ingest_health", "ingest_trends"}
    assert len(looks) == 1
    told = {metadata["report_json"].value["at"] for metadata in shown(ran).values()}
    assert told == {looks[0].isoformat()}


def test_one_of_them_may_be_made_alone(made: Made) -> None:
    ran = run_job(made.graph, HOURLY, [INGEST_HEALTH_KEY])
    assert ran.success
    assert list(shown(ran)) == ["operations/ingest_health"]
    assert list(checked(ran)) == ["ingest_health"]


def test_a_check_may_be_looked_at_alone(made: Made) -> None:
    key = dg.AssetCheckKey(INGEST_HEALTH_KEY, "ingest_health")
    job = made.graph.defs.resolve_implicit_global_asset_job_def()
    ran = job.get_subset(asset_selection=set(), asset_check_selection={key}).execute_in_process(
        instance=made.graph.instance
    )
    assert not shown(ran)
    assert checked(ran)["ingest_health"].passed


def test_the_numbers_are_those_of_the_stores(made: Made) -> None:
    settings = made.graph.settings
    (account,) = make_reports(
        settings, made.graph.platform, operations(settings), ["ingest_metrics"]
    )
    told = account.to_json()["dimensions"]["daily_bars"]
    # One question for each calendar; the coin trades every day.
    assert told["attempts"] == 2
    due = 7 + 2 * trading_sessions("XNYS", made.first, made.last).height
    assert told["rows"] == told["expected_rows"] == due
    assert (told["symbols"], told["symbols_with_rows"], told["missing"]) == (3, 3, [])
    assert told["bar_coverage"] == 1.0
    # The last session of the coin ended at midnight.
    ended = datetime.combine(made.last + timedelta(days=1), datetime.min.time(), UTC)
    since = (account.at - ended).total_seconds()
    assert told["freshness_seconds"] == pytest.approx(since, abs=1)


def test_history_that_nobody_keeps_current_is_not_watched(tmp_path: Path) -> None:
    world = shares(World.at(tmp_path, datetime(2024, 3, 15, tzinfo=UTC)))
    days = [datetime(2024, 1, d, tzinfo=UTC) for d in (2, 3, 4, 5)]
    ask(world, FakeVendor(bars={"AAA": days}), "2024-01-02", "2024-01-05")
    world.curate("1d", "AAA", "2024-01-02", "2024-01-05")
    ports = operations(world.settings)
    seen = gather(world.platform, ports, OperationsLimits())
    assert seen.reach.is_empty()
    assert seen.attempts["current"].to_list() == [False]
    assert seen.attempts["rows"].to_list() == [4]
    (health,) = make_reports(world.settings, world.platform, ports, ["ingest_health"])
    assert health.reasons == ()


def test_listeners_are_told_once_per_report(made: Made) -> None:
    settings = made.graph.settings
    ports = operations(settings, streaming=True)
    accounts = make_reports(settings, made.graph.platform, ports, list(MAKERS))
    waiting = [Event.from_json(p.body) for p in ports.outbox.pending(100)]
    told = [e.result for e in waiting if isinstance(e.result, OperationsReport)]
    assert [t.report for t in told] == [a.name for a in accounts] == list(MAKERS)
    assert [dict(t.body) for t in told] == [a.to_json() for a in accounts]


def test_alerts_about_the_reports_themselves_do_not_count(made: Made) -> None:
    """They would keep the checklist open, and the checklist them."""
    ports = operations(made.graph.settings)
    now = datetime.now(UTC)
    looks = [bad(now, "check|a", asset="curated/bars_1d"), bad(now, "check|b", asset=CHECKLIST)]
    ports.alerts.evaluate(lambda _: looks, rules(), now)
    assert gather(made.graph.platform, ports, OperationsLimits()).open_alerts == 1


def test_a_wrong_limit_is_refused_by_its_name(tmp_path: Path, made: Made) -> None:
    from adapters.operations_limits import load_operations_limits
    from market_data.errors import ConfigurationError

    (tmp_path / "operations.yaml").write_text("trends: {runs: 1}\nslo: {windows: 3d}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_operations_limits(Settings(config_dir=tmp_path))
    assert "operations.yaml: trends.runs: " in str(caught.value)
    assert "slo.windows: " in str(caught.value)
    assert load_operations_limits(made.graph.settings) == OperationsLimits()
    (tmp_path / "operations.yaml").unlink()
    assert load_operations_limits(Settings(config_dir=tmp_path)) == OperationsLimits()
