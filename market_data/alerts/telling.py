"""What is told when: from alerts to messages.

What belongs here: `tell`, a pure step that decides what is due, and to whom. What does not: the
states of an alert (machine.py), what a message says (message.py), how it travels (adapters/alerts).

What becomes an error after a route was told of a warning is told to it once more, as escalated;
that it is a warning again, or of more symbols, is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from market_data.alerts.alert import Alert, Phase
from market_data.alerts.message import Message, State, grouped
from market_data.alerts.rules import AlertRules, Silence

ToldAt = Mapping[tuple[str, State, str], datetime]
"""When a route was told of a group last: (route, opened or recovered, group) to the moment."""

GONE = timedelta(days=30)
"""A route that was not configured for so long after a mending is not told of it any more."""


@dataclass(frozen=True)
class Told:
    """What `tell` decided.

    Attributes:
        alerts: those that changed, by fingerprint.
        messages: in the order in which they have to leave; at most three per route.
        told_at: what was told of which group now.
    """

    alerts: dict[str, Alert] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    told_at: dict[tuple[str, State, str], datetime] = field(default_factory=dict)


def tell(
    alerts: Mapping[str, Alert],
    now: datetime,
    rules: AlertRules,
    *,
    silences: Sequence[Silence] = (),
    told_at: ToldAt | None = None,
) -> Told:
    """Decide what is told now.

    What is due at one moment becomes one message per route, whatever its number. After a message
    about a group, further ones about it wait until `rules.collect` is over.

    Args:
        alerts: every alert that is not closed, by fingerprint.
        now: the moment.
        rules: routes and delays.
        silences: hold back openings, never the word that something is right again.
        told_at: when routes were told of groups last.
    """
    pace = _Pace(now, rules.collect, told_at or {})
    told = Told()
    current = _due(alerts, now, silences, told)
    for name in (route.name for route in rules.routes):
        _recover(current, name, rules, pace, told)
        _escalate(current, name, rules, pace, told, silences)
        _open(current, name, rules, pace, told, silences)
    _forget_routes(current, now, rules, told)
    for alert in current.values():
        # What every route has heard is over; what nobody was told of has nothing to tell.
        if alert.phase is Phase.MENDED and not alert.told:
            told.alerts[alert.fingerprint] = replace(alert, phase=Phase.CLOSED)
    return told


@dataclass(frozen=True)
class _Pace:
    now: datetime
    collect: timedelta
    told_at: ToldAt

    def allows(self, route: str, state: State, group: str) -> bool:
        last = self.told_at.get((route, state, group))
        return last is None or self.now - last >= self.collect


def _due(
    alerts: Mapping[str, Alert], now: datetime, silences: Sequence[Silence], told: Told
) -> dict[str, Alert]:
    """All alerts, those that waited long enough being open now."""
    current = dict(alerts)
    for fingerprint, alert in alerts.items():
        if alert.phase is not Phase.WAITING or alert.due > now:
            continue
        if _silenced(alert, now, silences):
            continue
        current[fingerprint] = told.alerts[fingerprint] = replace(alert, phase=Phase.OPEN)
    return current


def _open(
    current: dict[str, Alert],
    route: str,
    rules: AlertRules,
    pace: _Pace,
    told: Told,
    silences: Sequence[Silence],
) -> None:
    """One message about everything that a route has not been told of."""
    takes = next(r for r in rules.routes if r.name == route).takes
    chosen = [
        alert
        for alert in current.values()
        if alert.phase is Phase.OPEN
        and route not in alert.told
        and takes(alert.trouble)
        and not _silenced(alert, pace.now, silences)
        and pace.allows(route, State.OPENED, alert.trouble.group)
    ]
    if not chosen:
        return
    message = grouped(route, State.OPENED, chosen, pace.now, rules)
    told.messages.append(message)
    for alert in chosen:
        _keep(current, told, replace(alert, told={**alert.told, route: message.id}))
        told.told_at[route, State.OPENED, alert.trouble.group] = pace.now


def _escalate(
    current: dict[str, Alert],
    route: str,
    rules: AlertRules,
    pace: _Pace,
    told: Told,
    silences: Sequence[Silence],
) -> None:
    """One message about everything that is worse than a route was ever told of it."""
    takes = next(r for r in rules.routes if r.name == route).takes
    chosen = [
        alert
        for alert in current.values()
        if alert.phase is Phase.OPEN
        and route in alert.told
        and alert.trouble.severity.rank > alert.as_told_to(route).trouble.severity.rank
        and takes(alert.trouble)
        and not _silenced(alert, pace.now, silences)
        and pace.allows(route, State.ESCALATED, alert.trouble.group)
    ]
    if not chosen:
        return
    openings = sorted({alert.told[route] for alert in chosen})
    told.messages.append(
        grouped(route, State.ESCALATED, chosen, pace.now, rules, openings=openings)
    )
    for alert in chosen:
        heard = {name: trouble for name, trouble in alert.heard.items() if name != route}
        # The id of the opening stays: it is what the recovery will name.
        _keep(current, told, replace(alert, heard=heard))
        told.told_at[route, State.ESCALATED, alert.trouble.group] = pace.now


def _recover(
    current: dict[str, Alert], route: str, rules: AlertRules, pace: _Pace, told: Told
) -> None:
    """One message about everything that a route was told of and that is right again."""
    chosen = [
        alert
        for alert in current.values()
        if alert.phase is Phase.MENDED
        and route in alert.told
        and pace.allows(route, State.RECOVERED, alert.trouble.group)
    ]
    if not chosen:
        return
    openings = {alert.told[route] for alert in chosen}
    for alert in chosen:
        _keep(current, told, alert.not_told_to({route}))
        told.told_at[route, State.RECOVERED, alert.trouble.group] = pace.now
    if next(r for r in rules.routes if r.name == route).recovered:
        still = {a.told[route] for a in current.values() if route in a.told}
        told.messages.append(
            grouped(
                route,
                State.RECOVERED,
                [alert.as_told_to(route) for alert in chosen],
                pace.now,
                rules,
                openings=sorted(openings),
                resolved=sorted(openings - still),
            )
        )


def _forget_routes(current: dict[str, Alert], now: datetime, rules: AlertRules, told: Told) -> None:
    """A route that is not configured hears what it has to hear should it come back within a month.

    After that nothing waits for it any more.
    """
    names = {route.name for route in rules.routes}
    for alert in list(current.values()):
        gone = not names.issuperset(alert.told)
        if gone and alert.phase is Phase.MENDED and now - alert.last_seen > GONE:
            _keep(current, told, alert.not_told_to(set(alert.told) - names))


def _keep(current: dict[str, Alert], told: Told, alert: Alert) -> None:
    current[alert.fingerprint] = told.alerts[alert.fingerprint] = alert


def _silenced(alert: Alert, now: datetime, silences: Sequence[Silence]) -> bool:
    return any(s.covers(alert.fingerprint, alert.trouble, now) for s in silences)
