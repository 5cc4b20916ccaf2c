"""Reports follow what they speak of.

Off by default: the schedules make them in the morning, and every hour where somebody listens.
Turned on, a report is made anew once something that it speaks of was made, and no blocking check
holds that back.
"""

from __future__ import annotations

import dagster as dg

reports_follow_their_inputs = dg.AutomationConditionSensorDefinition(
    "reports_follow_their_inputs",
    target=dg.AssetSelection.groups("operations"),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=__doc__,
)
