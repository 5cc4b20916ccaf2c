"""When an asset follows its inputs by itself.

What belongs here: the one condition of the platform, and why there is no other. What does not:
schedules (jobs/automation), sensors (sensors).

Reports follow what they speak of, where their sensor is on. Bars do not: a condition knows neither
the calendar nor a vendor's allowance nor the turns of a dataset, and one that holds while something
is broken asks for the same run with every look.
"""

from __future__ import annotations

import dagster as dg

AFTER_INPUTS = (
    dg.AutomationCondition.any_deps_updated().since_last_handled()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
    # Nothing is told of what a check holds back; it is told once the check passes.
    & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("after its inputs, unless a check holds them back")
