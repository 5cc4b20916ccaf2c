"""From a route's rules to the route.

What belongs here: which class stands for which type. What does not: how it sends.
"""

from __future__ import annotations

from adapters.alerts.configuration import load_alert_rules
from adapters.alerts.route import AlertRoute
from adapters.settings import Settings
from market_data.alerts.rules import (
    ConsoleRoute,
    EmailRoute,
    KafkaRoute,
    PagerDutyRoute,
    Route,
    SlackRoute,
)


def open_route(rules: Route) -> AlertRoute:
    """The route; nothing is connected yet."""
    from adapters.alerts.email_route import Email
    from adapters.alerts.http_routes import PagerDuty, Slack, Webhook
    from adapters.alerts.plain_routes import Console, Kafka

    if isinstance(rules, ConsoleRoute):
        return Console(rules)
    if isinstance(rules, KafkaRoute):
        return Kafka(rules)
    if isinstance(rules, EmailRoute):
        return Email(rules)
    if isinstance(rules, SlackRoute):
        return Slack(rules)
    if isinstance(rules, PagerDutyRoute):
        return PagerDuty(rules)
    return Webhook(rules)


def alert_topics(settings: Settings) -> list[str]:
    """The topics of Kafka that routes lead to.

    Raises:
        ConfigurationError: config/alerts.yaml is wrong.
    """
    routes = load_alert_rules(settings).routes
    return [route.topic for route in routes if isinstance(route, KafkaRoute)]


def target(rules: Route) -> str:
    """Where a route leads, for a person; never with an address that may hold a token."""
    if isinstance(rules, EmailRoute):
        return f"{rules.host}:{rules.port}, to {', '.join(rules.recipients)}"
    if isinstance(rules, KafkaRoute):
        return f"topic {rules.topic}"
    if isinstance(rules, ConsoleRoute):
        return "standard error"
    named = rules.routing_key_env if isinstance(rules, PagerDutyRoute) else rules.url_env
    return f"the variable {named}"
