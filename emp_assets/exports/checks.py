"""The checks of every export: its files against the manifest, its rows against their source.

What belongs here: findings as results of checks, per session and per run. What does not: what is
found (market_data/exports/checks.py), reading (adapters/exports/verifying.py).
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from emp_assets.check_states import SessionResult, log_session_results
from emp_assets.metadata import table
from emp_assets.naming import export_key, op_name
from emp_assets.partitions import session_range
from market_data.exports.checks import CHECKS, MANIFEST
from market_data.exports.jobs import ExportJob
from market_data.quality.findings import ERROR
from resources.exports import ExportsResource

if TYPE_CHECKING:
    from adapters.exports.verifying import Whole

_SHOWN = 20
_BY_SESSION = tuple(name for name in CHECKS if name != MANIFEST)


def checks_of_exports(
    name: str, jobs: Sequence[ExportJob], partitions: dg.DailyPartitionsDefinition
) -> dg.AssetChecksDefinition:
    """All checks of the exports of one asset, in one step."""
    asset = export_key(name)
    specs = [
        dg.AssetCheckSpec(
            name,
            asset=asset,
            description=text,
            partitions_def=partitions if name in _BY_SESSION else None,
        )
        for name, text in CHECKS.items()
    ]

    @dg.multi_asset_check(name=f"{op_name(asset)}__checks", specs=specs, can_subset=True)
    def checks(
        context: dg.AssetCheckExecutionContext, exports: ExportsResource
    ) -> Iterator[dg.AssetCheckResult]:
        from adapters.exports.reporting import verified
        from adapters.exports.verifying import against_source

        keys = list(context.op_execution_context.partition_keys)
        sessions = session_range(keys)
        selected = {key.name for key in context.selected_asset_check_keys}
        platform = exports.platform
        now = platform.open().clock.now()
        if selected - {MANIFEST}:
            store, source = exports.store(), exports.source()
            found = pl.concat(
                against_source(store, source, job, sessions, now).with_columns(
                    detail=pl.format("{}{}", pl.lit(_part(job)), "detail")
                )
                for job in jobs
            )
            if len(keys) > 1:
                log_session_results(context, asset, _per_session(found, keys, selected))
            for check in _BY_SESSION:
                if check in selected:
                    yield _overall(asset, check, found.filter(pl.col("check") == check))
        if MANIFEST in selected:
            reports, clock = platform.operations.open().reports, platform.open().clock
            read = [
                verified(exports.store(), job, reports, clock, context.log.info) for job in jobs
            ]
            yield _read_back(asset, read)

    return checks


def _per_session(
    found: pl.DataFrame, keys: list[str], selected: set[str]
) -> Iterator[SessionResult]:
    """A result per check and session; the newest session last, as the UI shows it."""
    by_session = {
        (str(check), str(session)): part
        for (check, session), part in found.group_by("check", "session")
    }
    for name in _BY_SESSION:
        if name not in selected:
            continue
        for key in sorted(keys):
            part = by_session.get((name, key))
            if part is None:
                good = dg.AssetCheckSeverity.WARN
                yield SessionResult(name, key, True, good, "nothing found", {})
            else:
                yield SessionResult(name, key, False, _severity(part), _sentence(part), {})


def _overall(asset: dg.AssetKey, name: str, found: pl.DataFrame) -> dg.AssetCheckResult:
    if found.is_empty():
        return dg.AssetCheckResult(
            asset_key=asset, check_name=name, passed=True, severity=dg.AssetCheckSeverity.WARN
        )
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=False,
        severity=_severity(found),
        description=_sentence(found),
        metadata={"findings": found.height, "first": table(found.drop("check"), rows=_SHOWN)},
    )


def _part(job: ExportJob) -> str:
    """What tells a finding of one of several exports apart."""
    part = job.name.partition("/")[2]
    return f"{part}: " if part else ""


def _read_back(asset: dg.AssetKey, read: "Sequence[Whole]") -> dg.AssetCheckResult:
    problems = [problem for whole in read for problem in whole.problems]
    files = sum(len(whole.manifest.files) for whole in read)
    listed = "\n".join(f"- {problem}" for problem in problems[:_SHOWN])
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=MANIFEST,
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR if problems else dg.AssetCheckSeverity.WARN,
        description=f"{problems[0]} ({len(problems)} in all)" if problems else "all read back",
        metadata={
            "files": files,
            "rows": sum(whole.manifest.rows for whole in read),
            "problems": dg.MetadataValue.md(listed or "none"),
        },
    )


def _severity(found: pl.DataFrame) -> dg.AssetCheckSeverity:
    error = (found["severity"] == ERROR).any()
    return dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN


def _sentence(found: pl.DataFrame) -> str:
    first = found.row(0, named=True)
    head = f"{first['symbol']} {first['session']}: {first['detail']}".strip()
    return head if found.height == 1 else f"{head} (and {found.height - 1} more)"
