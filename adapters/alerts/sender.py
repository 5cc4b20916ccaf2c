"""The sender: messages from the outbox to their routes.

What belongs here: the order in which messages leave, pauses after failures, who may send.
What does not: the outbox (adapters/operations/alert_outbox.py), how a route sends.

Every route has a lease, a queue and pauses of its own, and a thread while it is sent to: one that
is down or slow holds up no other. Within a route the next message leaves when the one before has
arrived, or was refused for good. Pauses grow from 5 seconds to 5 minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.alerts.opening import open_route
from adapters.alerts.route import AlertRoute, DeliveryError, RefusedError, UnfinishedError
from adapters.operations.alert_outbox import RouteHealth, SqlAlertOutbox, Waiting
from market_data.alerts.facts import RouteFact
from market_data.alerts.rules import AlertRules, Route
from market_data.errors import ConfigurationError
from market_data.ports.clock import Clock

KEPT = timedelta(days=30)
"""How long a message that was sent stays, to be looked at or sent again."""
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
_MARGIN = timedelta(seconds=60)


@dataclass(frozen=True)
class Sent:
    """What one pass did at one route.

    Attributes:
        route: its name.
        sent: messages that it took.
        refused: messages that it will never take.
        error: what ended the pass; empty where nothing did.
        busy: another sender is at it.
    """

    route: str
    sent: int = 0
    refused: int = 0
    error: str = ""
    busy: bool = False


class AlertSender:
    """Sends what waits; of several senders one at a time per route.

    Args:
        outbox: where from.
        rules: name the routes.
        clock: tells when a message was sent.
        open_one: makes a route of its rules.
    """

    def __init__(
        self,
        outbox: SqlAlertOutbox,
        rules: AlertRules,
        clock: Clock,
        open_one: Callable[[Route], AlertRoute] = open_route,
    ) -> None:
        self._outbox = outbox
        self._routes = rules.routes
        self._clock = clock
        self._open = open_one

    def drain(self, *, seconds: float = 30.0) -> list[Sent]:
        """Send what waits and is due, for so long; an attempt that is under way is waited for.

        Args:
            seconds: no further message is begun after so long.

        Returns:
            What was done at the routes that anything was due at, in their order.
        """
        now = self._clock.now()
        by_name = {route.name: route for route in self._routes}
        due = [
            health
            for health in self._outbox.health(list(by_name))
            if health.route in by_name and health.waiting and _may_try(health, now)
        ]
        deadline = time.monotonic() + seconds
        if not due:
            return []
        with ThreadPoolExecutor(len(due), thread_name_prefix="alerts") as pool:
            passes = [pool.submit(self._pass, by_name[h.route], h, deadline) for h in due]
            done = [work.result() for work in passes]
        self._outbox.purge(before=now - KEPT)
        return done

    def facts(self) -> list[RouteFact]:
        """How the routes fare, for the alerts about them."""
        names = {route.name for route in self._routes}
        return [
            RouteFact(h.route, h.down_since, h.error, h.refused)
            for h in self._outbox.health(sorted(names))
            if h.route in names
        ]

    def _pass(self, rules: Route, health: RouteHealth, deadline: float) -> Sent:
        # A sender that dies blocks its route for no longer than this.
        lease = self._outbox.lease(rules.name, term=rules.timeout + _MARGIN)
        if not lease.take():
            return Sent(rules.name, busy=True)
        route = self._open(rules)
        sent = refused = 0
        failures = health.failures
        try:
            while time.monotonic() < deadline:
                # A message that another has sent meanwhile is not found any more.
                waiting = self._outbox.first(rules.name) if lease.take() else None
                if waiting is None:
                    break
                try:
                    route.deliver(waiting.message)
                except RefusedError as error:
                    self._outbox.mark_refused(waiting, str(error), at=self._clock.now())
                    refused += 1
                except UnfinishedError as error:
                    self._outbox.note_taken(waiting, error.taken)
                except (DeliveryError, ConfigurationError) as error:
                    self._wait(waiting, error, failures)
                    return Sent(rules.name, sent, refused, str(error))
                else:
                    self._outbox.mark_sent(waiting, at=self._clock.now())
                    sent, failures = sent + 1, 0
        finally:
            lease.give_back()
        return Sent(rules.name, sent, refused)

    def _wait(self, waiting: Waiting, error: Exception, failures: int) -> None:
        asked = None
        if isinstance(error, DeliveryError):
            asked = error.after
            if error.taken > waiting.message.taken:
                self._outbox.note_taken(waiting, error.taken)
        pause = max(pause_after(failures), asked or 0.0)
        self._outbox.mark_failed(
            waiting, str(error), at=self._clock.now(), pause=timedelta(seconds=pause)
        )


def pause_after(failures: int) -> float:
    """Seconds until the next attempt, after so many failures in a row before this one."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 10))


def summary(done: Sequence[Sent]) -> str:
    """What passes did, in a sentence."""
    told = [
        f"{d.route}: another sender is at it"
        if d.busy
        else f"{d.route}: {d.sent} sent"
        + (f", {d.refused} refused" if d.refused else "")
        + (f", {d.error}" if d.error else "")
        for d in done
    ]
    return "; ".join(told) or "nothing waits"


def _may_try(health: RouteHealth, now: datetime) -> bool:
    return health.next_at is None or health.next_at <= now
