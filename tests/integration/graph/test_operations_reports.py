"""The reports on operations as assets: made of real stores, shown, kept, told, and checked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from adapters.backend import Operations, open_operations
from adapters.operations_reports import gather, make_reports
from adapters.settings import Settings
from jobs.operations import DAILY, EVERYTHING
from market_data.operations.limits import OperationsLimits
from market_data.operations.reports import MAKERS
from market_data.ports.events import Event, OperationsReport
from tests.support.alert_rows import bad, rules
from tests.support.graph import Graph, graph

NOW = datetime.now(UTC)
LAST = (NOW - timedelta(days=1)).date().isoformat()
FIRST = (NOW - timedelta(days=7)).date().isoformat()
SYMBOLS = ["DEMO-BTC", "DEMO-ACME", "DEMO-GLOBEX"]
CHECKLIST = "operations/daily_checklist"
CHAIN = ["raw/sample_a_bars_1d", "curated/bars_1d", "quality/scores"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """A graph that has the newest week of a coin and of two shares."""
    with graph(tmp_path_factory.mktemp("reports")) as found:
        assert found.run(CHAIN, FIRST, LAST, symbols=SYMBOLS).success
        yield found


@pytest.fixture(scope="module")
def done(made: Graph) -> dg.ExecuteInProcessResult:
    """The daily job."""
    return made.defs.resolve_job_def(DAILY).execute_in_process(
        instance=made.instance, raise_on_error=False
    )


def operations(made: Graph, *, streaming: bool = False) -> Operations:
    return open_operations(made.settings.local_operations_url, streaming=streaming)


def test_the_daily_job_makes_every_report(made: Graph, done: dg.ExecuteInProcessResult) -> None:
    assert done.success
    shown = {
        m.asset_key.to_user_string(): m.step_materialization_data.materialization.metadata
        for m in done.get_asset_materialization_events()
        if m.asset_key
    }
    assert set(shown) == {key.to_user_string() for key in EVERYTHING}
    reports = operations(made).reports
    for name in MAKERS:
        metadata = shown[f"operations/{name}"]
        assert str(metadata["report"].value).startswith("# "), name
        (kept,) = reports.newest(name)
        assert metadata["report_json"].value == dict(kept.body), name
        assert metadata["status"].value == kept.status, name


def test_their_checks_say_what_the_reports_say(done: dg.ExecuteInProcessResult) -> None:
    found = {e.check_name: e for e in done.get_asset_check_evaluations()}
    judging = {"ingest_health", "ingest_trends", "slo_report", "daily_checklist"}
    assert judging <= set(found)
    assert found["ingest_health"].passed, found["ingest_health"].description
    assert found["ingest_trends"].passed, found["ingest_trends"].description


def test_the_numbers_are_those_of_the_stores(made: Graph) -> None:
    settings, ports = made.settings, operations(made)
    (account,) = make_reports(settings, made.platform, ports, ["ingest_metrics"])
    told = account.to_json()["dimensions"]["daily_bars"]
    # One question for each calendar; the coin trades every day.
    assert told["attempts"] == 2
    assert 7 < told["rows"] == told["expected_rows"] <= 21
    assert (told["symbols"], told["symbols_with_rows"], told["missing"]) == (3, 3, [])
    assert told["bar_coverage"] == 1.0
    # The last session ended at midnight.
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = (datetime.now(UTC) - midnight).total_seconds()
    assert told["freshness_seconds"] == pytest.approx(since, abs=120)


def test_history_that_nobody_keeps_current_is_not_watched(tmp_path: Path) -> None:
    with graph(tmp_path) as old:
        assert old.run(CHAIN[:2], "2024-01-02", "2024-01-05", symbols=["DEMO-BTC"]).success
        seen = gather(old.platform, operations(old), OperationsLimits())
        assert seen.reach.is_empty()
        assert seen.attempts["current"].to_list() == [False]
        (health,) = make_reports(old.settings, old.platform, operations(old), ["ingest_health"])
        assert health.reasons == ()


def test_listeners_are_told_once_per_report(made: Graph) -> None:
    ports = operations(made, streaming=True)
    accounts = make_reports(made.settings, made.platform, ports, list(MAKERS))
    waiting = [Event.from_json(p.body) for p in ports.outbox.pending(100)]
    told = [e.result for e in waiting if isinstance(e.result, OperationsReport)]
    assert [t.report for t in told] == [a.name for a in accounts] == list(MAKERS)
    assert [dict(t.body) for t in told] == [a.to_json() for a in accounts]


def test_alerts_about_the_reports_themselves_do_not_count(made: Graph) -> None:
    """They would keep the checklist open, and the checklist them."""
    ports = operations(made)
    looks = [bad(NOW, "check|a", asset="curated/bars_1d"), bad(NOW, "check|b", asset=CHECKLIST)]
    ports.alerts.evaluate(lambda _: looks, rules(), NOW)
    assert gather(made.platform, ports, OperationsLimits()).open_alerts == 1


def test_where_nobody_listens_the_hourly_schedule_is_off_and_the_daily_one_on(made: Graph) -> None:
    schedules = {s.name: s for s in made.defs.schedules or ()}
    on = dg.DefaultScheduleStatus.RUNNING
    assert schedules["daily_operations_reports"].default_status is on
    assert schedules["hourly_ingest_reports"].default_status is not on


def test_a_wrong_limit_is_refused_by_its_name(tmp_path: Path, made: Graph) -> None:
    from adapters.operations_limits import load_operations_limits
    from market_data.errors import ConfigurationError

    (tmp_path / "operations.yaml").write_text("trends: {runs: 1}\nslo: {windows: 3d}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_operations_limits(Settings(config_dir=tmp_path))
    assert "operations.yaml: trends.runs: " in str(caught.value)
    assert "slo.windows: " in str(caught.value)
    assert load_operations_limits(made.settings) == OperationsLimits()
    (tmp_path / "operations.yaml").unlink()
    assert load_operations_limits(Settings(config_dir=tmp_path)) == OperationsLimits()
