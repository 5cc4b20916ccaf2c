"""Messages that ask for a refresh, as plans of backfills.

What belongs here: which messages can be done, which say what is asked for already, what is planned
for the rest. What does not: their form (market_data/refresh_messages.py), taking and keeping them
(adapters/kafka/refresh.py, adapters/operations/messages.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from market_data.automation.messages import MessageRules
from market_data.backfill.experience import rates_of
from market_data.backfill.guards import guarded
from market_data.backfill.plans import CURATED, BackfillPlan, BackfillRequest
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill, PieceState
from market_data.errors import ConfigurationError
from market_data.pipeline.backfill import plan_backfill
from market_data.pipeline.backfill_feeds import askable
from market_data.pipeline.platform import Platform
from market_data.refresh_messages import PoisonError, coalesce, parse
from market_data.wording import few


@dataclass(frozen=True)
class Answered:
    """What becomes of some messages.

    Attributes:
        plans: what is launched.
        poison: place of a message among them, to the reason why it is not done: it never can be, or
            it is so large that a person has to try it with a pilot first.
        known: wishes for which a backfill waits already, or of which nothing lacks.
    """

    plans: tuple[BackfillPlan, ...] = ()
    poison: dict[int, str] = field(default_factory=dict)
    known: int = 0


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
    reader = _Reader(platform, rules.largest)
    wishes: dict[int, BackfillRequest] = {}
    poison: dict[int, str] = {}
    for place, body in enumerate(bodies):
        try:
            wishes[place] = reader.read(body)
        except PoisonError as error:
            poison[place] = str(error)
    joined = coalesce(list(wishes.values()), rules.backfills)
    left = [wish for wish in joined if not any(_says(one, wish) for one in live)]
    plans = [
        plan_backfill(platform, wish, policy, rates_of(live, wish.dataset)).plan for wish in left
    ]
    now = platform.clock.now()
    launches = [guarded(plan, [*live, *known], policy, now) for plan in plans if plan.pieces]
    for launch in launches:
        if launch.refused:
            asked = launch.plan.request
            poison |= {n: launch.refused for n, wish in wishes.items() if _meets(asked, wish)}
    useful = tuple(launch.plan for launch in launches if not launch.refused)
    return Answered(useful, poison, len(joined) - len(launches))


def _meets(asked: BackfillRequest, wish: BackfillRequest) -> bool:
    """Whether a wish became a part of what is asked for."""
    return (
        asked.dataset == wish.dataset
        and not set(asked.symbols).isdisjoint(wish.symbols)
        and asked.first <= wish.last
        and wish.first <= asked.last
    )


class _Reader:
    """Reads messages, each text once: many are alike."""

    def __init__(self, platform: Platform, largest: int) -> None:
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
        return wish

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
