"""Messages that ask for a refresh, as plans of backfills.

What belongs here: which messages can be done, which say what is asked for already, what is planned
for the rest. What does not: their form (market_data/refresh_messages.py), taking and keeping them
(adapters/kafka/refresh.py, adapters/operations/messages.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import polars as pl

from market_data.automation.messages import MessageRules
from market_data.backfill.experience import rates_of
from market_data.backfill.guards import Guarded, guarded
from market_data.backfill.plans import CURATED, BackfillPlan, BackfillRequest
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill, PieceState
from market_data.calendars import expected_bars
from market_data.errors import ConfigurationError
from market_data.pipeline.backfill import plan_backfill
from market_data.pipeline.backfill_feeds import askable
from market_data.pipeline.platform import Platform
from market_data.refresh_messages import PoisonError, coalesce, parse
from market_data.wording import few

_PAUSE = timedelta(days=31)


@dataclass(frozen=True)
class Answered:
    """What becomes of some messages.

    Attributes:
        plans: what is launched.
        poison: place of a message among them, to the reason why it is not done: it never can be,
            its sessions have not begun, or it is so large by itself that a person has to try it
            with a pilot first.
        known: wishes for which a backfill waits already.
        complete: what there is nothing to do for; plans without pieces.
    """

    plans: tuple[BackfillPlan, ...] = ()
    poison: dict[int, str] = field(default_factory=dict)
    known: int = 0
    complete: tuple[BackfillPlan, ...] = ()


def answer(
    platform: Platform,
    bodies: Sequence[bytes | None],
    rules: MessageRules,
    policy: BackfillPolicy,
    live: Sequence[Backfill],
    known: Sequence[Backfill] = (),
) -> Answered:
    """What is launched for some messages; nobody is asked and nothing is written.

    Args:
        platform: configuration and ports.
        bodies: of the messages.
        rules: how many backfills they become.
        policy: how these are cut.
        live: backfills that are under way.
        known: those that are over; among them is the pilot of a large one.

    Raises:
        StorageError: what is used of a vendor's limits cannot be read.
    """
    reader = _Reader(platform, rules.largest, _Launcher(platform, policy, live, known))
    wishes: dict[int, BackfillRequest] = {}
    poison: dict[int, str] = {}
    for place, body in enumerate(bodies):
        try:
            wishes[place] = reader.read(body)
        except PoisonError as error:
            poison[place] = str(error)
    joined = coalesce(list(wishes.values()), rules.backfills)
    left = [wish for wish in joined if not reader.launcher.is_known(wish)]
    plans = [plan for wish in left for plan in reader.launcher.plans(wish)]
    return Answered(
        tuple(plan for plan in plans if plan.pieces),
        poison,
        len(joined) - len(left),
        tuple(plan for plan in plans if not plan.pieces),
    )


class _Launcher:
    """Plans what may be launched of wishes, each of which may be launched alone."""

    def __init__(
        self,
        platform: Platform,
        policy: BackfillPolicy,
        live: Sequence[Backfill],
        known: Sequence[Backfill],
    ) -> None:
        self._platform = platform
        self._policy = policy
        self._live = live
        self._earlier = [*live, *known]
        self._classes = platform.universe.classes

    def is_known(self, wish: BackfillRequest) -> bool:
        """Whether a backfill that waits will do what is wished for."""
        return any(_says(one, wish) for one in self._live)

    def refused(self, wish: BackfillRequest) -> str:
        """Why a wish may not be launched alone; empty where it may."""
        most = ((wish.last - wish.first).days + 1) * len(wish.symbols)
        if most <= self._policy.guard_symbol_sessions or self.is_known(wish):
            return ""
        return self._guarded(wish).refused

    def plans(self, wish: BackfillRequest) -> list[BackfillPlan]:
        """The plan of a joined wish; as several where it is larger than one may be.

        What nobody may launch without a pilot is a large wish, and not many small ones: those are
        as many backfills as it takes, each of which may be cancelled and rolled back by itself.
        """
        launch = self._guarded(wish)
        size = launch.plan.symbol_sessions
        parts = _parts(wish, -(-size // max(1, self._policy.guard_symbol_sessions)))
        if not launch.refused or len(parts) == 1:
            return [launch.plan]
        return [plan for part in parts for plan in self.plans(part) if plan.pieces]

    def _guarded(self, wish: BackfillRequest) -> Guarded:
        rates = rates_of(self._live, wish.dataset)
        plan = plan_backfill(self._platform, wish, self._policy, rates).plan
        now = self._platform.clock.now()
        return guarded(plan, self._earlier, self._policy, now, self._classes)


def _parts(wish: BackfillRequest, number: int) -> list[BackfillRequest]:
    """A wish as about so many, of some of its symbols each, or of some of its days."""
    names, days = wish.symbols, (wish.last - wish.first).days + 1
    if len(names) > 1:
        step = -(-len(names) // max(2, number))
        return [replace(wish, symbols=names[n : n + step]) for n in range(0, len(names), step)]
    step = -(-days // max(2, number))
    firsts = [wish.first + timedelta(days=n) for n in range(0, days, step)]
    last = timedelta(days=step - 1)
    return [replace(wish, first=first, last=min(first + last, wish.last)) for first in firsts]


class _Reader:
    """Reads messages, each text once: many are alike."""

    def __init__(self, platform: Platform, largest: int, launcher: _Launcher) -> None:
        self.launcher = launcher
        self._platform = platform
        self._largest = largest
        self._served: dict[str, frozenset[str] | PoisonError] = {}
        self._read: dict[bytes | None, BackfillRequest | PoisonError] = {}

    def read(self, body: bytes | None) -> BackfillRequest:
        """The wish of a message.

        Raises:
            PoisonError: it can never be done, or not as the installation is configured.
        """
        if body not in self._read:
            try:
                self._read[body] = self._possible(parse(body, self._largest))
            except PoisonError as error:
                self._read[body] = error
        found = self._read[body]
        if isinstance(found, PoisonError):
            raise found
        return found

    def _possible(self, wish: BackfillRequest) -> BackfillRequest:
        served = self._served_of(wish.dataset)
        if isinstance(served, PoisonError):
            raise served
        if unknown := sorted(set(wish.symbols) - served):
            raise PoisonError(f"{wish.dataset} has no {few(unknown, 5)} that is known here")
        earliest = self._platform.universe.first_session
        if wish.last < earliest:
            raise PoisonError(f"it ends ({wish.last}) before the first session ({earliest})")
        wish = self._begun(wish)
        if refused := self.launcher.refused(wish):
            raise PoisonError(refused)
        return wish

    def _begun(self, wish: BackfillRequest) -> BackfillRequest:
        """A wish without the days of which no session can have opened.

        Raises:
            PoisonError: none of its sessions has.
        """
        now = self._platform.clock.now()
        soon = now.date() + timedelta(days=1)
        ahead = PoisonError(
            f"its sessions lie ahead ({wish.first} to {wish.last}), and it is {now:%Y-%m-%d %H:%M} "
            "UTC; 'emp messages retry' does it once they have begun"
        )
        if wish.first > soon:
            raise ahead
        short = replace(wish, last=min(wish.last, soon))
        # No market pauses for so long that an older range has nothing but sessions ahead.
        if now.date() - wish.first <= _PAUSE:
            instruments = [self._platform.universe.instrument(s) for s in wish.symbols]
            days = expected_bars(instruments, wish.timeframe, short.first, short.last)
            later = wish.last > soon or not days.is_empty()
            if later and days.filter(pl.col("open") <= now).is_empty():
                raise ahead
        return short

    def _served_of(self, dataset: str) -> frozenset[str] | PoisonError:
        if dataset not in self._served:
            self._served[dataset] = _known(self._platform, dataset)
        return self._served[dataset]


def _known(platform: Platform, dataset: str) -> frozenset[str] | PoisonError:
    """The symbols of a dataset; curated bars are made anew of whatever the raw logs hold."""
    if dataset.startswith(f"{CURATED}/"):
        return frozenset(instrument.symbol for instrument in platform.universe.instruments)
    try:
        return askable(platform, dataset)
    except ConfigurationError as error:
        return PoisonError(str(error))


def _says(backfill: Backfill, wish: BackfillRequest) -> bool:
    """Whether a backfill that is under way will do what is wished for.

    It counts only before it has begun: what it has done is older than the wish.
    """
    planned = backfill.plan.request
    if backfill.plan.pilot or planned.outdated or not planned.covers(wish):
        return False
    begun = any(piece.state is not PieceState.WAITING for piece in backfill.pieces)
    enough = planned.refetch >= wish.refetch and planned.overwrite_curated >= wish.overwrite_curated
    return enough and not begun
