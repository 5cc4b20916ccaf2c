"""An asset that is a report on operations: its Markdown and JSON, and the check of its verdict.

What belongs here: the form that the reports share. What does not: the reports; each has a file
beside this one.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from emp_assets.naming import OWNERS
from market_data.operations.grades import Grade
from market_data.operations.pages import page_of_all
from resources.operations_reports import OperationsReportsResource


def report_asset(
    key: dg.AssetKey, description: str | None, *, deps: Sequence[dg.AssetKey], check: str = ""
) -> dg.AssetsDefinition:
    """An asset without sessions that makes a report anew with every run.

    Args:
        key: operations/<name of the report>.
        description: what the UI says of it.
        deps: what it speaks of.
        check: what its check holds; empty for a report that judges nothing. The check has the
            report's name, by which alerts find its page.
    """
    name = key.path[-1]
    specs = [dg.AssetCheckSpec(name, asset=key, description=check)] if check else []

    @dg.asset(
        key=key,
        deps=list(deps),
        group_name="operations",
        kinds={"markdown"},
        owners=OWNERS,
        description=description,
        check_specs=specs,
    )
    def report(
        operations_reports: OperationsReportsResource,
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the annotation itself
        made = operations_reports.make(name)
        told = made.to_json()
        metadata: dict[str, Any] = {
            "status": str(made.grade),
            "report": dg.MetadataValue.md(made.to_markdown()),
            "report_json": dg.MetadataValue.json(told),
        }
        found = "; ".join(f"{r.subject or name}: {r.text}" for r in made.reasons)
        page = page_of_all(r.code for r in made.reasons)
        result = dg.AssetCheckResult(
            check_name=name,
            passed=made.grade is Grade.OK,
            severity=dg.AssetCheckSeverity.ERROR
            if made.grade is Grade.FAIL
            else dg.AssetCheckSeverity.WARN,
            description=found or "nothing found",
            metadata={
                "findings": dg.MetadataValue.json(told["findings"]),
                **({"runbook": f"docs/runbooks/{page}"} if page else {}),
            },
        )
        return dg.MaterializeResult(metadata=metadata, check_results=[result] if check else [])

    return report
