"""Whether the installation is fit for use: every part looked at and judged, fused into one verdict.

Connectivity of every server, migrations, the recent fetches, the newest scores, the read cache and
Kafka, each with its reasons and cures. The same as `emp readiness`.
"""

from collections.abc import Iterable

import dagster as dg

from emp_assets.automation import AFTER_INPUTS
from emp_assets.naming import OWNERS, READINESS_KEY, SCORES_KEY
from market_data.operations.grades import Grade, worst
from market_data.operations.readiness import Readiness, Section
from resources.readiness import ReadinessResource

READY, CACHE, KAFKA = "ready", "cache_health", "kafka_readiness"
CHECKS = {
    READY: "No section of the report fails.",
    CACHE: "The read cache answers often enough and loses nothing for want of room.",
    KAFKA: "Brokers and topics are there, events do not wait, consumers keep up.",
}


@dg.asset(
    key=READINESS_KEY,
    deps=[SCORES_KEY],
    group_name="operations",
    kinds={"markdown"},
    owners=OWNERS,
    automation_condition=AFTER_INPUTS,
    description=__doc__,
    check_specs=[
        dg.AssetCheckSpec(name, asset=READINESS_KEY, description=text)
        for name, text in CHECKS.items()
    ],
)
def readiness(
    context: dg.AssetExecutionContext, readiness_report: ReadinessResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the annotation itself
    """Look at every part and fuse what was found."""
    verdict = readiness_report.verdict(context.instance)
    return dg.MaterializeResult(
        metadata={
            "status": str(verdict.grade),
            "report": dg.MetadataValue.md(verdict.to_markdown()),
            "report_json": dg.MetadataValue.json(verdict.to_json()),
        },
        check_results=list(_results(verdict)),
    )


def _results(verdict: Readiness) -> Iterable[dg.AssetCheckResult]:
    sections = {section.name: section for section in verdict.sections}
    yield _result(READY, list(verdict.sections))
    yield _result(CACHE, [sections["cache"]])
    yield _result(KAFKA, [sections["kafka"]])


def _result(name: str, sections: list[Section]) -> dg.AssetCheckResult:
    reasons = [(section.name, reason) for section in sections for reason in section.reasons]
    grade = worst(reason for _, reason in reasons)
    error = grade is Grade.FAIL
    return dg.AssetCheckResult(
        check_name=name,
        passed=grade is Grade.OK,
        severity=dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{part}: {r.text}" for part, r in reasons) or "nothing found",
        metadata={section.name: _facts(section) for section in sections},
    )


def _facts(section: Section) -> dg.MetadataValue:
    return dg.MetadataValue.json({"status": section.word, **section.facts})
