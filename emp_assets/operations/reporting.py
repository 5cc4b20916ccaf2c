"""Assets that are reports on operations: Markdown and JSON, and the check of each verdict.

What belongs here: the form that the reports share, and the step that makes them. What does not: the
reports; each has a file beside this one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from emp_assets.automation import AFTER_INPUTS
from emp_assets.metadata import runbook, runbooks_of
from emp_assets.naming import OWNERS, op_name
from market_data.operations.grades import Grade
from market_data.operations.pages import page_of_all
from resources.operations_reports import OperationsReportsResource

if TYPE_CHECKING:
    from market_data.operations.account import Account


@dataclass(frozen=True)
class ReportAsset:
    """An asset without sessions that is a report.

    Attributes:
        key: operations/<name of the report>.
        description: what the UI says of it.
        deps: what it speaks of.
        check: what its check holds; empty for a report that judges nothing. The check has the
            report's name, by which alerts find its page.
    """

    key: dg.AssetKey
    description: str | None
    deps: Sequence[dg.AssetKey]
    check: str = ""

    @property
    def name(self) -> str:
        """Of the report."""
        return self.key.path[-1]

    def spec(self) -> dg.AssetSpec:
        """What the graph knows of it."""
        return dg.AssetSpec(
            self.key,
            deps=list(self.deps),
            description=self.description,
            group_name="operations",
            kinds={"markdown"},
            owners=OWNERS,
            automation_condition=AFTER_INPUTS,
        )

    def checks(self) -> list[dg.AssetCheckSpec]:
        """The check of its verdict, if it has one."""
        if not self.check:
            return []
        return [dg.AssetCheckSpec(self.name, asset=self.key, description=self.check)]


def report_assets(*reports: ReportAsset) -> dg.AssetsDefinition:
    """Reports that are made anew with every run, all of one look at the installation.

    Args:
        reports: each may be made alone. Their step has the name of the first, by which alerts about
            a failed step find owners.
    """

    @dg.multi_asset(
        name=op_name(reports[0].key),
        specs=[report.spec() for report in reports],
        check_specs=[check for report in reports for check in report.checks()],
        can_subset=True,
    )
    def make(
        context: dg.AssetExecutionContext, operations_reports: OperationsReportsResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        shown, checked = context.selected_asset_keys, context.selected_asset_check_keys
        wanted = shown | {key.asset_key for key in checked}
        chosen = [report for report in reports if report.key in wanted]
        made = operations_reports.make([report.name for report in chosen])
        folder = runbooks_of(operations_reports.platform)
        for report, account in zip(chosen, made, strict=True):
            if report.key in shown:
                yield dg.MaterializeResult(asset_key=report.key, metadata=_shown(account))
            if dg.AssetCheckKey(report.key, report.name) in checked:
                yield _judged(report, account, folder)

    return make


def _shown(account: "Account") -> dict[str, Any]:
    return {
        "status": str(account.grade),
        "report": dg.MetadataValue.md(account.to_markdown()),
        "report_json": dg.MetadataValue.json(account.to_json()),
    }


def _judged(report: ReportAsset, account: "Account", folder: str) -> dg.AssetCheckResult:
    found = "; ".join(f"{r.subject or report.name}: {r.text}" for r in account.reasons)
    page = page_of_all(r.code for r in account.reasons)
    failing = account.grade is Grade.FAIL
    return dg.AssetCheckResult(
        asset_key=report.key,
        check_name=report.name,
        passed=account.grade is Grade.OK,
        severity=dg.AssetCheckSeverity.ERROR if failing else dg.AssetCheckSeverity.WARN,
        description=found or "nothing found",
        metadata={
            "findings": dg.MetadataValue.json(account.to_json()["findings"]),
            **({"runbook": runbook(folder, page)} if page else {}),
        },
    )
