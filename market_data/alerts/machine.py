r"""The states of an alert: what a look changes.

What belongs here: `observe`, a pure step from looks at things to alerts.
What does not: what is told when (telling.py), where alerts are kept, how messages travel.

For every thing and every route messages alternate, opened, recovered, opened ..., whatever the
looks were:

    closed --bad--> waiting --due--> open --good--> mended --due--> closed
                       |                \__________/
                     good: closed           bad: open again, nothing is told

A look that is older than the newest one changes nothing, so that looks may come twice and late.
Looks at parts of what is wrong are remembered (parts.py): of each session and symbol the newest
look counts, whatever their order, and the parts together mend the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from market_data.alerts.alert import Alert, Phase, Sighting, Trouble
from market_data.alerts.parts import Part, Parts, complete
from market_data.alerts.rules import AlertRules


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
        after = _after(changed.get(seen.fingerprint) or alerts.get(seen.fingerprint), seen, rules)
        if after is not None:
            changed[seen.fingerprint] = after
    return changed


def _after(known: Alert | None, seen: Sighting, rules: AlertRules) -> Alert | None:
    """The alert after one more look; None where nothing changes."""
    if known is None:
        return None if seen.trouble is None else _opened(None, seen, rules)
    whole = known.trouble.sessions
    of_all = seen.part is None or (seen.trouble is not None and whole is None)
    if of_all and seen.at >= _newest(known):
        return _good(known, seen.at) if seen.trouble is None else _bad(known, seen, rules, Parts())
    # Of what is about no session the newest look counts; else that of each session and symbol.
    if whole is None:
        return None
    if seen.part is None and not known.mended and not known.broken:
        return None
    return _good_part(known, seen) if seen.trouble is None else _bad_part(known, seen, rules)


def _good(known: Alert, at: datetime) -> Alert:
    known = replace(known, last_seen=at, mended=(), broken=())
    return replace(known, phase=_mended(known))


def _mended(known: Alert) -> Phase:
    if known.phase is Phase.OPEN and known.told:
        return Phase.MENDED
    return Phase.CLOSED if known.phase in (Phase.OPEN, Phase.WAITING) else known.phase


def _good_part(known: Alert, seen: Sighting) -> Alert | None:
    """One more part is right; when it is the last one, all of it is."""
    looked = _parts(known).with_right(_part(known, seen), _asked(known.trouble))
    after = replace(known, mended=looked.right, broken=looked.wrong)
    if known.phase in (Phase.OPEN, Phase.WAITING) and _is_whole(known, looked):
        after = replace(after, phase=_mended(known), last_seen=_newest(after))
    return after if (after.mended, after.phase) != (known.mended, known.phase) else None


def _bad_part(known: Alert, seen: Sighting, rules: AlertRules) -> Alert | None:
    """One more part is wrong, unless all of it was right after that."""
    whole = known.trouble.sessions
    assert whole is not None  # noqa: S101
    looked = _parts(known).with_wrong(_part(known, seen), _asked(known.trouble), whole)
    if known.phase in (Phase.MENDED, Phase.CLOSED) and _is_whole(known, looked):
        return replace(known, mended=looked.right, broken=looked.wrong)
    if seen.at < known.last_seen and looked == _parts(known):
        return None
    return _bad(known, seen, rules, looked)


def _part(known: Alert, seen: Sighting) -> Part:
    """What was looked at."""
    if seen.part is not None:
        return seen.part
    told = (seen.trouble or known.trouble).sessions or known.trouble.sessions
    assert told is not None  # noqa: S101
    return Part(*told, (), seen.at)


def _parts(known: Alert) -> Parts:
    """What is known of parts; of looks at all of it alone, that it is all right or all wrong."""
    found = Parts(known.mended, known.broken)
    if found or known.trouble.sessions is None:
        return found
    all_of_it = (Part(*known.trouble.sessions, (), known.last_seen),)
    right = known.phase in (Phase.MENDED, Phase.CLOSED)
    return Parts(right=all_of_it) if right else Parts(wrong=all_of_it)


def _is_whole(known: Alert, looked: Parts) -> bool:
    sessions = known.trouble.sessions
    return sessions is not None and complete(looked.right, sessions, _asked(known.trouble))


def _newest(known: Alert) -> datetime:
    newest = Parts(known.mended, known.broken).newest
    return known.last_seen if newest is None else max(known.last_seen, newest)


def _asked(trouble: Trouble) -> tuple[str, ...]:
    """Its symbols where all are named."""
    return trouble.symbols if trouble.symbol_count == len(trouble.symbols) else ()


def _opened(known: Alert | None, seen: Sighting, rules: AlertRules) -> Alert:
    trouble = seen.trouble
    assert trouble is not None  # noqa: S101
    due = seen.at + rules.patience(trouble, seen.at)
    last = seen.at if known is None else max(seen.at, known.last_seen)
    return Alert(seen.fingerprint, trouble, Phase.WAITING, seen.at, last, due)


def _bad(known: Alert, seen: Sighting, rules: AlertRules, looked: Parts) -> Alert:
    trouble = seen.trouble
    assert trouble is not None  # noqa: S101
    if known.phase is Phase.CLOSED:
        new = _opened(known, seen, rules)
        return replace(new, mended=looked.right, broken=looked.wrong)
    if seen.at < known.last_seen:
        trouble = known.trouble
    # A route's recovery names what it was told of, whatever was seen since.
    changed = trouble != known.trouble
    return replace(
        known,
        trouble=trouble,
        heard={name: known.as_told_to(name).trouble for name in known.told}
        if changed
        else known.heard,
        phase=Phase.OPEN if known.phase is Phase.MENDED else known.phase,
        last_seen=max(seen.at, known.last_seen),
        sightings=known.sightings + 1,
        mended=looked.right,
        broken=looked.wrong,
    )
