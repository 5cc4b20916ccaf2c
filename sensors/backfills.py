"""Drives backfills that were launched: asks for the run of the next piece, one after another.

A backfill that a command drives is left to it; one whose command died is driven on from here. What
is done, and what comes next, lies in the operations database, so that a daemon that is killed, or a
second one, loses and doubles nothing: a piece is claimed before its run is asked for, and a run
whose claim was given to another does nothing.
"""

from collections.abc import Sequence
from contextlib import ExitStack

import dagster as dg

from adapters.backfill_turns import open_turns
from jobs.backfill_coming import is_coming
from jobs.backfill_job import piece_request
from market_data.backfill.driving import Rounds
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import PieceRecord
from market_data.errors import StoreConflictError
from resources.platform import PlatformResource

EVERY_SECONDS = 15


def backfill_sensor(
    policy: BackfillPolicy, jobs: Sequence[dg.JobDefinition]
) -> dg.SensorDefinition:
    """The sensor.

    Args:
        policy: how often a piece is tried, how long it may take.
        jobs: that run pieces, see `jobs.backfill_job`.
    """

    @dg.sensor(
        name="drive_backfills",
        jobs=list(jobs),
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=__doc__,
    )
    def drive_backfills(
        context: dg.SensorEvaluationContext, platform: PlatformResource
    ) -> dg.SensorResult | dg.SkipReason:
        operations = platform.operations.open()
        kept = operations.backfills
        live = kept.live()
        if not live:
            return dg.SkipReason("no backfill is under way")
        clock = platform.open().clock
        turns = open_turns(platform.settings(), operations.turn_locks)

        def coming(piece: PieceRecord) -> bool:
            return is_coming(context.instance, piece, clock.now())

        away = platform.warehouse.why_away
        rounds = Rounds(kept, turns, clock, policy, context.log.info, coming, away)
        requests: list[dg.RunRequest] = []
        for backfill in live:
            with ExitStack() as held:
                try:
                    held.enter_context(turns.take(backfill.id))
                except StoreConflictError:
                    continue
                _, launch = rounds.play(backfill.id)
                if launch is not None:
                    requests.append(piece_request(launch, policy.max_runtime.total_seconds()))
        if not requests:
            return dg.SkipReason(f"{len(live)} under way, whose pieces are at work or wait")
        return dg.SensorResult(run_requests=requests)

    return drive_backfills
