"""The jobs `run_backfill_piece`: one piece of a backfill, run where Dagster runs its jobs.

What belongs here: its configuration, the request of such a run, the step that works on the piece.
What does not: which piece is next (sensors/backfills.py), what is done for it (backfill_piece.py).

The step makes the ranged run of the piece in its own process, settles the piece, and ends as it
did. A run whose claim was given to another attempt meanwhile does nothing.

Pieces that Spark works on have a job of their own, `run_backfill_piece_on_spark`, which waits in
the pool of exports: a machine has the memory for one Spark session.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import dagster as dg

from adapters.backfill_turns import open_turns
from adapters.clock import process_began
from emp_assets.naming import EXPORTS_POOL
from jobs.backfill_piece import TAG_TOKEN, end_lost_runs, perform, tags_of
from market_data.backfill.driving import Launch, Performed, attempt
from market_data.backfill.plans import LOCAL, SPARK, Piece
from market_data.backfill.records import Backfill, PieceState
from market_data.pipeline.platform import Progress
from resources.platform import PlatformResource

NAME = "run_backfill_piece"
STEP = "backfill_piece"
"""A job and its step must not share a name."""
JOBS = {LOCAL: NAME, SPARK: f"{NAME}_on_spark"}
"""By engine: the job of its pieces."""
STEPS = {LOCAL: STEP, SPARK: f"{STEP}_on_spark"}
"""By engine: the step of that job."""
PARENT_TAG = "emp/backfill_piece_run"
"""Names, of the run that the step makes, that of the step: with it that one is over."""
ENDED = "its run was ended from outside: cancelled, or longer than max_runtime"

Graph = Callable[[], dg.Definitions]
"""The definitions that the job belongs to; known once they are made."""


class PieceConfig(dg.Config):
    """Which claim is worked on."""

    backfill: str
    number: int
    token: str


def backfill_piece_jobs(graph: Graph) -> list[dg.JobDefinition]:
    """The jobs over a graph, one per engine.

    Args:
        graph: gives the definitions whose assets the jobs make.
    """
    return [_piece_job(graph, engine) for engine in JOBS]


def _piece_job(graph: Graph, engine: str) -> dg.JobDefinition:
    @dg.op(
        name=STEPS[engine],
        out=dg.Out(dg.Nothing),
        pool=EXPORTS_POOL if engine == SPARK else None,
        description=__doc__,
    )
    def backfill_piece(
        context: dg.OpExecutionContext, config: PieceConfig, platform: PlatformResource
    ) -> Iterator[dg.Output[None]]:
        from adapters.automation import load_automation

        opened, operations = platform.open(), platform.operations.open()
        settings = platform.settings()
        turns = open_turns(settings, operations.turn_locks)

        def run(backfill: Backfill, piece: Piece, run_id: str) -> Performed:
            _keep_first(platform, backfill, context.log.info)
            tags = tags_of(backfill, piece)
            end_lost_runs(context.instance, tags, but=context.run_id)
            context.log.info("run %s makes piece %d of %s", run_id, piece.number, backfill.id)
            done = perform(
                graph(),
                context.instance,
                opened,
                piece,
                backfill.plan.request,
                run_id=run_id,
                tags={**tags, PARENT_TAG: context.run_id},
            )
            # Begun again without being counted, a run that is ended each time would go on for ever.
            return replace(done, interrupted=False, reason=ENDED) if done.interrupted else done

        claimed = (config.backfill, config.number, config.token)
        done = attempt(
            operations.backfills,
            turns,
            opened.clock,
            claimed,
            run,
            process_began=process_began(),
            why_away=platform.warehouse.why_away,
            off_peak=load_automation(settings).backfill.off_peak,
        )
        if done is None:
            context.log.info("another attempt has the piece; nothing was done")
            yield dg.Output(None)
            return
        if done.waits:
            context.log.warning("it is begun again later: %s", done.waits)
            yield dg.Output(None, metadata={"state": "waiting", "reason": done.reason})
            return
        shown: dict[str, Any] = {
            "state": str(done.state),
            "outcome": dg.MetadataValue.json(dict(done.outcome)),
        }
        if done.state is PieceState.FAILED:
            raise dg.Failure(done.reason, metadata=shown, allow_retries=False)
        yield dg.Output(None, metadata=shown)

    @dg.job(name=JOBS[engine], description=__doc__)
    def job() -> None:
        backfill_piece()

    return job


def _keep_first(platform: PlatformResource, backfill: Backfill, tell: Progress) -> None:
    """Take the snapshot of a backfill that a sensor launched, before anything of it is done."""
    from adapters.automation import load_automation
    from adapters.operations.database import kept_database
    from adapters.operations.scope_state import SqlScopeStates
    from adapters.snapshots import ensure

    settings = platform.settings()
    states = SqlScopeStates(kept_database(platform.operations.url))
    keep = load_automation(settings).backfill.snapshots_keep
    ensure(settings, platform.open(), states, backfill, keep, tell)


def piece_request(launch: Launch, seconds: float) -> dg.RunRequest:
    """The run of a claimed piece.

    Args:
        launch: the claim.
        seconds: how long it may take.
    """
    name, number = launch.backfill.id, launch.piece.number
    engine = launch.backfill.plan.request.engine
    config = {"backfill": name, "number": number, "token": launch.token}
    return dg.RunRequest(
        run_key=launch.token,
        job_name=JOBS[engine],
        run_config={"ops": {STEPS[engine]: {"config": config}}},
        tags={
            **tags_of(launch.backfill, launch.piece),
            TAG_TOKEN: launch.token,
            "dagster/max_runtime": str(int(seconds)),
            # A piece whose process dies is begun again by the sensor, which knows what was done.
            "dagster/max_retries": "0",
        },
    )
