"""Where grants and breakers are kept: what every such place promises.

What belongs here: the protocol of the places and the records that they return.
What does not: the places (sqlite_store.py, redis_store.py, layered_store.py), waiting and messages
(gate.py).

A window counts what was granted within its length, exactly: a grant is remembered until its length
has passed, and another passes only while what is remembered leaves room for it. A vendor counts
when a request arrives, which is some time between its grant and its answer: so a grant that is held
is remembered until its length has passed since its answer, and however long requests take on their
way, the vendor's own windows hold no more than ours. This is own code:
pyrate-limiter 4.5, the best kept library for it, puts each keyed limit into a bucket of its own, so
that the claims of one request could not be granted together; its SQLite bucket counts and inserts
in two steps unless a file lock is put around them; and both its shared buckets stamp entries with
the asking process's wall clock before they are ordered, so that a clock that is set back or differs
between machines lets requests pass that a window has no room for.

Instants are microseconds of a clock that all users of a place share and that never goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from market_data.errors import ConfigurationError, MarketDataError
from market_data.ports import Claim
from market_data.requests.breaker import Breaker

Change = Callable[[Breaker, int], Breaker]
"""From a breaker and the present instant to the breaker as it shall be."""


class BudgetAwayError(MarketDataError):
    """The server that counts the requests cannot be used; the message is what it does instead."""


@dataclass(frozen=True)
class Granted:
    """A request may be sent.

    Attributes:
        at: when.
        receipt: names the grant to whoever gives it back.
    """

    at: int
    receipt: str = ""


@dataclass(frozen=True)
class Full:
    """A request has to wait.

    Attributes:
        claim: that has to wait longest.
        until: when all of the claims may have room; of requests under way, as if they ended now.
        now: the present instant.
    """

    claim: Claim
    until: int
    now: int


@dataclass(frozen=True)
class WindowUse:
    """What is remembered of one window.

    Attributes:
        allowance: its name.
        subject: whose requests it counts; empty for all.
        requests: the limit, as it was last claimed.
        used: what was granted within its length.
        next_free: when the first grant in it is forgotten, at the latest.
    """

    allowance: str
    subject: str
    requests: int
    used: int
    next_free: int


@dataclass(frozen=True)
class Standing:
    """An account at one instant."""

    breaker: Breaker
    now: int
    uses: tuple[WindowUse, ...] = field(default=())


class RequestStore(Protocol):
    """Keeps the grants and the breaker of each account; safe across threads and processes.

    An account is whose requests a vendor counts together: here the reader of the vendor.
    Every method may raise StorageError or BudgetAwayError.
    """

    def take(self, account: str, claims: Sequence[Claim], hold: int = 0) -> Granted | Full:
        """Grant all of the claims, or none.

        Args:
            account: whose.
            claims: what a request takes.
            hold: for how long, in microseconds, the grant is remembered beyond its windows unless
                it is settled before.
        """
        ...

    def settle(self, account: str, claims: Sequence[Claim], granted: Granted) -> None:
        """The request was answered, or given up: its windows end their length after now."""
        ...

    def give_back(self, account: str, claims: Sequence[Claim], granted: Granted) -> None:
        """Forget what was granted to some claims and not used."""
        ...

    def standing(self, account: str) -> Standing:
        """The breaker; without the windows."""
        ...

    def look(self, account: str) -> Standing:
        """The breaker and every window in which something is remembered."""
        ...

    def change(self, account: str, change: Change) -> Breaker:
        """Replace the breaker in one step, by what `change` makes of it; it may run twice."""
        ...


def merged(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """The claims, those of one window made one.

    Raises:
        ConfigurationError: one could never be granted.
    """
    costs: dict[tuple[str, str], Claim] = {}
    for claim in claims:
        key = (claim.allowance.name, claim.subject)
        before = costs[key].cost if key in costs else 0
        costs[key] = Claim(claim.allowance, claim.subject, claim.cost + before)
    for claim in costs.values():
        if claim.cost > claim.allowance.requests:
            raise ConfigurationError(
                f"a request that counts as {claim.cost} can never pass {claim.allowance}"
                + (f": raise {claim.allowance.setting}" if claim.allowance.setting else "")
            )
    return tuple(costs.values())


def length_of(claim: Claim) -> int:
    """The length of a claim's window in microseconds."""
    per = claim.allowance.per
    return (per.days * 86_400 + per.seconds) * 1_000_000 + per.microseconds
