"""Changed reference files: what the sensor says, what its run publishes, what is out of date."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster import AssetCheckKey, AssetKey, SensorResult

from adapters.stores.reference_tables import ReferenceTables
from market_data.errors import ConfigurationError
from tests.support.graph import Graph, graph

CONFIG = Path(__file__).resolve().parents[3] / "config"
INSTRUMENTS, SESSIONS = "reference/instruments", "reference/trading_sessions"
SPAN = ("2024-01-02", "2024-01-12")


@dataclass
class Installed:
    """A graph over files that a test may change, and the sensor that watches them."""

    graph: Graph
    config: Path
    cursor: str | None = None

    def tick(self) -> SensorResult:
        """One tick, its cursor kept."""
        definition = self.graph.defs.resolve_sensor_def("reference_files")
        with dg.build_sensor_context(
            instance=self.graph.instance,
            cursor=self.cursor,
            resources={"platform": self.graph.defs.resources["platform"]},
            definitions=self.graph.defs,
        ) as context:
            result = definition(context)
        assert isinstance(result, SensorResult)
        self.cursor = result.cursor
        return result

    def publish(self) -> dict[str, dict[str, Any]]:
        """One run of the reference tables and their checks: metadata by asset."""
        keys = {AssetKey(name.split("/")) for name in (INSTRUMENTS, SESSIONS)}
        job = self.graph.defs.resolve_implicit_global_asset_job_def()
        result = job.get_subset(asset_selection=keys).execute_in_process(
            instance=self.graph.instance
        )
        return {
            event.asset_key.to_user_string(): {
                k: v.value for k, v in event.materialization.metadata.items()
            }
            for event in result.get_asset_materialization_events()
            if event.asset_key is not None
        }

    def passed(self, asset: str, check: str) -> bool:
        """The newest result of a check."""
        key = AssetCheckKey(AssetKey(asset.split("/")), check)
        found = self.graph.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])
        event = found[key].event
        assert event is not None
        assert event.dagster_event is not None
        return bool(event.dagster_event.asset_check_evaluation_data.passed)

    def table(self, name: str) -> pl.DataFrame:
        return ReferenceTables(self.graph.settings.warehouse_root).get(name)

    def close(self, calendar: str, day: str) -> None:
        path = self.config / "reference" / "holidays.yaml"
        path.write_text(
            f"calendars:\n  {calendar}:\n    - {{date: {day}, closed: true, note: mourning}}\n"
        )


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    config = tmp_path / "config"
    shutil.copytree(CONFIG, config)
    with graph(tmp_path, config_dir=config) as made:
        yield Installed(made, config)


def test_a_holiday_moves_sessions_and_names_what_is_stored_of_them(installed: Installed) -> None:
    installed.publish()
    assets = ["raw/sample_a_bars_1d", "raw/sample_b_bars_1d", "curated/bars_1d", "quality/scores"]
    run = installed.graph.run(assets, *SPAN, symbols=["DEMO-ACME", "DEMO-BTC"])
    assert run.success
    assert installed.publish()[SESSIONS]["sessions_out_of_date"] == 0
    installed.tick()
    installed.tick()

    installed.close("XNYS", "2024-01-09")
    assert installed.tick().skip_reason is not None
    (request,) = installed.tick().run_requests or []
    assert request.run_key.startswith("2-")
    assert not installed.tick().run_requests

    found = installed.publish()[SESSIONS]
    assert found["sessions_out_of_date"] == 3
    stored = _rows(found["out_of_date_sessions"])
    assert {(r["symbol"], r["session"]) for r in stored} == {("DEMO-ACME", "2024-01-09")}
    moved = [r for r in _rows(found["moved_sessions"]) if r["calendar"] == "XNYS"]
    assert [(r["session"], r["change"]) for r in moved] == [("2024-01-09", "no longer a session")]
    sessions = installed.table(SESSIONS)
    assert sessions.filter(calendar="XNYS", session=date(2024, 1, 9)).is_empty()
    assert sessions.filter(calendar="24/7", session=date(2024, 1, 9)).height == 1
    assert installed.passed(SESSIONS, "changes")
    assert installed.publish()[SESSIONS]["sessions_out_of_date"] == 0


def test_another_priority_puts_scored_sessions_out_of_date(installed: Installed) -> None:
    installed.publish()
    assets = ["raw/sample_a_bars_1d", "raw/sample_b_bars_1d", "curated/bars_1d", "quality/scores"]
    assert installed.graph.run(assets, *SPAN, symbols=["DEMO-ACME"]).success
    path = installed.config / "universe.yaml"
    text = path.read_text()
    path.write_text(text.replace("default: [sample_a, sample_b", "default: [sample_b, sample_a"))
    found = installed.publish()[SESSIONS]
    rows = _rows(found["out_of_date_sessions"])
    assert {r["reason"] for r in rows} == {"other limits or vendor priority"}
    assert {(r["dataset"], r["symbol"]) for r in rows} == {("curated/bars_1d", "DEMO-ACME")}
    assert found["sessions_out_of_date"] == 9


def test_a_new_symbol_shows_as_gaps_under_green_partitions(installed: Installed) -> None:
    installed.publish()
    path = installed.config / "reference" / "instruments.yaml"
    path.write_text(
        "instruments:\n"
        "  - symbol: DEMO-NEW\n    asset_class: equity\n    calendar: XNYS\n"
        "    listed: 2024-01-02\n    delisted: 2024-01-12\n    history: 2024-01-01\n"
        "    vendor_symbols: {sample_a: DEMO-ACME}\n"
    )
    found = installed.publish()[INSTRUMENTS]
    assert [(r["symbol"], r["change"]) for r in _rows(found["changed_instruments"])] == [
        ("DEMO-NEW", "new")
    ]
    assert "| DEMO-NEW | 1d | 9 | 2024-01-02 | 2024-01-12 |" in found["gaps"]
    assert not installed.passed(INSTRUMENTS, "aliases")
    assert installed.passed(INSTRUMENTS, "current")
    row = installed.table(INSTRUMENTS).row(by_predicate=pl.col("symbol") == "DEMO-NEW", named=True)
    assert (row["aliases"], row["tickers"]) == ("sample_a=DEMO-ACME", "")


def test_a_broken_file_fails_the_tick_and_changes_nothing(installed: Installed) -> None:
    installed.tick()
    installed.tick()
    before = installed.cursor
    installed.close("XNYS", "2024-13-01")
    installed.tick()
    with pytest.raises(ConfigurationError, match=r"holidays\.yaml, line 3: 2024-13-01 is no date"):
        installed.tick()
    installed.close("XNYS", "2024-01-06")
    installed.tick()
    with_weekend = installed.tick()
    assert with_weekend.run_requests
    shutil.copy(CONFIG / "reference" / "holidays.yaml", installed.config / "reference")
    installed.tick()
    (again,) = installed.tick().run_requests or []
    assert before is not None
    assert again.run_key.startswith("3-")


def test_a_calendar_that_nobody_knows_fails_its_check(installed: Installed) -> None:
    path = installed.config / "reference" / "instruments.yaml"
    path.write_text("instruments:\n  - {symbol: X, asset_class: equity, calendar: XNOWHERE}\n")
    with pytest.raises(ConfigurationError, match="XNOWHERE"):
        installed.publish()


def test_the_table_reaches_a_year_ahead(installed: Installed) -> None:
    installed.publish()
    last = installed.table(SESSIONS).group_by("calendar").agg(pl.col("session").max())
    assert (last["session"] > datetime.now().date() + timedelta(days=300)).all()  # noqa: DTZ005
    for asset, check in (
        (INSTRUMENTS, "current"),
        (INSTRUMENTS, "calendars"),
        (INSTRUMENTS, "tickers"),
        (SESSIONS, "coverage"),
        (SESSIONS, "changes"),
    ):
        assert installed.passed(asset, check), (asset, check)


def _rows(value: Any) -> list[dict[str, Any]]:
    return [dict(record.data) for record in value.records] if hasattr(value, "records") else []
