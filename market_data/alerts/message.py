"""Messages: what a route is told, as one JSON form and as text.

What belongs here: the record, its forms. What does not: what a certain service wants of it
(adapters/alerts).

The JSON form, as a webhook gets it:

    {"id": "...", "state": "opened", "severity": "error", "level": "SEV-2", "at": "...",
     "title": "...", "text": "...", "alerts_total": 10000, "symbols": 12,
     "alerts": [{"key": "check|curated/bars_1d|coverage|2024-02-08", ...}, ...],
     "openings": [], "resolved": []}

`id` is the idempotency key: the same message may arrive twice, never two messages under one id.
`alerts` holds the first LISTED of them, worst first. An escalation, of what was told as a warning
and is an error now, names the messages that had opened it (`openings`). A recovery names the
messages that had opened what is over now, and those of them of which nothing is left (`resolved`).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from market_data.alerts.alert import Alert, Level, Severity, Trouble
from market_data.alerts.rules import AlertRules
from market_data.ports.redaction import sanitised_text

LISTED = 20
_SHOWN = 5
"""Alerts whose detail the text holds."""
_DETAIL = 300


class State(StrEnum):
    """What a message says."""

    OPENED = "opened"
    ESCALATED = "escalated"
    RECOVERED = "recovered"
    TEST = "test"


@dataclass(frozen=True)
class Message:
    """One message to one route.

    Attributes:
        id: the idempotency key.
        route: whom.
        state: opened, escalated, recovered or test.
        severity: the worst of its alerts.
        level: the most urgent of its alerts.
        group: of its alerts; of several groups, how many.
        body: the JSON form, without secrets.
    """

    id: str
    route: str
    state: State
    severity: Severity
    level: Level
    group: str
    body: Mapping[str, Any]

    @property
    def title(self) -> str:
        """One line."""
        return str(self.body["title"])

    @property
    def text(self) -> str:
        """Several lines for a person."""
        return str(self.body["text"])

    @property
    def taken(self) -> int:
        """How many of its parts the route has already; 0 where it is sent as one."""
        return int(self.body.get("taken", 0))

    @property
    def reached(self) -> tuple[str, ...]:
        """Those of the route's recipients who have it already."""
        return tuple(self.body.get("reached", ()))

    def having(self, taken: int, reached: Sequence[str] = ()) -> Message:
        """The message of which the route has so many parts, and these of its recipients all."""
        known = {"taken": taken, "reached": list(reached)}
        whole = {name: value for name, value in self.body.items() if name not in known}
        return replace(self, body=whole | {name: value for name, value in known.items() if value})

    def to_json(self) -> str:
        """The JSON form."""
        return json.dumps(self.body, ensure_ascii=False)


def from_json(route: str, text: str) -> Message:
    """A message from its JSON form."""
    body = json.loads(text)
    return Message(
        body["id"],
        route,
        State(body["state"]),
        Severity(body["severity"]),
        Level(body["level"]),
        body["group"],
        body,
    )


def grouped(
    route: str,
    state: State,
    alerts: Sequence[Alert],
    now: datetime,
    rules: AlertRules,
    *,
    openings: Sequence[str] = (),
    resolved: Sequence[str] = (),
) -> Message:
    """One message about any number of alerts, at least one.

    Args:
        route: whom it goes to.
        state: opened, escalated or recovered.
        alerts: what it is about.
        now: when.
        rules: say the levels.
        openings: messages that had told of what is over, or worse.
        resolved: those of them of which nothing is left.
    """
    ordered = sorted(alerts, key=_worst_first)
    troubles = [a.trouble for a in ordered]
    groups = sorted({t.group for t in troubles})
    level = min(rules.level(t) for t in troubles)
    severity = troubles[0].severity
    title = _title(state, level, troubles, groups)
    body = {
        "id": _id(route, state, now, ordered),
        "state": str(state),
        "severity": str(severity),
        "level": str(level),
        "at": _text(now),
        "group": groups[0] if len(groups) == 1 else f"{len(groups)} groups",
        "title": title,
        "text": _words(title, state, ordered, rules, left=len(set(openings) - set(resolved))),
        "alerts_total": len(ordered),
        "symbols": _symbols(troubles),
        "alerts": [_shown(a, rules) for a in ordered[:LISTED]],
        "openings": list(openings),
        "resolved": list(resolved),
    }
    return Message(str(body["id"]), route, state, severity, level, str(body["group"]), body)


