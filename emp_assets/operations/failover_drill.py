"""A rehearsal of failover: what was fetched last is missed, noted, made again and compared.

It works beside the warehouse, in a scratch folder, and changes nothing of the installation; the
seconds of the recovery are measured. The same as `emp failover drill`.
"""

import dagster as dg

from emp_assets.naming import FAILOVER_DRILL_KEY, OWNERS, SCORES_KEY
from market_data.operations.grades import Grade
from resources.platform import PlatformResource

CHECK = "failover_drill"


@dg.asset(
    key=FAILOVER_DRILL_KEY,
    deps=[SCORES_KEY],
    group_name="operations",
    kinds={"markdown"},
    owners=OWNERS,
    description=__doc__,
    check_specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset=FAILOVER_DRILL_KEY,
            description="Nothing is lost or doubled, and the recovery is fast enough.",
        )
    ],
)
def failover_drill(
    context: dg.AssetExecutionContext, platform: PlatformResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the annotation itself
    """Rehearse, and keep the result among the reports."""
    from adapters.failover_drill import drill

    done = drill(platform.settings(), platform.open())
    platform.operations.open().reports.keep(done.to_keep())
    context.log.info("the recovery took %.2f s", done.recovery_seconds)
    fails = done.grade is Grade.FAIL
    return dg.MaterializeResult(
        metadata={
            "status": str(done.grade),
            "recovery_seconds": done.recovery_seconds,
            "rows": done.rows,
            "report": dg.MetadataValue.md(done.to_markdown()),
            "report_json": dg.MetadataValue.json(done.to_json()),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=CHECK,
                passed=done.grade is Grade.OK,
                severity=dg.AssetCheckSeverity.ERROR if fails else dg.AssetCheckSeverity.WARN,
                description="; ".join(reason.text for reason in done.reasons) or "nothing found",
            )
        ],
    )
