"""Sessions that are failed now: not what broke some night, but what nobody has made good since.

Questions that no vendor has answered, sessions that no run has made since the one that failed, bars
whose score is RED; each with the time since when, the reason and the command that mends it. The
same as `emp failed`; the daily checklist reads it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from emp_assets.automation import AFTER_INPUTS
from emp_assets.naming import FAILED_SESSIONS_KEY, OWNERS, SCORES_KEY
from resources.platform import PlatformResource

if TYPE_CHECKING:
    from market_data.operations.failed_sessions import Failed

CHECK = "no_session_left_failed"
SHOWN = 50


def failed_sessions_asset(sessions: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The inventory.

    Args:
        sessions: assets whose partitions are sessions.
    """

    @dg.asset(
        key=FAILED_SESSIONS_KEY,
        deps=[SCORES_KEY],
        group_name="operations",
        kinds={"markdown"},
        owners=OWNERS,
        automation_condition=AFTER_INPUTS,
        description=__doc__,
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=FAILED_SESSIONS_KEY,
                description="No question to a vendor and no session of a run is left failed.",
            )
        ],
    )
    def failed_sessions(
        context: dg.AssetExecutionContext, platform: PlatformResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the annotation itself
        # It loads the database's library, which loading the graph does not need.
        from market_data.operations.failed_sessions import SCORE, counts_of, inventory
        from market_data.pipeline.failed_now import failed_now
        from resources.partition_states import failed_sessions as left_by_runs

        opened = platform.open()
        found = failed_now(opened, left_by_runs(context.instance, sessions))
        platform.operations.open().reports.keep(inventory(found, opened.clock.now()))
        left = [f for f in found if f.kind != SCORE]
        return dg.MaterializeResult(
            metadata={
                **{f"failed_{kind}": count for kind, count in counts_of(found).items()},
                "report": dg.MetadataValue.md(_markdown(found)),
                "report_json": dg.MetadataValue.json([f.told() for f in found[:SHOWN]]),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=CHECK,
                    passed=not left,
                    severity=dg.AssetCheckSeverity.WARN,
                    description="; ".join(f"{f.dataset}: {f.why}" for f in left[:5])
                    or "nothing is left failed",
                    metadata={"cures": dg.MetadataValue.json([f.cure for f in left[:SHOWN]])},
                )
            ],
        )

    return failed_sessions


def _markdown(found: "Sequence[Failed]") -> str:
    if not found:
        return "Nothing is failed now.\n"
    lines = ["| what | of | sessions | since (UTC) | why | cure |", "|---|---|---|---|---|---|"]
    for f in found[:SHOWN]:
        span = f"{f.count} of {f.sessions[0]} to {f.sessions[1]}"
        since = f"{f.since:%Y-%m-%d %H:%M}" if f.since else ""
        cells = (f.kind, f.dataset, span, since, f.why, f"`{f.cure}`")
        lines.append(f"| {' | '.join(c.replace('|', '/').replace(chr(10), ' ') for c in cells)} |")
    if len(found) > SHOWN:
        lines.append(f"\nand {len(found) - SHOWN} more: `emp failed --json` has all of them")
    return "\n".join(lines) + "\n"
