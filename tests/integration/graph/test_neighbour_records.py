"""What is recorded of a session next to a run says what is found there now."""

from collections.abc import Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster._core.event_api import PartitionKeyFilter

from emp_assets.neighbours import TRIES, record_neighbours, while_at_rest
from market_data.quality.checks import OF_SERIES
from tests.support.planted_findings import planted_findings

SESSIONS = dg.DailyPartitionsDefinition("2024-01-01", end_offset=2)
KEY = dg.AssetKey("bars")
DAY, NEXT = date(2024, 4, 19), date(2024, 4, 20)
Found = Sequence[tuple[str, str, float]]


class House:
    """One asset, whose run of the next day finds something about the day before."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.now = planted_findings(0, 0, ("false_ticks",))
        self.beside = lambda: (self.now, self.rows)
        self.rows = {
            "false_ticks": pl.DataFrame({"symbol": ["BTC"], "session": [DAY], "close": [151.8]})
        }

        @dg.asset(key=KEY, partitions_def=SESSIONS)
        def bars() -> None: ...

        specs = [dg.AssetCheckSpec(name, asset=KEY, partitions_def=SESSIONS) for name in OF_SERIES]

        @dg.multi_asset_check(specs=specs)
        def checks(context: dg.AssetCheckExecutionContext) -> Any:
            beside: Any = SimpleNamespace(sessions=((DAY, DAY),), look=self.beside)
            record_neighbours(context, KEY, beside, "docs/runbooks")
            for spec in specs:
                yield dg.AssetCheckResult(asset_key=KEY, check_name=spec.name, passed=True)

        defs = dg.Definitions(assets=[bars], asset_checks=[checks])
        self._job = defs.resolve_implicit_global_asset_job_def()
        self._run(DAY)

    def look(self, found: Found) -> tuple[int, str]:
        """The run of the next day, which finds this; how many records there are, and the last."""
        planted = planted_findings(1, len(found), ("false_ticks",))
        self.now = planted.with_columns(
            pl.Series("symbol", [symbol for symbol, _, _ in found], pl.String),
            pl.Series("code", [code for _, code, _ in found], pl.String),
            pl.Series("value", [value for *_, value in found], pl.Float64),
            session=pl.lit(DAY),
            severity=pl.lit("warn"),
        )
        self._run(NEXT)
        records = self.instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(KEY, "false_ticks"),
            limit=50,
            partition_filter=PartitionKeyFilter(key=str(DAY)),
        )
        event = records[0].event.dagster_event if records[0].event else None
        assert event is not None
        result = event.asset_check_evaluation_data
        if result.passed:
            return len(records), "passed"
        table = result.metadata["findings"]
        assert isinstance(table, dg.TableMetadataValue)
        said = [f"{r.data['symbol']} {r.data['code']}" for r in table.records]
        return len(records), ", ".join(said)

    def _run(self, day: date) -> None:
        result = self._job.execute_in_process(instance=self.instance, partition_key=str(day))
        assert result.success


@pytest.fixture
def house() -> House:
    return House(dg.DagsterInstance.ephemeral())


def test_a_record_names_the_symbols_and_codes_that_are_found_now(house: House) -> None:
    first, said = house.look([("BTC", "false_tick", 0.5)])
    assert said == "BTC false_tick"
    # Another symbol breaks too, then the first is well, then it is another code.
    assert house.look([("BTC", "false_tick", 0.5), ("ETH", "false_tick", 0.5)]) == (
        first + 1,
        "BTC false_tick, ETH false_tick",
    )
    assert house.look([("ETH", "false_tick", 0.5)]) == (first + 2, "ETH false_tick")
    assert house.look([("ETH", "wick", 0.5)]) == (first + 3, "ETH wick")
    assert house.look([])[1] == "passed"


def test_a_record_shows_the_rows_that_it_is_about(house: House) -> None:
    house.look([("BTC", "false_tick", 0.5)])
    records = house.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(KEY, "false_ticks"),
        limit=1,
        partition_filter=PartitionKeyFilter(key=str(DAY)),
    )
    event = records[0].event.dagster_event if records[0].event else None
    assert event is not None
    table = event.asset_check_evaluation_data.metadata["rows"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [row.data["close"] for row in table.records] == [151.8]


def test_what_is_found_again_with_other_numbers_is_no_news(house: House) -> None:
    first, said = house.look([("BTC", "false_tick", 0.5)])
    assert house.look([("BTC", "false_tick", 0.52)]) == (first, said)


def made(instance: dg.DagsterInstance, day: date) -> None:
    """Another run makes a session."""
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition=str(day)))


@pytest.mark.parametrize("times", [0, 1, TRIES + 1])
def test_a_session_is_judged_again_when_one_beside_it_is_made_meanwhile(times: int) -> None:
    instance, looks = dg.DagsterInstance.ephemeral(), list[int]()
    beside: Any = SimpleNamespace(sessions=((NEXT, NEXT),))

    def inspect() -> int:
        looks.append(len(looks))
        if len(looks) <= times:
            made(instance, NEXT)
        return len(looks)

    # What it sees last is what counts; a market that is made without end holds up nobody.
    assert while_at_rest(instance, KEY, beside, inspect) == min(times + 1, TRIES)


def test_a_session_that_is_made_while_it_is_looked_at_is_looked_at_again(house: House) -> None:
    looks = list[str]()

    def look() -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
        looks.append("look")
        if len(looks) == 1:
            made(house.instance, DAY)
        return planted, house.rows

    planted = planted_findings(1, 1, ("false_ticks",)).with_columns(session=pl.lit(DAY))
    house.beside = look
    assert house.look([("BTC", "false_tick", 0.5)])[1] != "passed"
    assert looks == ["look", "look"]
