"""The checks of every bar dataset and of the scores, as Dagster asset checks.

What belongs here: turning the findings of market_data/quality into per-session check results, and
the summary of a run, which alone can stop what is downstream.
What does not: rules and limits (market_data/quality, config/quality.yaml), the way around Dagster
(emp_assets/check_states.py).

A session's result covers every symbol that the store should hold, whatever the run asked for. A
run fails only on its own symbols: through the blocking check `run_summary`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from emp_assets.check_states import SessionResult, log_session_results
from emp_assets.evidence import (
    ALL_SESSIONS,
    ONE_RESULT,
    PAGES,
    SUMMARY_LINES,
    Evidence,
)
from emp_assets.metadata import RUNBOOKS, markdown_table, runbooks_of, table
from emp_assets.naming import op_name
from emp_assets.neighbours import (
    Changed,
    InspectBeside,
    record_neighbours,
    while_at_rest,
)
from emp_assets.noting import noted_checks
from emp_assets.partitions import session_range
from emp_assets.recording import chosen, untold_sessions
from emp_assets.run_config import SymbolsConfig
from emp_assets.verdicts import failure, sentence, severity, shown, well
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.quality.runbooks import page_of_check
from resources.platform import PlatformResource

CHECKS = {
    "schema": "Columns and types are those that the dataset promises.",
    "coverage": "Every bar that the calendar expects between listing and delisting is there.",
    "staleness": "The newest bar reaches the end of the session, or now while it runs.",
    "drift": "Vendors that speak of the same bar on the same basis agree.",
    "duplicates": "No bar is given twice, and no vendor contradicts itself.",
    "ohlc": "Low and high enclose open and close; prices are finite, positive and in range.",
    "price_sanity": "No price stands still or steps further than its class does; none steps as "
    "after a split that nobody told of.",
    "false_ticks": "No price jumps away and comes back as if nothing had been traded between; no "
    "open, high or low lies far outside of the prices around it.",
    "volume": "Every session has volume, and one near that of the sessions before.",
    "consistency": "Days agree with the bars within them, adjusted closes with the actions that "
    "make them, dividends with each other.",
}
RUN_SUMMARY = "run_summary"

Inspect = Callable[[Platform, date, date], Inspection]
"""Looks at the stored sessions of a range: platform, first session, last session."""


def session_checks(
    asset: dg.AssetKey,
    partitions: dg.DailyPartitionsDefinition,
    inspect: Inspect,
    descriptions: Mapping[str, str] = CHECKS,
    page: str = "",
    beside: InspectBeside | None = None,
) -> dg.AssetChecksDefinition:
    """All checks of one asset, in one step that reads the stored sessions once.

    Args:
        asset: that is checked.
        partitions: its sessions.
        inspect: judges the sessions of a run.
        descriptions: of the checks, by name.
        page: of the runbooks, of all checks; empty: each has its own.
        beside: looks at the sessions next to a run, whose verdicts may change with it; None where
            a session is judged by itself.
    """
    specs = [
        dg.AssetCheckSpec(
            name,
            asset=asset,
            description=f"{text} What to do: {RUNBOOKS}/{page_of_check(page or name)}",
            partitions_def=partitions,
        )
        for name, text in descriptions.items()
    ]
    summary = dg.AssetCheckSpec(
        RUN_SUMMARY,
        asset=asset,
        description="The newest run as a whole, session by session. It blocks what is downstream "
        "when too many of the run's own symbol-sessions are in error (config/quality.yaml).",
        blocking=True,
    )

    @dg.multi_asset_check(
        name=f"{op_name(asset)}__checks", specs=[*specs, summary], can_subset=True
    )
    def checks(
        context: dg.AssetCheckExecutionContext, config: SymbolsConfig, platform: PlatformResource
    ) -> Iterator[dg.AssetCheckResult]:
        keys = list(context.op_execution_context.partition_keys)
        first, last = session_range(keys)
        with noted_checks(context, platform, asset, config.symbols, (first, last)):
            opened, runbooks = platform.open(), runbooks_of(platform)
            if beside is None:
                changed, inspection = Changed(), inspect(opened, first, last)
            else:
                # Before the sessions of the run: the UI shows the last record of all.
                others = beside(opened, first, last)
                changed = record_neighbours(context, asset, others, runbooks)
                inspection = while_at_rest(
                    context.instance, asset, others, lambda: inspect(opened, first, last)
                )
            selected = {key.name for key in context.selected_asset_check_keys}
            report = _Report(asset, inspection, keys, runbooks)
            failed: list[SessionResult] = []
            recorded: set[tuple[str, str]] = set()
            if len(keys) > 1:
                results = {
                    check: list(report.results(check, only_failed=check not in selected))
                    for check in descriptions
                }
                failed = [r for each in results.values() for r in each if not r.passed]
                to_record = chosen(context.instance, asset, results, selected)
                recorded = log_session_results(context, asset, to_record)
            for check in descriptions:
                if check in selected:
                    yield report.overall(check)
            if RUN_SUMMARY in selected:
                untold = [r for r in failed if (r.check, r.session) not in recorded]
                yield report.summary(config.symbols, failed, untold, changed)

    return checks


@dataclass(frozen=True)
class _Report:
    """Findings of one inspection, told per session, per check and per run."""

    asset: dg.AssetKey
    inspection: Inspection
    keys: list[str]
    runbooks: str

    def share(self, of_run: int) -> int:
        """What one failing check may take of something that a run has for all."""
        return of_run // max(self.inspection.findings["check"].n_unique(), 1)

    def results(self, check: str, *, only_failed: bool) -> Iterator[SessionResult]:
        """One result per session of the run, or those of its newest and of failing sessions."""
        found = self.inspection.findings.filter(pl.col("check") == check)
        by_session = {str(k[0]): f for k, f in found.group_by("session")}
        evidence = Evidence(self.share(ALL_SESSIONS), pages=self.share(PAGES))
        failed: dict[str, SessionResult] = {}
        severities = {key: severity(findings) for key, findings in by_session.items()}
        # Errors, and the newest sessions, are what somebody looks at.
        newest = [key for key in reversed(self.keys) if key in by_session]
        for key in sorted(newest, key=lambda k: severities[k] is not dg.AssetCheckSeverity.ERROR):
            findings = by_session[key]
            rows = self.inspection.rows.get(check)
            failed[key] = failure(check, key, findings, evidence, self.runbooks, rows)
        for key in reversed(self.keys):
            if key in failed:
                yield failed[key]
            elif not only_failed or key == self.keys[-1]:
                yield well(check, key)

    def overall(self, check: str) -> dg.AssetCheckResult:
        """The check over all sessions of the run; of a single session, its result."""
        found = self.inspection.findings.filter(pl.col("check") == check)
        if found.is_empty():
            return dg.AssetCheckResult(
                asset_key=self.asset,
                check_name=check,
                passed=True,
                severity=dg.AssetCheckSeverity.WARN,
                metadata=self._range(),
            )
        return dg.AssetCheckResult(
            asset_key=self.asset,
            check_name=check,
            passed=False,
            severity=severity(found),
            description=sentence(found),
            metadata={
                **self._range(),
                **shown(
                    check,
                    found,
                    self._of_range(),
                    self.runbooks,
                    self.inspection.rows.get(check),
                ),
                **self._rest(),
            },
        )

    def summary(
        self,
        symbols: list[str],
        failed: Sequence[SessionResult] = (),
        untold: Sequence[SessionResult] = (),
        changed: Changed | None = None,
    ) -> dg.AssetCheckResult:
        """The run as a whole; it fails with an error only when the run's own symbols block.

        Args:
            symbols: that the run was asked for; none: all.
            failed: results of single sessions that failed.
            untold: those of them that are not recorded.
            changed: verdicts of other sessions that are others since; what has no room among the
                records is told like the run's own.
        """
        changed = changed or Changed()
        others = [r for r in changed.recorded if not r.passed]
        reasons = self.inspection.block_reasons(symbols or None)
        found = self.inspection.findings
        per_session = (
            found.group_by("session", "check", "severity")
            .agg(pl.col("symbol").n_unique().alias("symbols"), pl.col("rows").sum())
            .sort("session", "check", "severity")
        )
        return dg.AssetCheckResult(
            asset_key=self.asset,
            check_name=RUN_SUMMARY,
            passed=found.is_empty(),
            severity=dg.AssetCheckSeverity.ERROR if reasons else dg.AssetCheckSeverity.WARN,
            description="; ".join(reasons)
            or (sentence(found) if found.height else "nothing found"),
            metadata={
                **self._range(),
                "symbol_sessions": self.inspection.symbol_sessions,
                "findings": found.height,
                **self._accepted(),
                **untold_sessions(
                    [*failed, *others, *changed.untold],
                    [*untold, *changed.untold],
                    self.keys,
                    pl.concat([found, changed.findings]),
                ),
                **changed.metadata(),
                "sessions_with_findings": markdown_table(per_session, rows=SUMMARY_LINES),
                "worst": table(found.sort("severity", "session").head(50), rows=50),
            },
        )

    def _accepted(self) -> dict[str, Any]:
        """Findings that people accepted: no check counts them, and they are listed."""
        accepted = self.inspection.accepted
        if accepted.is_empty():
            return {}
        return {"accepted_findings": accepted.height, "accepted": table(accepted, rows=50)}

    def _range(self) -> dict[str, Any]:
        return {
            "sessions": f"{min(self.keys)} to {max(self.keys)}"
            if len(self.keys) > 1
            else self.keys[0]
        }

    def _of_range(self) -> Evidence:
        """Half the rows for a result over many sessions, which have some of their own."""
        each = ONE_RESULT if len(self.keys) == 1 else ONE_RESULT // 2
        return Evidence(2 * each, each)

    def _rest(self) -> dict[str, str]:
        """The command that shows what a result has no room for."""
        first, last = min(self.keys), max(self.keys)
        asset = self.asset.to_user_string()
        return {"all": f"emp quality summary {asset} --start {first} --end {last}"}