def probe_message(route: str, severity: Severity, now: datetime) -> Message:
    """A message that says that it is a test."""
    title = f"[test] alerts reach the route {route}"
    digest = hashlib.sha256(f"test|{route}|{_text(now)}".encode()).hexdigest()[:32]
    body = {
        "id": digest,
        "state": str(State.TEST),
        "severity": str(severity),
        "level": str(Level.SEV3),
        "at": _text(now),
        "group": "test",
        "title": title,
        "text": f"{title}\nNothing is wrong: somebody ran 'emp alerts test'.",
        "alerts_total": 0,
        "symbols": 0,
        "alerts": [],
        "openings": [],
        "resolved": [],
    }
    return Message(digest, route, State.TEST, severity, Level.SEV3, "test", body)


def _worst_first(alert: Alert) -> tuple[int, int, str]:
    """Errors first, and of them what is about most sessions."""
    first, last = alert.trouble.sessions or (None, None)
    span = (last - first).days if first and last else 0
    return -alert.trouble.severity.rank, -span, alert.fingerprint


def _id(route: str, state: State, now: datetime, alerts: Sequence[Alert]) -> str:
    digest = hashlib.sha256(f"{route}|{state}|{_text(now)}".encode())
    for alert in alerts:
        digest.update(f"\0{alert.fingerprint}".encode())
    return digest.hexdigest()[:32]


def _title(state: State, level: Level, troubles: Sequence[Trouble], groups: Sequence[str]) -> str:
    head = "[recovered]" if state is State.RECOVERED else f"[{level}]"
    if state is State.ESCALATED:
        head += " worse:"
    if len(troubles) == 1:
        return sanitised_text(f"{head} {troubles[0].title}{_sessions(troubles[0])}")
    kinds = Counter(t.check or str(t.kind).replace("_", " ") for t in troubles)
    what = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(4))
    more = " ..." if len(kinds) > 4 else ""
    where = groups[0] if len(groups) == 1 else f"{len(groups)} places, first {groups[0]}"
    return sanitised_text(f"{head} {len(troubles)} alerts: {what}{more}; {where}")


def _words(
    title: str, state: State, alerts: Sequence[Alert], rules: AlertRules, *, left: int
) -> str:
    lines = [title]
    for alert in alerts[:_SHOWN]:
        trouble = alert.trouble
        line = f"- {rules.level(trouble)} {trouble.title}{_sessions(trouble)}"
        if state is not State.RECOVERED and trouble.detail:
            line += f": {_short(trouble.detail)}"
        lines.append(line)
    if len(alerts) > _SHOWN:
        lines.append(f"- and {len(alerts) - _SHOWN} more: emp alerts list")
    if state is State.RECOVERED and left:
        lines.append(f"Other alerts of {left} of the messages that told of these are still open.")
    if state is not State.RECOVERED:
        pages = dict.fromkeys(rules.page(a.trouble) for a in alerts)
        lines += [f"What to do: {page}" for page in list(filter(None, pages))[:3]]
        runs = dict.fromkeys(rules.run_page(a.trouble) for a in alerts)
        lines += [f"Run: {page}" for page in list(filter(None, runs))[:3]]
    return sanitised_text("\n".join(lines))


def _shown(alert: Alert, rules: AlertRules) -> dict[str, Any]:
    trouble = alert.trouble
    first, last = trouble.sessions or (None, None)
    return {
        "key": sanitised_text(alert.fingerprint),
        "kind": str(trouble.kind),
        "severity": str(trouble.severity),
        "level": str(rules.level(trouble)),
        "group": trouble.group,
        "title": sanitised_text(trouble.title),
        "detail": _short(trouble.detail),
        "asset": trouble.asset,
        "check": trouble.check,
        "asset_group": trouble.asset_group,
        "owners": list(trouble.owners),
        "first_session": first and str(first),
        "last_session": last and str(last),
        "symbols": list(trouble.symbols),
        "symbol_count": trouble.symbol_count,
        "rows": trouble.rows,
        "run_id": trouble.run_id,
        "run_url": rules.run_page(trouble),
        "runbook": rules.page(trouble),
        "first_seen": _text(alert.first_seen),
        "last_seen": _text(alert.last_seen),
        "seen": alert.sightings,
    }


def _symbols(troubles: Sequence[Trouble]) -> int:
    """Distinct symbols, as far as they are named; never fewer than one trouble counts."""
    named = {symbol for trouble in troubles for symbol in trouble.symbols}
    return max([len(named), *(t.symbol_count for t in troubles)])


def _sessions(trouble: Trouble) -> str:
    if trouble.sessions is None:
        return ""
    first, last = trouble.sessions
    return f", {first}" if first == last else f", {first} to {last}"


def _short(text: str) -> str:
    """Without secrets first: half of one is none that could be told any more."""
    line = " ".join(sanitised_text(text).split())
    return line if len(line) <= _DETAIL else line[: _DETAIL - 1] + "…"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
