r"""The states of an alert: what a look changes, and what is told when.

What belongs here: two pure steps. `observe` takes looks at things, `tell` decides what is due.
What does not: where alerts are kept, how messages travel.

For every thing and every route messages alternate, opened, recovered, opened ..., whatever the
looks were:

    closed --bad--> waiting --due--> open --good--> mended --due--> closed
                       |                \__________/
                     good: closed           bad: open again, nothing is told

A look that is older than the newest one changes nothing, so that looks may come twice and late.
A look at a part of what is wrong is remembered (parts.py): the parts together mend the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from market_data.alerts.alert import Alert, Phase, Sighting, Trouble
from market_data.alerts.message import Message, State, grouped
from market_data.alerts.parts import Part, complete, joined, without
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
        messages: in the order in which they have to leave; at most two per route.
        told_at: what was told of which group now.
    """

    alerts: dict[str, Alert] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    told_at: dict[tuple[str, State, str], datetime] = field(default_factory=dict)


def observe(
    alerts: Mapping[str, Alert], sightings: Iterable[Sighting], rules: AlertRules
) -> dict[str, Alert]:
    """Take looks at things.

    Args:
        alerts: what is known, by fingerprint; at least of what the looks are at.
        sightings: the looks, in any order.
        rules: say how long a trouble may mend itself.

    Returns:
        The alerts that changed, by fingerprint.
    """
    changed: dict[str, Alert] = {}
    # Of looks at one moment the bad one goes last: it counts.
    ordered = sorted(sightings, key=lambda s: (s.at, s.trouble is not None))
    for seen in ordered:
        known = changed.get(seen.fingerprint) or alerts.get(seen.fingerprint)
        if known is not None and seen.at < known.last_seen:
            continue
        after = _good(known, seen) if seen.trouble is None else _bad(known, seen, rules)
        if after is not None:
            changed[seen.fingerprint] = after
    return changed


def _good(known: Alert | None, seen: Sighting) -> Alert | None:
    if known is None:
        return None
    if seen.part is not None:
        return _good_part(known, seen.part)
    known = replace(known, last_seen=seen.at, mended=())
    if known.phase is Phase.OPEN and known.told:
        return replace(known, phase=Phase.MENDED)
    if known.phase in (Phase.OPEN, Phase.WAITING):
        return replace(known, phase=Phase.CLOSED)
    return known


def _good_part(known: Alert, part: Part) -> Alert | None:
    """One more part is right; when it is the last one, all of it is.

    The newest look stays what it was: a part that was mended earlier may be read later.
    """
    if known.phase not in (Phase.OPEN, Phase.WAITING) or known.trouble.sessions is None:
        return None
    mended = joined(known.mended, part)
    if complete(mended, known.trouble.sessions, _asked(known.trouble)):
        at = max([known.last_seen, *(p.at for p in mended)])
        return _good(known, Sighting(known.fingerprint, at))
    return replace(known, mended=mended) if mended != known.mended else None


def _still_mended(known: Alert, seen: Sighting) -> tuple[Part, ...]:
    """The parts that are right although something is wrong."""
    whole, part = known.trouble.sessions, seen.part
    if part is None or whole is None:
        return tuple(p for p in known.mended if p.at > seen.at)
    right = known.phase in (Phase.MENDED, Phase.CLOSED)
    was_whole = (Part(*whole, (), known.last_seen),) if right else ()
    return without((*was_whole, *known.mended), part, _asked(known.trouble))


def _asked(trouble: Trouble) -> tuple[str, ...]:
    """Its symbols where all are named."""
    return trouble.symbols if trouble.symbol_count == len(trouble.symbols) else ()


def _bad(known: Alert | None, seen: Sighting, rules: AlertRules) -> Alert:
    trouble = seen.trouble
    assert trouble is not None  # noqa: S101
    if known is None or known.phase is Phase.CLOSED:
        due = seen.at + rules.patience(trouble, seen.at)
        new = Alert(seen.fingerprint, trouble, Phase.WAITING, seen.at, seen.at, due)
        return new if known is None else replace(new, mended=_still_mended(known, seen))
    # A route's recovery names what it was told of, whatever was seen since.
    changed = trouble != known.trouble
    return replace(
        known,
        trouble=trouble,
        heard={name: known.as_told_to(name).trouble for name in known.told}
        if changed
        else known.heard,
        phase=Phase.OPEN if known.phase is Phase.MENDED else known.phase,
        last_seen=seen.at,
        sightings=known.sightings + 1,
        mended=_still_mended(known, seen),
    )


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
