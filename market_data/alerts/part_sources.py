"""From the sections of watched parts to looks at things: cache, Kafka, latencies.

What belongs here: one thing per code and subject, and when it is mended. What does not: judging
(market_data/operations), looking (adapters/operations_watch.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from market_data.alerts.alert import RUNBOOKS, Alert, Kind, Severity, Sighting, Trouble
from market_data.operations.grades import Grade, Reason
from market_data.operations.pages import UNSEEN, place_of
from market_data.operations.readiness import Section

KINDS: Mapping[str, Kind] = {"cache": Kind.CACHE, "kafka": Kind.KAFKA, "latency": Kind.LATENCY}
"""Name of a section to the kind of its troubles."""


def sightings_of_parts(
    sections: Iterable[Section],
    live: Mapping[str, Alert],
    now: datetime,
    *,
    answering: Collection[str] = (),
) -> Iterator[Sighting]:
    """What was found of the watched parts, and what was found before and is no more.

    Of a part that could not be looked at, nothing is mended.

    Args:
        sections: of the parts in KINDS.
        live: alerts that are not closed, by fingerprint.
        now: the moment.
        answering: names of parts that answered, though nobody judged them now: that they were
            away is mended, whatever else is wrong with them.
    """
    away = {f"{KINDS[name]}|{code}" for name in answering for code in UNSEEN}
    yield from (Sighting(f, now) for f in live if f in away)
    for section in sections:
        kind = KINDS[section.name]
        found = {_fingerprint(kind, reason): reason for reason in section.reasons}
        for fingerprint, reason in found.items():
            yield Sighting(fingerprint, now, _trouble(kind, reason))
        if any(r.code in UNSEEN or not r.code for r in section.reasons):
            continue
        for alert in live.values():
            if alert.trouble.kind is kind and alert.fingerprint not in found:
                yield Sighting(alert.fingerprint, now)


def _fingerprint(kind: Kind, reason: Reason) -> str:
    return f"{kind}|{reason.code}" + (f"|{reason.subject}" if reason.subject else "")


def _trouble(kind: Kind, reason: Reason) -> Trouble:
    what = reason.code.replace("_", " ") or "it cannot be looked at"
    subject = f" of {reason.subject}" if reason.subject else ""
    return Trouble(
        kind=kind,
        severity=Severity.ERROR if reason.grade is Grade.FAIL else Severity.WARN,
        group=str(kind),
        title=f"{kind}: {what}{subject}",
        detail=reason.text,
        runbook=place_of(reason.code) or RUNBOOKS[kind],
    )
