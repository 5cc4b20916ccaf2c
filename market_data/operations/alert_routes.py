"""Whether alerts reach anybody: the section of readiness on their routes.

What belongs here: the verdict. What does not: how routes fare (adapters/alerts), what is told of
them (market_data/alerts).
"""

from __future__ import annotations

from collections.abc import Sequence

from market_data.alerts.facts import RouteFact
from market_data.operations.grades import Grade, Reason
from market_data.operations.readiness import Section

NAME = "alerts"


def evaluate_alert_routes(routes: Sequence[RouteFact], open_alerts: int) -> Section:
    """How the routes of alerts do: one that is down warns, all of them down is a failure.

    Args:
        routes: those that are configured.
        open_alerts: how many alerts are open now; open ones are no fault of the routes.
    """
    if not routes:
        return Section.switched_off(NAME, "no route is configured: nobody is told of anything")
    down = [route for route in routes if route.down_since is not None]
    all_down = len(down) == len(routes)
    reasons = [
        Reason(
            Grade.FAIL if all_down else Grade.WARN,
            f"route {route.name} has taken nothing since {route.down_since:%Y-%m-%d %H:%M} UTC "
            f"({route.error}): see docs/runbooks/alert-route-down.md",
        )
        for route in down
    ]
    reasons += [
        Reason(
            Grade.WARN,
            f"route {route.name} refused or never answered {route.refused} messages: "
            "'emp alerts replay --refused' sends them again",
        )
        for route in routes
        if route.refused
    ]
    return Section.of(NAME, reasons, {"routes": len(routes), "open_alerts": open_alerts})
