"""What an account has used of its allowances, and how its breaker stands.

What belongs here: from what a place remembers to what people read, in times of their clock.
What does not: the form in which it is shown (emp/commands/budget.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.requests.store import RequestStore, Standing, WindowUse
from market_data.ports import Allowance, Clock, Window
from market_data.requests.breaker import State


@dataclass(frozen=True)
class AccountReport:
    """One account at one moment.

    Attributes:
        account: its name.
        windows: those that all its requests share first, then those of a subject.
        state: of the breaker.
        failures: since the last answer, and not long ago.
        opened: how often in a row the breaker was opened.
        retry_at: when the vendor is tried again; None where it can be at once.
        held_until: until when the vendor asked to be left in peace; None for not at all.
        trouble: the last failure; empty where an answer came since.
    """

    account: str
    windows: tuple[Window, ...]
    state: State
    failures: int
    opened: int
    retry_at: datetime | None
    held_until: datetime | None
    trouble: str


def report(
    store: RequestStore, account: str, allowances: Sequence[Allowance], clock: Clock
) -> AccountReport:
    """What a place remembers of an account.

    Args:
        store: the place.
        account: whose.
        allowances: those that are shown whether anything of them is used or not.
        clock: of the reader.
    """
    found, now = store.look(account), clock.now()
    moments = _Moments(found, now)
    breaker = found.breaker
    uses = {(use.allowance, use.subject): use for use in found.uses}
    shared = [(a, uses.pop((a.name, ""), None)) for a in allowances]
    others = [(Allowance(use.allowance, use.requests, timedelta(0)), use) for use in uses.values()]
    return AccountReport(
        account=account,
        windows=tuple(_window(allowance, use, moments) for allowance, use in shared + others),
        state=breaker.state(found.now),
        failures=len(breaker.failures),
        opened=breaker.opened,
        retry_at=moments.later(breaker.closed_until(found.now)),
        held_until=moments.later(breaker.held_until),
        trouble=breaker.trouble,
    )


@dataclass(frozen=True)
class _Moments:
    """From instants of the place's clock to moments of the reader's."""

    standing: Standing
    now: datetime

    @property
    def peace(self) -> int:
        """Until when nothing is asked, whatever the windows leave."""
        breaker, now = self.standing.breaker, self.standing.now
        return max(now, breaker.closed_until(now), breaker.held_until)

    def later(self, instant: int) -> datetime | None:
        ahead = instant - self.standing.now
        return self.now + timedelta(microseconds=ahead) if ahead > 0 else None


def _window(allowance: Allowance, use: WindowUse | None, moments: _Moments) -> Window:
    if use is None:
        return Window(allowance, 0, moments.later(moments.peace))
    full = use.used >= allowance.requests
    free = max(moments.peace, use.next_free) if full else moments.peace
    return Window(allowance, use.used, moments.later(free), use.subject)
