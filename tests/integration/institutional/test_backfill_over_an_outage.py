"""TimescaleDB goes away in the middle of a backfill: that waits, and goes on by itself.

The same is made in an undisturbed installation in bootstrap mode, and both hold the same bars and
scores at the end.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.backend import open_platform
from adapters.modes import decide
from adapters.operations_opening import Operations, open_operations
from adapters.settings import Mode, Settings
from adapters.variables import read
from definitions import build_definitions
from jobs.backfill_job import NAME, backfill_piece_jobs
from jobs.backfill_piece import perform
from market_data.backfill.estimate import Rates
from market_data.backfill.guards import guarded
from market_data.backfill.plans import BackfillPlan, BackfillRequest
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import BackfillState, PieceState
from market_data.datasets import SCORES_DATASET, curated_bars
from market_data.pipeline.backfill import plan_backfill
from market_data.timeframes import Timeframe
from sensors.backfills import backfill_sensor
from services import TimescaleServer
from tests.support.institution import OURS, institution

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SYMBOLS = ("DEMO-ACME", "DEMO-BTC")
ALL = (date(2024, 1, 8), date(2024, 3, 8))
WISH = BackfillRequest("curated/bars_1d", SYMBOLS, *ALL, ("sample_a",), refetch=True)
SENSOR = backfill_sensor(BackfillPolicy(), backfill_piece_jobs(dg.Definitions))


@dataclass
class House:
    """An installation on a server of its own, with the ticks of the driver."""

    settings: Settings
    server: TimescaleServer
    instance: dg.DagsterInstance

    def __post_init__(self) -> None:
        self.definitions = build_definitions(self.settings)

    @property
    def operations(self) -> Operations:
        return open_operations(decide(self.settings).operations_url)

    def tick(self) -> list[dg.RunRequest]:
        resource = (self.definitions.resources or {})["platform"]
        with dg.build_sensor_context(
            instance=self.instance, resources={"platform": resource}
        ) as context:
            found = SENSOR(context)
        return list(found.run_requests or ()) if isinstance(found, dg.SensorResult) else []

    def run(self, request: dg.RunRequest) -> bool:
        return (
            self.definitions.resolve_job_def(NAME)
            .execute_in_process(
                instance=self.instance,
                run_config=request.run_config,
                tags=request.tags,
                raise_on_error=False,
            )
            .success
        )


@pytest.fixture
def house(
    tmp_path: Path, private_timescale: TimescaleServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    with institution(tmp_path / "data") as made, dg.DagsterInstance.ephemeral() as instance:
        ours = {name: value for name, value in made.environment.items() if name.startswith(OURS)}
        ours |= {"TIMESCALEDB_URL": private_timescale.url, "TIMESCALEDB_RETRY_SECONDS": "0.5"}
        ours |= {"KAFKA_INGEST_ENABLE_STREAMING": "false"}
        for name, value in ours.items():
            monkeypatch.setenv(name, value)
        yield House(read(Settings), private_timescale, instance)


def plan_of(settings: Settings) -> BackfillPlan:
    """Two pieces, by month."""
    plan = plan_backfill(open_platform(settings), WISH, BackfillPolicy(), Rates()).plan
    (piece,) = plan.pieces
    cut = date(2024, 1, 31), date(2024, 2, 1)
    return replace(
        plan,
        pieces=(replace(piece, last=cut[0]), replace(piece, number=1, first=cut[1])),
    )


def stored(settings: Settings) -> dict[str, pl.DataFrame]:
    store = open_platform(settings).store
    # How fresh a session was depends on the moment of the run.
    scores = store.scan(SCORES_DATASET, sessions=ALL).drop("freshness_seconds")
    return {"bars": store.scan(curated_bars(Timeframe.D1), sessions=ALL), "scores": scores}


def test_it_waits_for_the_server_and_goes_on_by_itself(house: House, tmp_path: Path) -> None:
    twin = Settings(mode=Mode.BOOTSTRAP, data_dir=tmp_path / "twin")
    for piece in plan_of(twin).pieces:
        done = perform(
            build_definitions(twin),
            house.instance,
            open_platform(twin),
            piece,
            WISH,
            run_id=str(uuid.uuid4()),
            tags={},
        )
        assert done.state is PieceState.SUCCEEDED, done.reason
    expected = stored(twin)
    assert expected["bars"].height > 80

    now = datetime.now(UTC)
    kept = house.operations.backfills
    launch = guarded(plan_of(house.settings), [], BackfillPolicy(), now).plan
    name = kept.add(launch, at=now, author="me")
    (request,) = house.tick()
    # Away before anything of it was kept or made: the snapshot waits, too.
    house.server.stop()
    assert house.run(request)
    record = kept.get(name).pieces[0]
    assert (record.state, record.attempts, record.outcome) == (PieceState.WAITING, 0, {})
    assert [house.tick() for _ in range(3)] == [[], [], []]
    assert kept.get(name).state is BackfillState.WAITING
    house.server.start()
    (request,) = house.tick()
    assert kept.get(name).state is BackfillState.RUNNING
    assert house.run(request)
    assert kept.get(name).pieces[0].state is PieceState.SUCCEEDED
    # Away after the vendor was asked and before the bars were written.
    (request,) = house.tick()
    asked = len(house.operations.journal.runs())
    with pytest.MonkeyPatch.context() as patch:
        curate = "emp_assets.curated.bars.curate_sessions"
        from emp_assets.curated.bars import curate_sessions

        def dies(*given: object, **more: object) -> object:
            house.server.kill()
            return curate_sessions(*given, **more)

        patch.setattr(curate, dies)
        assert house.run(request)
    assert len(house.operations.journal.runs()) > asked
    record = kept.get(name).pieces[1]
    assert (record.state, record.attempts) == (PieceState.WAITING, 0)
    assert house.tick() == []
    house.server.start()
    (request,) = house.tick()
    assert house.run(request)
    assert house.tick() == []
    assert kept.get(name).state is BackfillState.SUCCEEDED
    found = stored(house.settings)
    for dataset, frame in expected.items():
        assert_frame_equal(found[dataset], frame)
