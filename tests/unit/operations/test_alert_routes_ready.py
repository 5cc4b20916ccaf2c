"""Readiness says whether alerts reach anybody."""

from __future__ import annotations

from datetime import UTC, datetime

from market_data.alerts.facts import RouteFact
from market_data.operations.alert_routes import evaluate_alert_routes
from market_data.operations.grades import Grade

SINCE = datetime(2024, 2, 9, 12, tzinfo=UTC)
FINE = RouteFact("mail", None)
DOWN = RouteFact("hook", SINCE, "status 500")


def test_the_routes_decide_and_open_alerts_do_not():
    section = evaluate_alert_routes([FINE], 7)
    assert (section.grade, section.facts) == (Grade.OK, {"routes": 1, "open_alerts": 7})
    some = evaluate_alert_routes([FINE, DOWN], 0)
    assert some.grade is Grade.WARN
    assert "hook has taken nothing since 2024-02-09 12:00 UTC (status 500)" in some.reasons[0].text
    assert evaluate_alert_routes([DOWN], 0).grade is Grade.FAIL


def test_refused_messages_warn_with_the_cure():
    section = evaluate_alert_routes([RouteFact("hook", None, refused=2)], 0)
    assert section.grade is Grade.WARN
    assert "emp alerts replay --refused" in section.reasons[0].text


def test_without_a_route_the_section_is_off():
    assert evaluate_alert_routes([], 0).off
