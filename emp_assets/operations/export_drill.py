"""A drill of exports: the daily bars exported and read back again and again, beside the exports.

What it measures: how long a cycle takes, whether the same rows tell the same digest, whether what
was replaced goes when its time is up. It changes nothing of the installation. The same as
`emp export drill`.
"""

import dagster as dg
from pydantic import Field

from emp_assets.naming import EXPORT_DRILL_KEY, EXPORTS_POOL, OWNERS, curated_key
from market_data.operations.grades import Grade
from market_data.timeframes import Timeframe
from resources.exports import ExportsResource

CHECK = "export_drill"


class ExportDrillConfig(dg.Config):
    """What is drilled."""

    exports: list[str] = Field(default=["bars_1d"], description="Names of exports.")
    cycles: int = Field(default=3, ge=1, le=1000, description="How often each is exported.")
    warn_seconds: float = Field(default=60.0, gt=0, description="A cycle that takes longer warns.")
    fail_seconds: float = Field(default=300.0, gt=0, description="One that takes longer fails.")


@dg.asset(
    key=EXPORT_DRILL_KEY,
    deps=[curated_key(Timeframe.D1)],
    group_name="operations",
    pool=EXPORTS_POOL,
    kinds={"spark", "markdown"},
    owners=OWNERS,
    description=__doc__,
    check_specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset=EXPORT_DRILL_KEY,
            description="Cycles are fast enough, agree, and leave nothing behind.",
        )
    ],
)
def export_drill(
    context: dg.AssetExecutionContext, config: ExportDrillConfig, exports: ExportsResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the annotation itself
    """Drill, and keep the result among the reports."""
    from adapters.exports.drilling import drill
    from market_data.exports.drill import Limits
    from market_data.exports.jobs import jobs_of

    limits = Limits(config.warn_seconds, config.fail_seconds)
    jobs = [job for name in config.exports for job in jobs_of(name)]
    done = drill(exports.exporter(), jobs, context.log.info, cycles=config.cycles, limits=limits)
    exports.platform.operations.open().reports.keep(done.to_keep())
    fails = done.grade is Grade.FAIL
    return dg.MaterializeResult(
        metadata={
            "status": str(done.grade),
            "report": dg.MetadataValue.md(done.to_markdown()),
            "report_json": dg.MetadataValue.json(done.to_json()),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=CHECK,
                passed=done.grade is Grade.OK,
                severity=dg.AssetCheckSeverity.ERROR if fails else dg.AssetCheckSeverity.WARN,
                description="; ".join(r.text for r in done.reasons) or "nothing found",
            )
        ],
    )
