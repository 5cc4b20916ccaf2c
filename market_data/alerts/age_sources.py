"""From how far stored bars reach to looks at datasets that are stale.

What belongs here: which symbols are late, and which of them broke together.
What does not: reading how far bars reach (market_data/pipeline/ages.py).

Symbols that began to be late with the same session are one alert, until the last of them is current
again: one that is late for good keeps nobody from hearing of the next ones. A symbol that comes
further and is still late stays in its alert.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from market_data.alerts.alert import (
    NAMED_SYMBOLS,
    RUNBOOKS,
    Alert,
    Kind,
    Severity,
    Sighting,
    Trouble,
)
from market_data.alerts.facts import AgeFact

Late = Mapping[str, str]
"""Symbol to the session with which it began to be late, ISO; empty where nobody knows."""


def current_symbols(fact: AgeFact) -> set[str]:
    """Symbols whose bars reach as far as they should."""
    return {s for s, due in fact.due_warn.items() if s in fact.newest and fact.newest[s] >= due}


def late_symbols(
    fact: AgeFact, watched: Collection[str], known: Late, live: Mapping[str, Alert]
) -> dict[str, str]:
    """Symbols that are late now, each with the session with which that began.

    Args:
        fact: how far bars reach.
        watched: symbols that were current once: history that was loaded for research was never
            current, and cannot become stale.
        known: what this said at the look before; of what is missing there the alerts know.
        live: alerts that are not closed.
    """
    late = [s for s in sorted(watched) if s in fact.due_warn and _lacks(fact, s)]
    alerts = [live[name] for name in sorted(live) if _is_about(name, fact.asset)]
    return {s: known[s] if s in known else _began(s, fact, alerts) for s in late}


def sightings_of_ages(
    facts: Iterable[AgeFact],
    watched: Mapping[str, Collection[str]],
    late: Mapping[str, Late],
    live: Mapping[str, Alert],
    now: datetime,
) -> Iterator[Sighting]:
    """Datasets whose bars end too early: a look at each of their alerts.

    Args:
        facts: how far bars reach.
        watched: by asset, the symbols that were current once.
        late: by asset, those that are late, see `late_symbols`.
        live: alerts that are not closed.
        now: the moment.
    """
    for fact in facts:
        due = [s for s in watched.get(fact.asset, ()) if s in fact.due_warn]
        together: dict[str, list[str]] = {}
        for symbol, since in sorted(late.get(fact.asset, {}).items()):
            together.setdefault(_fingerprint(fact.asset, since), []).append(symbol)
        for name in live:
            if _is_about(name, fact.asset) and name not in together:
                yield Sighting(name, now)
        for name, symbols in together.items():
            yield Sighting(name, now, _trouble(fact, symbols, len(due), now))


def _fingerprint(asset: str, since: str) -> str:
    return f"stale|{asset}|{since}".rstrip("|")


def _is_about(fingerprint: str, asset: str) -> bool:
    return fingerprint == f"stale|{asset}" or fingerprint.startswith(f"stale|{asset}|")


def _lacks(fact: AgeFact, symbol: str) -> bool:
    return symbol not in fact.newest or fact.newest[symbol] < fact.due_warn[symbol]


def _began(symbol: str, fact: AgeFact, alerts: Iterable[Alert]) -> str:
    """The session of the alert that holds a symbol; where none does, the one that is due."""
    for alert in alerts:
        since = alert.fingerprint.removeprefix(f"stale|{fact.asset}").removeprefix("|")
        trouble, newest = alert.trouble, fact.newest.get(symbol)
        if symbol in trouble.symbols:
            return since
        # Of many not all are named: one that ends before their session is of them.
        unnamed = trouble.symbol_count > len(trouble.symbols)
        if unnamed and (newest is None or not since or str(newest) < since):
            return since
    return str(fact.due_warn[symbol])


def _trouble(fact: AgeFact, late: list[str], watched: int, now: datetime) -> Trouble:
    worse = any(s not in fact.newest or fact.newest[s] < fact.due_error[s] for s in late)
    first = min(late, key=lambda s: (fact.newest[s] if s in fact.newest else now.date(), s))
    return Trouble(
        kind=Kind.STALE_DATA,
        severity=Severity.ERROR if worse else Severity.WARN,
        group=fact.asset,
        title=f"{fact.asset} is stale",
        detail=f"{len(late)} of {watched} symbols lack bars that are due; {first} ends "
        f"with {fact.newest.get(first) or 'nothing'}, and {fact.due_warn[first]} is due",
        asset=fact.asset,
        asset_group=fact.terms.group or fact.asset.split("/", maxsplit=1)[0],
        owners=fact.terms.owners,
        symbols=tuple(late[:NAMED_SYMBOLS]),
        symbol_count=len(late),
        runbook=RUNBOOKS[Kind.STALE_DATA],
    )
