"""Publishes instruments and trading sessions anew when their files change.

The files are config/universe.yaml, config/reference/*.yaml and the registrations beside the data.
A change is taken up once it has stood still for a tick, so that a file is not read while it is
written. What it means is in the tick: instruments that are new or say something else, sessions
that moved, stored sessions that are out of date by it. The run that follows lists them in the
metadata of reference/trading_sessions and the gaps in that of reference/instruments; it makes
nothing anew by itself. A file that is wrong makes the tick fail with its message, and what was
published stays.

Assets are made from vendors and timeframes when the code location loads: a new vendor or timeframe
shows after a reload. A run keeps the files as it has read them at its start.
"""

import json
from dataclasses import asdict, dataclass, fields

import dagster as dg

from adapters.automation import load_automation
from adapters.configuration import load_universe
from adapters.reference_files import configuration_paths, digest
from emp_assets.naming import INSTRUMENTS_KEY, SESSIONS_KEY
from emp_assets.reference.published import published
from jobs.automation.limits import run_limits
from market_data.calendars import check_calendars
from market_data.pipeline.reference_impact import reference_impact
from resources.platform import PlatformResource
from sensors.cursors import remembered

EVERY_SECONDS = 30


@dataclass(frozen=True)
class Seen:
    """What the sensor remembers from tick to tick.

    Attributes:
        published: digest of the files that the last run was asked for.
        waiting: digest that differs from it, seen by the last tick.
        number: of the run; the same files again, after others, are a run of their own.
    """

    published: str = ""
    waiting: str = ""
    number: int = 0


@dg.sensor(
    name="reference_files",
    target=dg.AssetSelection.assets(INSTRUMENTS_KEY, SESSIONS_KEY),
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=__doc__,
)
def reference_files(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult:
    """Ask for a run where the files have changed and stand still."""
    seen = _remembered(context.cursor)
    found = digest(configuration_paths(platform.settings()))
    if found == seen.published:
        return _wait(Seen(found, "", seen.number), "nothing changed")
    if found != seen.waiting:
        return _wait(Seen(seen.published, found, seen.number), "changed; waiting for one more tick")
    told = _told(platform)
    if digest(configuration_paths(platform.settings())) != found:
        return _wait(Seen(seen.published, "", seen.number), "changing; waiting")
    for line in told:
        context.log.warning(line)
    after = Seen(found, "", seen.number + 1)
    # Dagster keeps the cursor after it has launched the run: a tick that is repeated names the
    # same run.
    request = dg.RunRequest(
        run_key=f"{after.number}-{found}",
        tags={
            "emp/reference_files": found,
            **run_limits(load_automation(platform.settings()), again=1),
        },
    )
    return dg.SensorResult(run_requests=[request], cursor=json.dumps(asdict(after)))


def _remembered(cursor: str | None) -> Seen:
    """What the last tick saw. The cursors of version 1 have no version.

    Raises:
        ValueError: a newer program has written the cursor.
    """
    kept = remembered(cursor, 1)
    return Seen(**{one.name: kept[one.name] for one in fields(Seen) if one.name in kept})


def _wait(seen: Seen, reason: str) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=reason, cursor=json.dumps(asdict(seen)))


def _told(platform: PlatformResource) -> list[str]:
    """What the files change, in sentences.

    Raises:
        ConfigurationError: a file is wrong.
    """
    universe = load_universe(platform.settings(), refresh=True)
    check_calendars(universe.calendars)
    opened = platform.open()
    store = platform.reference()
    impact = reference_impact(
        opened, published(store, INSTRUMENTS_KEY), published(store, SESSIONS_KEY), with_gaps=False
    )
    return impact.sentences() or ["no instrument and no session differs"]
