"""A split that arrives late: the sensor asks for runs of exactly what it changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.datasets import FEATURES, SCORES_DATASET, curated_bars
from market_data.features.registry import Kind, bar_groups
from market_data.pipeline.features import features_now, make_features
from market_data.pipeline.outdated import outdated
from market_data.pipeline.score import score_range
from market_data.ports import IngestRun
from market_data.schemas import CORPORATE_ACTIONS, LEDGER
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from sensors.corporate_actions import rebuild_after_corporate_actions
from tests.support.graph import Graph, graph
from tests.support.worlds import FileVendor, World

NOW = datetime(2024, 2, 1, tzinfo=UTC)
FIRST, LAST = date(2024, 1, 2), date(2024, 1, 12)
EX_DATE = date(2024, 1, 9)
DAYS = [date(2024, 1, d) for d in (2, 3, 4, 5, 8, 9, 10, 11, 12)]
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume\n"
SHARES = tuple(
    Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS") for s in ("AAA", "BBB")
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Graph]:
    """Split-adjusted bars of two shares, curated and scored; an old dividend is known, no split."""
    furnish(tmp_path, [(s.symbol, date(2023, 6, 1), "dividend", 0.1, "test", NOW) for s in SHARES])
    with graph(tmp_path) as made:
        yield made


@pytest.fixture
def untold(tmp_path: Path) -> Iterator[Graph]:
    """The same, of whose splits nobody has told."""
    furnish(tmp_path, [])
    with graph(tmp_path) as made:
        yield made


@pytest.fixture
def traded(tmp_path: Path) -> Iterator[Graph]:
    """The same as they were traded: no split changes a bar."""
    paid = [(s.symbol, date(2023, 6, 1), "dividend", 0.1, "test", NOW) for s in SHARES]
    furnish(tmp_path, paid, "zipline_raw")
    with graph(tmp_path) as made:
        yield made


def furnish(tmp_path: Path, paid: list[tuple[object, ...]], spec: str = "yahoo_csv") -> None:
    for share in SHARES:
        rows = "".join(f"{d},50,51,49,50.{i},50.{i},1000\n" for i, d in enumerate(DAYS))
        (tmp_path / f"{share.symbol}.csv").write_text(HEADER + rows)
    world = World.at(tmp_path, NOW).register(
        *(
            FileVendor(f"of_{s.symbol.lower()}", {"1d": (spec, path)}, (s.symbol,))
            for s in SHARES
            for path in [tmp_path / f"{s.symbol}.csv"]
        ),
        instruments=SHARES,
    )
    for share in SHARES:
        world.load(
            f"of_{share.symbol.lower()}", "1d", share.symbol, FIRST, LAST, exported=NOW.date()
        )
    world.platform.actions.add(
        pl.DataFrame(paid, schema=CORPORATE_ACTIONS.dtypes, orient="row"), now=NOW
    )
    world.curate("1d", ("AAA", "BBB"), FIRST, LAST)
    score_range(world.platform, ["AAA", "BBB"], FIRST, LAST)


def learn(house: Graph, symbol: str, ex_date: date, ratio: float, source: str = "test") -> None:
    row = (symbol, ex_date, "split", ratio, source, NOW)
    frame = pl.DataFrame([row], schema=CORPORATE_ACTIONS.dtypes, orient="row")
    house.platform.actions.add(frame, now=NOW)


def tick(house: Graph, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(
        instance=house.instance,
        cursor=cursor,
        repository_def=house.defs.get_repository_def(),
        resources=house.defs.resources,
    ) as context:
        told = rebuild_after_corporate_actions(context)
    assert isinstance(told, (dg.SensorResult, dg.SkipReason))
    return told


def run(house: Graph, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    """Execute a request as the daemon would launch it."""
    job = house.defs.get_repository_def().get_job("rebuild_curated")
    chosen = job.get_subset(
        asset_selection=set(request.asset_selection or ()),
        asset_check_selection=set(request.asset_check_keys or ()),
    )
    where = {"partition_key": request.partition_key} if request.partition_key else {}
    return chosen.execute_in_process(
        run_config=request.run_config,
        instance=house.instance,
        tags=dict(request.tags),
        raise_on_error=False,
        **where,
    )


def closes(house: Graph, symbol: str) -> list[float]:
    bars = house.platform.store.scan(curated_bars(Timeframe.D1), symbols=[symbol])
    return bars.sort("session")["close"].to_list()


def test_a_late_split_rebuilds_its_symbol_and_sessions_alone(house: Graph) -> None:
    others = closes(house, "BBB")
    before = closes(house, "AAA")
    scores = house.platform.store.scan(SCORES_DATASET, symbols=["AAA"])
    learn(house, "AAA", EX_DATE, 2.0)

    told = tick(house)
    assert isinstance(told, dg.SensorResult)
    (request,) = told.run_requests or ()
    assert request.tags == {
        "dagster/asset_partition_range_start": "2024-01-02",
        "dagster/asset_partition_range_end": "2024-01-08",
        # One that hangs is ended as a scheduled run is.
        "dagster/max_runtime": "21600",
        "dagster/max_retries": "1",
    }
    assert {key.to_user_string() for key in request.asset_selection or ()} == {
        "curated/bars_1d",
        "curated/quarantine",
        "quality/scores",
    }
    assert "curated/bars_1d:staleness" in {
        f"{k.asset_key.to_user_string()}:{k.name}" for k in request.asset_check_keys or ()
    }
    assert all(
        step["config"] == {"symbols": ["AAA"]} for step in request.run_config["ops"].values()
    )
    assert run(house, request).success
    assert closes(house, "AAA") == [
        c * 2 if d < EX_DATE else c for c, d in zip(before, DAYS, strict=True)
    ]
    assert outdated(house.platform, "AAA") == []
    rescored = house.platform.store.scan(SCORES_DATASET, symbols=["AAA"])
    changed = rescored.join(scores, on=["session", "bars_digest"], how="anti")["session"]
    assert changed.to_list() == [d for d in DAYS if d < EX_DATE]
    assert closes(house, "BBB") == others
    assert set(house.states("curated/bars_1d", "staleness").values()) == {"SUCCEEDED"}

    again = tick(house, told.cursor)
    assert isinstance(again, dg.SkipReason)
    repeated = tick(house)
    assert isinstance(repeated, dg.SensorResult)
    assert not repeated.run_requests, "what was rebuilt is outdated no more"


def test_features_of_the_bars_are_made_anew_where_some_are_stored(house: Graph) -> None:
    """Also those of sessions after the bars that changed, whose windows hold them."""
    made = bar_groups(Timeframe.D1)
    make_features(house.platform, made, ["AAA"], FIRST, LAST)
    learn(house, "AAA", EX_DATE, 2.0)
    told = tick(house)
    assert isinstance(told, dg.SensorResult)
    (request,) = told.run_requests or ()
    keys = {key.to_user_string() for key in request.asset_selection or ()}
    assert {"features/price_1d_v1", "features/confluence_v1", "curated/bars_1d"} < keys
    assert "features/macro_context_v1" not in keys
    before = stored_features(house)
    assert run(house, request).success
    after = stored_features(house)
    now = features_now(house.platform, made, ["AAA"], FIRST, LAST)
    for group in made:
        assert_frame_equal(after[group.kind], now[group.kind])
    assert not before[Kind.PRICE].equals(after[Kind.PRICE])


def test_a_split_that_changes_no_bar_makes_the_features_over_it_anew(traded: Graph) -> None:
    """They took it for a crash; those of another share are left alone."""
    made, platform = bar_groups(Timeframe.D1), traded.platform
    make_features(platform, made, ["AAA", "BBB"], FIRST, LAST)
    before = stored_features(traded)
    learn(traded, "AAA", EX_DATE, 2.0)
    assert outdated(platform, "AAA") == []
    told = tick(traded)
    assert isinstance(told, dg.SensorResult)
    (request,) = told.run_requests or ()
    keys = {key.to_user_string() for key in request.asset_selection or ()}
    assert {"features/labels_1d_v1", "features/confluence_v1", "marts/regime_stats"} < keys
    assert not any(key.startswith(("curated/", "quality/")) for key in keys)
    assert run(traded, request).success
    after = stored_features(traded)
    now = features_now(platform, made, ["AAA", "BBB"], FIRST, LAST)
    for group in made:
        assert_frame_equal(after[group.kind], now[group.kind])
    columns = after[Kind.PRICE].columns
    changed = after[Kind.PRICE].join(before[Kind.PRICE], on=columns, how="anti", nulls_equal=True)
    assert {*changed["symbol"]} == {"AAA"}
    repeated = tick(traded)
    assert isinstance(repeated, dg.SensorResult)
    assert not repeated.run_requests


def stored_features(house: Graph) -> dict[Kind, pl.DataFrame]:
    groups = bar_groups(Timeframe.D1)
    return {g.kind: house.platform.store.scan(FEATURES[g.key]) for g in groups}


def test_a_tick_that_breaks_off_asks_for_the_same_runs_again(house: Graph) -> None:
    learn(house, "AAA", EX_DATE, 2.0)
    first, second = tick(house), tick(house)
    assert isinstance(first, dg.SensorResult)
    assert isinstance(second, dg.SensorResult)
    keys = [r.run_key for r in first.run_requests or ()]
    assert keys == [r.run_key for r in second.run_requests or ()]
    assert len(keys) == 1
    # A correction is something new, so that its run has another key.
    learn(house, "AAA", EX_DATE, 3.0)
    third = tick(house, first.cursor)
    assert isinstance(third, dg.SensorResult)
    assert [r.run_key for r in third.run_requests or ()] != keys


def ranged(request: dg.RunRequest) -> tuple[str, str]:
    """First and last session of a ranged run."""
    name = "dagster/asset_partition_range"
    return request.tags[f"{name}_start"], request.tags[f"{name}_end"]


def test_unbroken_ranges_become_one_run_each(house: Graph) -> None:
    # A split and its undoing: only the sessions between them change.
    learn(house, "AAA", date(2024, 1, 4), 2.0)
    learn(house, "AAA", date(2024, 1, 9), 0.5)
    learn(house, "BBB", date(2024, 1, 3), 4.0)
    told = tick(house)
    assert isinstance(told, dg.SensorResult)
    asked = sorted(
        (
            request.run_config["ops"]["curated__bars_1d"]["config"]["symbols"],
            request.partition_key or ranged(request),
        )
        for request in told.run_requests or ()
    )
    assert asked == [
        (["AAA"], ("2024-01-04", "2024-01-08")),
        (["BBB"], "2024-01-02"),
    ]
    for request in told.run_requests or ():
        assert run(house, request).success
    assert outdated(house.platform, "AAA") + outdated(house.platform, "BBB") == []


def test_a_session_that_was_held_back_is_left_alone(house: Graph) -> None:
    platform = house.platform
    day = date(2024, 1, 4)
    platform.store.replace(
        curated_bars(Timeframe.D1),
        platform.store.scan(curated_bars(Timeframe.D1)).clear(),
        sessions=(day, day),
        symbols=["AAA"],
    )
    learn(house, "AAA", EX_DATE, 2.0)
    told = tick(house)
    assert isinstance(told, dg.SensorResult)
    asked = [ranged(request) for request in told.run_requests or ()]
    assert asked == [("2024-01-02", "2024-01-03"), ("2024-01-05", "2024-01-08")]


def test_symbols_that_a_tick_had_no_time_for_wait(
    house: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensors.corporate_actions.SECONDS_PER_TICK", -1.0)
    learn(house, "AAA", EX_DATE, 2.0)
    learn(house, "BBB", EX_DATE, 2.0)
    first = tick(house)
    assert isinstance(first, dg.SensorResult)
    assert len(first.run_requests or ()) == 1
    assert list(json.loads(first.cursor or "")["waiting"]) == ["BBB"]
    second = tick(house, first.cursor)
    assert isinstance(second, dg.SensorResult)
    assert len(second.run_requests or ()) == 1
    assert isinstance(tick(house, second.cursor), dg.SkipReason)


def test_it_runs_from_the_start(house: Graph) -> None:
    sensor = house.defs.get_sensor_def("rebuild_after_corporate_actions")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def answer(house: Graph, symbol: str, begun: datetime) -> None:
    """Journal an answer of a vendor that tells splits, which has none."""
    row = ("yahoo", "1d", symbol, FIRST, "rows", 1, True, "", NOW, "other")
    house.platform.ledger.record(pl.DataFrame([row], schema=LEDGER.dtypes, orient="row"))
    house.platform.journal.add(
        IngestRun(
            fetch_id=f"{symbol} {begun}",
            run_id="",
            vendor="yahoo",
            timeframe=Timeframe.D1,
            symbols=(symbol,),
            sessions=(FIRST, LAST),
            status="ok",
            rows=9,
            new_rows=9,
            rejected_rows=0,
            started_at=begun,
            ended_at=NOW,
        )
    )


def test_an_answer_that_is_journaled_after_a_later_one_is_not_missed(untold: Graph) -> None:
    answer(untold, "BBB", NOW)
    first = tick(untold)
    assert isinstance(first, dg.SensorResult)
    answer(untold, "AAA", NOW - timedelta(hours=1))
    second = tick(untold, first.cursor)
    assert isinstance(second, dg.SensorResult)
    (request,) = second.run_requests or ()
    assert request.run_key is not None
    assert request.run_key.startswith("AAA ")
    # A clock that was ahead once hides nothing either, and an older cursor costs one more look.
    answer(untold, "AAA", NOW + timedelta(days=400))
    third = tick(untold, second.cursor)
    assert isinstance(third, dg.SensorResult)
    old = json.dumps({"version": 2, "seen": 0, "waiting": {}, "asked": NOW.isoformat()})
    again = tick(untold, old)
    assert isinstance(again, dg.SensorResult)
    assert len(again.run_requests or ()) == 2


def test_an_answer_without_a_split_takes_the_flag_off(untold: Graph) -> None:
    def flags(symbol: str) -> list[str]:
        bars = untold.platform.store.scan(curated_bars(Timeframe.D1), symbols=[symbol])
        return bars["flags"].unique().to_list()

    assert flags("AAA") == ["splits_unknown"]
    assert isinstance(tick(untold), dg.SkipReason)
    answer(untold, "AAA", NOW)
    told = tick(untold)
    assert isinstance(told, dg.SensorResult)
    (request,) = told.run_requests or ()
    assert run(untold, request).success
    assert (flags("AAA"), flags("BBB")) == (["deadjusted"], ["splits_unknown"])
    assert isinstance(tick(untold, told.cursor), dg.SkipReason)
