"""The sender: messages from the outbox to their routes.

What belongs here: the order in which messages leave, pauses after failures, who may send.
What does not: the outbox (adapters/operations/alert_outbox.py), how a route sends.

Every route has a lease, a queue and pauses of its own, and a thread while it is sent to: one that
is down or slow holds up no other. Within a route the next message leaves when the one before has
arrived, was refused for good, or was set aside. Pauses grow from 5 seconds to 5 minutes.

A message whose attempt failed gets twice the time with the next one, up to LONGEST_TIMEOUT, so that
a slow answer is waited for. One that was handed over so often as PATIENT_ATTEMPTS says and never
answered is set aside, as if refused: it may well have arrived, and later ones would never leave.
What could not be handed over, or was answered with an error, is never set aside: the route is down.
Where some recipients have a message and others were asked to wait, these alone are tried again, for
about half an hour (PARTLY_ATTEMPTS): one full mailbox must not keep later messages from everybody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.alerts.opening import open_route
from adapters.alerts.route import (
    AlertRoute,
    DeliveryError,
    PartlyError,
    RefusedError,
    UnansweredError,
    UnfinishedError,
)
from adapters.operations.alert_outbox import SqlAlertOutbox
from adapters.operations.alert_records import RouteHealth, Waiting
from market_data.alerts.facts import RouteFact
from market_data.alerts.rules import LONGEST_TIMEOUT, AlertRules, Route
from market_data.errors import ConfigurationError
from market_data.ports.clock import Clock

KEPT = timedelta(days=30)
"""How long a message that was sent stays, to be looked at or sent again."""
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
PATIENT_ATTEMPTS = 6
"""With the time-outs growing, the last four of these have the longest."""
PARTLY_ATTEMPTS = 12
"""With the pauses growing, half an hour: who lets strangers wait asks for some minutes."""
_MARGIN = timedelta(seconds=60)
_GRACE = 30.0
"""Seconds by which an attempt may outlast the pass; the first one always may."""


@dataclass(frozen=True)
class Sent:
    """What one pass did at one route.

    Attributes:
        route: its name.
        sent: messages that it took.
        refused: messages that it will never take, or never answers.
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
            seconds: no further message is begun after so long, nor one that might take much longer.

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
        lease = self._outbox.lease(rules.name, term=LONGEST_TIMEOUT + _MARGIN)
        if not lease.take():
            return Sent(rules.name, busy=True)
        sent = refused = attempts = 0
        failures, patience = health.failures, timedelta(0)
        try:
            while time.monotonic() < deadline:
                # A message that another has sent meanwhile is not found any more.
                waiting = self._outbox.first(rules.name) if lease.take() else None
                if waiting is None:
                    break
                # What one message needed, the next ones need as well.
                patience = max(patience, timeout_after(waiting.attempts, rules.timeout))
                if attempts and time.monotonic() + patience.total_seconds() > deadline + _GRACE:
                    break
                attempts += 1
                try:
                    self._route(rules, patience).deliver(waiting.message)
                except RefusedError as error:
                    self._outbox.mark_refused(waiting, str(error), at=self._clock.now())
                    refused += 1
                except UnfinishedError as error:
                    self._outbox.note_taken(waiting, error.taken)
                except (DeliveryError, ConfigurationError) as error:
                    aside = self._wait(waiting, error, failures)
                    return Sent(rules.name, sent, refused + aside, str(error))
                else:
                    self._outbox.mark_sent(waiting, at=self._clock.now())
                    sent, failures = sent + 1, 0
        finally:
            lease.give_back()
        return Sent(rules.name, sent, refused)

    def _route(self, rules: Route, patience: timedelta) -> AlertRoute:
        return self._open(rules.model_copy(update={"timeout": patience}))

    def _wait(self, waiting: Waiting, error: Exception, failures: int) -> bool:
        """Let a message wait, or set it aside; whether it is set aside."""
        if isinstance(error, UnansweredError) and waiting.attempts + 1 >= PATIENT_ATTEMPTS:
            told = f"{error}, {waiting.attempts + 1} attempts: set aside, it may have arrived"
            soon = timedelta(seconds=FIRST_PAUSE)
            self._outbox.set_aside(waiting, told, at=self._clock.now(), pause=soon)
            return True
        if isinstance(error, PartlyError) and waiting.attempts + 1 >= PARTLY_ATTEMPTS:
            told = f"{error}, {waiting.attempts + 1} attempts: set aside"
            self._outbox.mark_refused(waiting, told, at=self._clock.now())
            return True
        asked = None
        if isinstance(error, DeliveryError):
            asked, known = error.after, waiting.message
            if error.taken > known.taken or len(error.reached) > len(known.reached):
                self._outbox.note_taken(waiting, error.taken, error.reached)
        pause = max(pause_after(failures), asked or 0.0)
        self._outbox.mark_failed(
            waiting, str(error), at=self._clock.now(), pause=timedelta(seconds=pause)
        )
        return False


def pause_after(failures: int) -> float:
    """Seconds until the next attempt, after so many failures in a row before this one."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 10))


def timeout_after(attempts: int, first: timedelta) -> timedelta:
    """How long the next attempt may take, after so many of one message that failed."""
    return min(LONGEST_TIMEOUT, first * 2.0 ** min(attempts, 10))


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
