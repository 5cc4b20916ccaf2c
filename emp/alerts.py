"""Alerts as the command line handles them.

What belongs here: the parts that `emp alerts` stands on, opened when they are used.
What does not: showing (emp/commands/alerts.py), deciding and sending (market_data/alerts,
adapters/alerts).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any

from adapters.alerts.configuration import load_alert_rules
from adapters.alerts.opening import open_route, target
from adapters.alerts.route import DeliveryError
from adapters.alerts.secrets import cleaner, variables
from adapters.alerts.sender import AlertSender, Sent, summary
from adapters.clock import SystemClock
from adapters.modes import decide
from adapters.operations import RouteHealth, SqlAlerts
from adapters.operations_opening import open_operations
from adapters.settings import Settings
from emp.quarantine import who
from market_data.alerts import AlertRules, Severity, Sighting, Silence, probe_message
from market_data.durations import duration
from market_data.errors import ConfigurationError

FOLLOW_SECONDS = 5.0


class AlertParts:
    """The alerts of an installation.

    Args:
        settings: of the installation.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()

    @cached_property
    def rules(self) -> AlertRules:
        """config/alerts.yaml with what the environment changes of it."""
        return load_alert_rules(self._settings)

    @cached_property
    def store(self) -> SqlAlerts:
        """What is kept in the operations database."""
        return open_operations(decide(self._settings).operations_url).alerts

    def now(self) -> datetime:
        """The moment, UTC."""
        return self._clock.now()

    def health(self) -> list[RouteHealth]:
        """How the routes fare, and those that were taken out with messages waiting."""
        return self.store.outbox.health([route.name for route in self.rules.routes])

    def target(self, name: str) -> str:
        """Where a route leads."""
        found = next((route for route in self.rules.routes if route.name == name), None)
        return target(found) if found else "not in config/alerts.yaml"

    def test(self, name: str | None, severity: Severity, *, dry_run: bool) -> list[dict[str, Any]]:
        """Send a test message to one route, or to all; what became of it.

        Args:
            name: of the route; None for all.
            severity: of the message.
            dry_run: only say what would be sent.

        Raises:
            ConfigurationError: there is no such route.
        """
        routes = [r for r in self.rules.routes if name is None or r.name == name]
        if name is not None and not routes:
            known = ", ".join(r.name for r in self.rules.routes) or "none"
            raise ConfigurationError(f"there is no route {name!r}; there are: {known}")
        told = []
        for rules in routes:
            message = probe_message(rules.name, severity, self.now())
            error, result = "", "would be sent"
            if not dry_run:
                try:
                    open_route(rules).deliver(message)
                    result = "taken"
                except (DeliveryError, ConfigurationError) as trouble:
                    error = result = cleaner(self.rules)(str(trouble))
            told.append(
                {
                    "route": rules.name,
                    "target": target(rules),
                    "variables": variables(rules),
                    "takes": severity in rules.severities,
                    "result": result,
                    "error": error,
                    "message": dict(message.body),
                }
            )
        return told

    def silence(self, pattern: str, span: str, reason: str) -> Silence:
        """Hold back what fits a pattern.

        Raises:
            ConfigurationError: the span is none.
        """
        try:
            lasting = duration(span)
        except ValueError as error:
            raise ConfigurationError(f"--for: {error}") from error
        now = self.now()
        return self.store.silence(
            pattern, until=now + lasting, author=who(), reason=reason, now=now
        )

    def close(self, key: str) -> int:
        """Call an alert over; how many messages say so.

        Raises:
            ConfigurationError: nothing of that key is open.
        """
        if key not in {alert.fingerprint for alert in self.store.newest()}:
            raise ConfigurationError(f"no alert {key!r} is open; 'emp alerts list' shows them")
        now = self.now()
        done = self.store.evaluate(lambda _: [Sighting(key, now)], self.rules, now)
        return len(done.messages)

    def send(self) -> list[Sent]:
        """Tell what is due, and send what waits."""
        clean = cleaner(self.rules)
        self.store.evaluate(lambda _: [], self.rules, self.now(), clean=clean)
        return AlertSender(self.store.outbox, self.rules, self._clock).drain()

    def follow(self, stop: threading.Event, *, tell: Callable[[str], None]) -> None:
        """Send until told to stop.

        Args:
            stop: set by another thread or a signal.
            tell: takes a sentence about what was done.
        """
        while not stop.is_set():
            if done := self.send():
                tell(summary(done))
            stop.wait(FOLLOW_SECONDS)
