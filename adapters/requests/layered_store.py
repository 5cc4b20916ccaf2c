"""The request budget of several machines: Redis counts, and each machine counts its own beside it.

What belongs here: what is granted while Redis is away, and when it comes back.
What does not: counting (redis_store.py, sqlite_store.py).

A request needs room in both. What this machine has asked is thus known here when Redis goes away
or loses its memory: this machine's count then takes over, and what it granted meanwhile still
counts when Redis is back. No request is ever sent uncounted; while Redis is away, several machines
together may ask as often as each of them alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from adapters.cache.presence import Presence
from adapters.requests.store import (
    BudgetAwayError,
    Change,
    Full,
    Granted,
    RequestStore,
    Standing,
)
from market_data.ports import Claim
from market_data.requests.breaker import Breaker

Found = TypeVar("Found")
Otherwise = TypeVar("Otherwise")

_APART = 0.1
"""Seconds by which this machine's count of a request may lie after the shared one."""


class LayeredRequestStore:
    """A shared place over one of this machine."""

    def __init__(self, shared: RequestStore, own: RequestStore, presence: Presence) -> None:
        """Stack the places.

        Args:
            shared: of all machines.
            own: of this machine.
            presence: whether the shared one answers, as this process knows it.
        """
        self._shared = shared
        self._own = own
        self._presence = presence

    def __repr__(self) -> str:
        return f"LayeredRequestStore({self._shared}, {self._own})"

    def take(self, account: str, claims: Sequence[Claim], hold: int = 0) -> Granted | Full:
        """Grant all of the claims in both places, or none."""
        shared = self._tried(lambda: self._shared.take(account, claims, hold), None)
        if isinstance(shared, Full):
            return shared
        try:
            own = self._take_own(account, claims, hold, patience=_APART if shared else 0.0)
        except BaseException:
            self._return(account, claims, shared)
            raise
        if isinstance(own, Full):
            self._return(account, claims, shared)
            return own
        return Granted((shared or own).at, f"{own.receipt} {shared.receipt if shared else ''}")

    def _take_own(
        self, account: str, claims: Sequence[Claim], hold: int, *, patience: float
    ) -> Granted | Full:
        """A grant of this machine; where it is full for a moment only, after that moment."""
        while True:
            own = self._own.take(account, claims, hold)
            if isinstance(own, Granted):
                return own
            wait = (own.until - own.now) / 1e6
            if wait > patience:
                return own
            time.sleep(wait)
            patience -= wait

    def _return(self, account: str, claims: Sequence[Claim], shared: Granted | None) -> None:
        if shared:
            self._tried(lambda: self._shared.give_back(account, claims, shared), None)

    def settle(self, account: str, claims: Sequence[Claim], granted: Granted) -> None:
        """Let the windows of a request end their length after now, first on this machine.

        Whoever finds room in the shared place then finds it here as well.
        """
        own, shared = _parts(granted)
        self._own.settle(account, claims, own)
        if shared:
            self._tried(lambda: self._shared.settle(account, claims, shared), None)

    def give_back(self, account: str, claims: Sequence[Claim], granted: Granted) -> None:
        """Forget what was granted to some claims and not used."""
        own, shared = _parts(granted)
        self._own.give_back(account, claims, own)
        self._return(account, claims, shared)

    def standing(self, account: str) -> Standing:
        """The breaker; without the windows."""
        return self._either(lambda store: store.standing(account))

    def look(self, account: str) -> Standing:
        """The breaker and every window in which something is remembered, by whoever knows more."""
        own = self._own.look(account)
        shared = self._tried(lambda: self._shared.look(account), None)
        if shared is None:
            return own
        ahead = shared.now - own.now
        known = {(use.allowance, use.subject): use for use in shared.uses}
        for use in own.uses:
            key = (use.allowance, use.subject)
            if key not in known or known[key].used < use.used:
                known[key] = replace(use, next_free=use.next_free + ahead)
        return replace(shared, uses=tuple(known[key] for key in sorted(known)))

    def change(self, account: str, change: Change) -> Breaker:
        """Replace the breaker in one step."""
        return self._either(lambda store: store.change(account, change))

    def _either(self, work: Callable[[RequestStore], Found]) -> Found:
        found = self._tried(lambda: work(self._shared), None)
        return work(self._own) if found is None else found

    def _tried(self, work: Callable[[], Found], otherwise: Otherwise) -> Found | Otherwise:
        """What the shared place says; `otherwise` while it is away."""
        if self._presence.rests:
            return otherwise
        started = time.monotonic()
        try:
            found = work()
        except BudgetAwayError as error:
            self._presence.failed(str(error), took=time.monotonic() - started)
            return otherwise
        self._presence.answered()
        return found


def _parts(granted: Granted) -> tuple[Granted, Granted | None]:
    """What this machine granted, and what the shared place did, unless it was away."""
    own, _, shared = granted.receipt.partition(" ")
    return Granted(granted.at, own), Granted(granted.at, shared) if shared else None
