"""How long a run may take that starts by itself, and how often it is launched again.

What belongs here: the tags that Dagster reads for both. What does not: attempts of a single step
(emp_assets/retrying.py).

Dagster launches a run again whose process died or that could not start, but one that it has ended
as too long as well: it does not tell them apart. A run that hung would hang again, and hold its
vendor's place for as long once more. So nothing is launched again more than once, and what its
schedule asks for anew within the hour anyway is not at all.
"""

from __future__ import annotations

from market_data.automation.policy import AutomationPolicy

MAX_RUNTIME_TAG = "dagster/max_runtime"
MAX_RETRIES_TAG = "dagster/max_retries"


def run_limits(policy: AutomationPolicy, *, again: int) -> dict[str, str]:
    """The tags of a run.

    Args:
        policy: how long it may take.
        again: how often it is launched again.
    """
    return {
        MAX_RUNTIME_TAG: str(int(policy.max_runtime.total_seconds())),
        MAX_RETRIES_TAG: str(again),
    }
