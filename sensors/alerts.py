"""The three sensors of alerts: what runs say, how the platform fares, and the way out.

What belongs here: their definitions. What does not: what a tick does (alert_ticks.py).
"""

import dagster as dg

from market_data.automation.policy import DailyRules
from resources.platform import PlatformResource
from resources.readiness import ReadinessResource

RUNS_EVERY_SECONDS = 30
PLATFORM_EVERY_SECONDS = 60
DELIVERY_EVERY_SECONDS = 30


@dg.sensor(
    name="alerts_of_runs",
    minimum_interval_seconds=RUNS_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes alerts of runs that ended, whether they failed or not: a check that does "
    "not block leaves its run green. Runs that ended before the first tick are left out.",
)
def alerts_of_runs(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult:
    """Look at the runs that ended since the last tick."""
    from sensors.alert_ticks import look_at_runs

    return look_at_runs(context, platform)


def platform_alerts(daily: DailyRules) -> dg.SensorDefinition:
    """The look at what no run tells.

    Args:
        daily: what the daily schedule of these definitions promises.
    """

    @dg.sensor(
        name="alerts_of_the_platform",
        minimum_interval_seconds=PLATFORM_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Makes alerts of what no run tells: bars that end too early, sensors and "
        "schedules whose ticks fail, backfills that are stuck, daemons without a heartbeat, "
        "vendors that are left alone, the read cache, Kafka, latencies. What was before the first "
        "tick is left out.",
    )
    def alerts_of_the_platform(
        context: dg.SensorEvaluationContext,
        platform: PlatformResource,
        readiness_report: ReadinessResource,
    ) -> dg.SensorResult:
        """Look at the platform."""
        from sensors.alert_ticks import look_at_the_platform

        return look_at_the_platform(context, platform, readiness_report, daily)

    return alerts_of_the_platform


@dg.sensor(
    name="alert_delivery",
    minimum_interval_seconds=DELIVERY_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells what is due, sends what waits in the outbox to the routes of "
    "config/alerts.yaml, and tells the other routes of one that takes nothing.",
)
def alert_delivery(platform: PlatformResource) -> dg.SkipReason:
    """Send what waits."""
    from sensors.alert_ticks import deliver

    return deliver(platform)
