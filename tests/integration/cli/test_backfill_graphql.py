"""A webserver that cannot begin a backfill loses nothing: the sensor begins it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from adapters.modes import decide
from adapters.settings import Settings
from emp.backfill_graphql import begun
from emp.backfill_launch import driver_of
from emp.instance import open_instance
from emp.reporting import operations_of
from jobs.backfill_piece import TAG_TOKEN
from market_data.backfill.records import BackfillState, PieceState
from market_data.errors import ConfigurationError
from tests.support.backfill_plans import plan_of
from tests.support.dagster_server import free_port
from tests.support.replay_server import Asked, ReplayServer, Reply, failing, html_page, json_body

NOBODYS = "00000000-0000-4000-8000-000000000000"


def another_installation(asked: Asked) -> Reply:
    """It has the job, and queues the run among its own."""
    if "launchPipelineExecution" in asked.json["query"]:
        run = {"__typename": "LaunchRunSuccess", "run": {"runId": NOBODYS}}
        return json_body({"data": {"launchPipelineExecution": run}})
    jobs = [{"name": "run_backfill_piece"}]
    nodes = [
        {"name": "__repository__", "location": {"name": "theirs"}, "pipelines": jobs, "jobs": jobs}
    ]
    found = {"__typename": "RepositoryConnection", "nodes": nodes}
    return json_body({"data": {"repositoriesOrError": found}})


@pytest.mark.parametrize("age", [timedelta(seconds=5), timedelta(hours=1)])
def test_a_piece_whose_run_is_in_the_queue_is_left_to_it(tmp_path: Path, age: timedelta) -> None:
    """Launched twice, or claimed by the daemon first: no attempt is lost."""
    settings = Settings(data_dir=tmp_path)
    operations = operations_of(decide(settings))
    kept, now = operations.backfills, datetime.now(UTC)
    name = kept.add(plan_of(2), at=now, author="me")
    kept.claim(name, 0, "daemons", now - age)
    if age > timedelta(minutes=2):
        with open_instance(settings) as instance:
            waits = dg.DagsterRunStatus.NOT_STARTED
            run = create_run_for_test(instance, tags={TAG_TOKEN: "daemons"}, status=waits)
    with ReplayServer() as server:
        server.reply("/graphql", failing(500))
        for _ in range(3):
            assert "its first piece begins once it may" in begun(
                settings, operations, name, server.url
            )
        assert not server.asked
        first, second = kept.get(name).pieces
        assert (first.state, first.token, first.attempts) == (PieceState.CLAIMED, "daemons", 1)
        assert second.state is PieceState.WAITING
        if age > timedelta(minutes=2):
            with open_instance(settings) as instance:
                instance.report_run_canceled(run)
            begun(settings, operations, name, server.url)
            assert kept.get(name).pieces[0].state is PieceState.WAITING
    kept.move(name, (BackfillState.RUNNING,), BackfillState.CANCELLING, now)
    driver_of(settings, operations, lambda _: None).rounds.play(name)
    assert kept.get(name).state is BackfillState.CANCELLED


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (failing(500), "has not queued it"),
        (html_page(), "has not queued it"),
        (json_body({"errors": [{"message": "no such field"}]}), "has not queued it"),
        (another_installation, "belongs to another installation"),
    ],
)
def test_a_claim_is_given_back(
    tmp_path: Path, reply: Reply | Callable[[Asked], Reply], words: str
) -> None:
    settings = Settings(data_dir=tmp_path)
    operations = operations_of(decide(settings))
    kept = operations.backfills
    name = kept.add(plan_of(1), at=datetime.now(UTC), author="me")
    with ReplayServer() as server:
        server.reply("/graphql", reply)
        told = begun(settings, operations, name, server.url)
        assert server.asked
    assert words in told
    assert told.endswith("takes it within 15 seconds")
    (piece,) = kept.get(name).pieces
    assert (piece.state, piece.attempts) == (PieceState.WAITING, 0)
    assert kept.get(name).state is BackfillState.RUNNING
    nobody = f"http://127.0.0.1:{free_port()}"
    assert begun(settings, operations, name, nobody).startswith("no webserver answers at http://")
    with pytest.raises(ConfigurationError, match="--ui 'localhost' is no address"):
        begun(settings, operations, name, "localhost")
