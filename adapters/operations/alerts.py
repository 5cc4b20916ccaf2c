"""Alerts over time: what is in trouble, what was told, what is silenced.

What belongs here: keeping the states of the machine in market_data/alerts, and the one transaction
in which looks are taken and messages are put into the outbox.
What does not: deciding what is told (market_data/alerts/telling.py), delivery (alert_outbox.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.alert_models import alert_silences, alert_told, alerts
from adapters.operations.alert_outbox import SqlAlertOutbox
from adapters.operations.database import reading, writing
from adapters.operations.frames import upsert_into
from market_data.alerts import (
    Alert,
    AlertRules,
    Kind,
    Message,
    Phase,
    Severity,
    Sighting,
    Silence,
    State,
    Trouble,
    observe,
    tell,
)
from market_data.alerts.parts import Part

Look = Callable[[Mapping[str, Alert]], Sequence[Sighting]]
"""Makes looks at things, given every alert that is not closed."""
_CHUNK = 500


@dataclass(frozen=True)
class Evaluated:
    """What one evaluation came to.

    Attributes:
        sightings: looks that were taken.
        changed: alerts that stand otherwise now.
        messages: those that were put into the outbox.
    """

    sightings: int
    changed: int
    messages: tuple[Message, ...]


class SqlAlerts:
    """The alerts of an installation in its operations database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.outbox = SqlAlertOutbox(engine)

    def evaluate(
        self,
        look: Look,
        rules: AlertRules,
        now: datetime,
        *,
        clean: Callable[[str], str] = str,
    ) -> Evaluated:
        """Take looks at things, decide what is told, and put it into the outbox; all or nothing.

        Of several processes one at a time does it. The same looks again change nothing.

        Args:
            look: makes the looks.
            rules: of config/alerts.yaml.
            now: the moment.
            clean: takes secrets out of a text.
        """
        with writing(self._engine, alone="alerts") as connection:
            live = _read(connection, alerts.c.phase != Phase.CLOSED)
            sightings = [_cleaned(s, clean) for s in look(live)]
            unknown = sorted({s.fingerprint for s in sightings} - set(live))
            changed = observe({**live, **_named(connection, unknown)}, sightings, rules)
            told = tell(
                _live({**live, **changed}),
                now,
                rules,
                silences=_silences(connection, now),
                told_at=_told_at(connection),
            )
            _keep(connection, {**changed, **told.alerts})
            self.outbox.add(connection, told.messages, now)
            _keep_told(connection, told.told_at)
        return Evaluated(len(sightings), len({**changed, **told.alerts}), tuple(told.messages))

    def newest(self, *, closed: bool = False, limit: int = 1_000) -> list[Alert]:
        """Alerts, the newest look first; those that are closed only if asked for."""
        wanted = sa.true() if closed else alerts.c.phase != Phase.CLOSED
        with reading(self._engine) as connection:
            return list(_read(connection, wanted, limit=limit).values())

    def count(self, *, closed: bool = False) -> int:
        """How many alerts there are; those that are closed only if asked for."""
        wanted = sa.true() if closed else alerts.c.phase != Phase.CLOSED
        query = sa.select(sa.func.count()).select_from(alerts).where(wanted)
        with reading(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def silences(self, now: datetime) -> list[Silence]:
        """Silences that are not over."""
        with reading(self._engine) as connection:
            return _silences(connection, now)

    def silence(
        self, pattern: str, *, until: datetime, author: str, reason: str, now: datetime
    ) -> Silence:
        """Hold back the telling of what fits a pattern until a moment."""
        row = {
            "pattern": pattern,
            "until": until,
            "author": author,
            "reason": reason,
            "created_at": now,
        }
        with writing(self._engine) as connection:
            insert = sa.insert(alert_silences).values(row).returning(alert_silences.c.id)
            number = int(connection.execute(insert).scalar_one())
        return Silence(number, pattern, until, author, reason)

    def end_silence(self, number: int, now: datetime) -> bool:
        """End a silence now; whether there was one."""
        table = alert_silences.c
        ended = (
            sa.update(alert_silences).where(table.id == number, table.until > now).values(until=now)
        )
        with writing(self._engine) as connection:
            return connection.execute(ended).rowcount > 0

    def purge(self, *, before: datetime) -> int:
        """Forget alerts that are closed and were not seen since; returns how many."""
        old = sa.delete(alerts).where(alerts.c.phase == Phase.CLOSED, alerts.c.last_seen < before)
        with writing(self._engine) as connection:
            connection.execute(sa.delete(alert_told).where(alert_told.c.at < before))
            return connection.execute(old).rowcount


def _cleaned(sighting: Sighting, clean: Callable[[str], str]) -> Sighting:
    trouble = sighting.trouble
    if trouble is None:
        return sighting
    shown = replace(trouble, title=clean(trouble.title), detail=clean(trouble.detail))
    return replace(sighting, trouble=shown)


def _live(found: Mapping[str, Alert]) -> dict[str, Alert]:
    return {name: alert for name, alert in found.items() if alert.phase is not Phase.CLOSED}


def _named(connection: Connection, fingerprints: Sequence[str]) -> dict[str, Alert]:
    found: dict[str, Alert] = {}
    for start in range(0, len(fingerprints), _CHUNK):
        chunk = fingerprints[start : start + _CHUNK]
        found |= _read(connection, alerts.c.fingerprint.in_(chunk))
    return found


def _read(
    connection: Connection, wanted: sa.ColumnElement[bool], *, limit: int | None = None
) -> dict[str, Alert]:
    table = alerts.c
    query = (
        sa.select(
            table.fingerprint,
            table.trouble,
            table.phase,
            table.first_seen,
            table.last_seen,
            table.due,
            table.sightings,
            table.told,
            table.mended,
        )
        .where(wanted)
        .order_by(table.last_seen.desc(), table.fingerprint)
        .limit(limit)
    )
    return {
        name: Alert(
            name, _trouble(text), Phase(phase), first, last, due, seen, *_told(told), *_parts(parts)
        )
        for name, text, phase, first, last, due, seen, told, parts in connection.execute(query)
    }


def _keep(connection: Connection, changed: Mapping[str, Alert]) -> None:
    if not changed:
        return
    rows: list[dict[str, Any]] = [
        {
            "fingerprint": alert.fingerprint,
            "phase": str(alert.phase),
            "trouble": json.dumps(_plain(alert.trouble), ensure_ascii=False),
            "first_seen": alert.first_seen,
            "last_seen": alert.last_seen,
            "due": alert.due,
            "sightings": alert.sightings,
            "told": json.dumps(
                {name: _telling(alert, name) for name in alert.told}, ensure_ascii=False
            ),
            "mended": json.dumps(
                [
                    *(asdict(part) for part in alert.mended),
                    *({**asdict(part), "wrong": True} for part in alert.broken),
                ],
                default=str,
            ),
        }
        for alert in changed.values()
    ]
    insert = upsert_into(alerts, connection)
    new = {name: insert.excluded[name] for name in rows[0] if name != "fingerprint"}
    connection.execute(insert.on_conflict_do_update(index_elements=["fingerprint"], set_=new), rows)


def _telling(alert: Alert, route: str) -> str | dict[str, Any]:
    """The id of the opening; with the trouble that it told where it is another by now."""
    heard = alert.heard.get(route)
    return alert.told[route] if heard is None else {"id": alert.told[route], "of": _plain(heard)}


def _told(text: str) -> tuple[dict[str, str], dict[str, Trouble]]:
    """The ids by route, and the troubles."""
    kept = json.loads(text)
    told = {name: one if isinstance(one, str) else one["id"] for name, one in kept.items()}
    heard = {name: _of(one["of"]) for name, one in kept.items() if not isinstance(one, str)}
    return told, heard


def _parts(text: str) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The parts that are right, and those that were seen wrong."""
    found: dict[bool, list[Part]] = {False: [], True: []}
    for kept in json.loads(text):
        part = Part(
            date.fromisoformat(kept["first"]),
            date.fromisoformat(kept["last"]),
            tuple(kept["symbols"]),
            datetime.fromisoformat(kept["at"]),
        )
        found[kept.get("wrong", False)].append(part)
    return tuple(found[False]), tuple(found[True])


def _plain(trouble: Trouble) -> Any:
    return json.loads(json.dumps(asdict(trouble), default=str))


def _trouble(text: str) -> Trouble:
    return _of(json.loads(text))


def _of(kept: Mapping[str, Any]) -> Trouble:
    sessions = kept["sessions"]
    return Trouble(
        **{
            **kept,
            "kind": Kind(kept["kind"]),
            "severity": Severity(kept["severity"]),
            "owners": tuple(kept["owners"]),
            "symbols": tuple(kept["symbols"]),
            "sessions": (date.fromisoformat(sessions[0]), date.fromisoformat(sessions[1]))
            if sessions
            else None,
        }
    )


def _silences(connection: Connection, now: datetime) -> list[Silence]:
    table = alert_silences.c
    query = (
        sa.select(table.id, table.pattern, table.until, table.author, table.reason)
        .where(table.until > now)
        .order_by(table.id)
    )
    return [Silence(*row) for row in connection.execute(query)]


def _told_at(connection: Connection) -> dict[tuple[str, State, str], datetime]:
    table = alert_told.c
    query = sa.select(table.route, table.state, table.place, table.at)
    return {
        (route, State(state), place): at for route, state, place, at in connection.execute(query)
    }


def _keep_told(connection: Connection, told: Mapping[tuple[str, State, str], datetime]) -> None:
    if not told:
        return
    rows = [
        {"route": route, "state": str(state), "place": place, "at": at}
        for (route, state, place), at in told.items()
    ]
    insert = upsert_into(alert_told, connection)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["route", "state", "place"], set_={"at": insert.excluded.at}
        ),
        rows,
    )
