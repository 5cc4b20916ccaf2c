"""The gate of one account: waits for its turn, refuses what would wait too long, asks the breaker.

What belongs here: waiting, and what a person is told who has to wait too long.
What does not: counting (the stores), when a vendor is left alone (market_data/requests/breaker.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from adapters.requests.store import Full, Granted, RequestStore
from market_data.errors import BudgetSpentError, LeftAloneError, StorageError, VendorError
from market_data.ports import Claim, Clock
from market_data.requests.breaker import PROBE, SECOND, Breaker, State, probed, reported

LOG = logging.getLogger(__name__)

PATIENCE = 90.0
_PATIENCE_SETTING = "EMP_REQUEST_PATIENCE"
MARGIN = PROBE / SECOND
_MICROSECONDS = 1_000_000
_WORTH_TELLING = 1.0


class SharedGate:
    """Grants the requests of one account; see `market_data.ports.RequestGate`.

    A request occupies its windows from its grant until their length after its end. Which grants a
    report is about follows from the thread: whoever asks, waits for the answer.
    """

    def __init__(
        self,
        account: str,
        store: Callable[[], RequestStore],
        clock: Clock,
        *,
        patience: float = PATIENCE,
        margin: float = MARGIN,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; the store is opened when the first request comes.

        Args:
            account: whose requests are counted together.
            store: where they are counted.
            clock: tells people when.
            patience: seconds that a request waits at most.
            margin: seconds after which a request whose end nobody reported is taken for ended;
                0 for windows that count from the grant alone.
            sleep: waits that many seconds.
        """
        self._account = account
        self._store = store
        self._clock = clock
        self._patience = patience
        self._hold = round(margin * SECOND)
        self._sleep = sleep
        self._under_way = _UnderWay()

    def enter(self, claims: Sequence[Claim]) -> None:
        """Wait until all of the claims can be granted at once, and take them.

        Raises:
            BudgetSpentError: the turn would come later than a request waits.
            LeftAloneError: the breaker is open, or another request is its probe.
            ConfigurationError: a claim can never be granted.
            StorageError: the requests cannot be counted; none is sent then.
        """
        waited = 0.0
        while True:
            found = self._attempt(claims)
            if isinstance(found, Granted):
                if claims and self._hold:
                    self._under_way.granted.append((tuple(claims), found))
                return
            wait, told = found
            if waited + wait > self._patience:
                raise self._spent(wait, told)
            if wait >= _WORTH_TELLING:
                LOG.info("%s waits %s for its turn: %s", self._account, told_span(wait), told)
            self._sleep(wait)
            waited += wait

    def report(self, trouble: VendorError | None, *, put_again: bool = False) -> None:
        """Say that what this thread has entered for is over, and how it went, for the breaker.

        Args:
            trouble: None for an answer of any kind.
            put_again: whether the question is put once more.
        """
        store, granted = self._store(), self._under_way.granted
        while granted:
            self._settle(store, *granted.pop())
        if isinstance(trouble, BudgetSpentError | LeftAloneError):
            return

        def change(breaker: Breaker, now: int) -> Breaker:
            return reported(breaker, trouble, now, put_again=put_again)

        standing = store.standing(self._account)
        if change(standing.breaker, standing.now) != standing.breaker:
            store.change(self._account, change)

    def _settle(self, store: RequestStore, claims: Sequence[Claim], granted: Granted) -> None:
        """Tell that a request has ended; an answer that was paid for is not lost for that."""
        try:
            store.settle(self._account, claims, granted)
        except StorageError as error:
            hold = told_span(self._hold / _MICROSECONDS)
            LOG.warning(
                "%s: its windows may end up to %s late, the end of a request cannot be kept: %s",
                self._account,
                hold,
                error,
            )

    def _attempt(self, claims: Sequence[Claim]) -> Granted | tuple[float, str]:
        """The grant, or how long to wait and for what."""
        store = self._store()
        standing = store.standing(self._account)
        breaker, now = standing.breaker, standing.now
        if breaker.closed_until(now) > now:
            raise self._left_alone(breaker, now)
        if breaker.held_until > now:
            return _seconds(breaker.held_until - now), "it asked to be left in peace until then"
        found = store.take(self._account, claims, self._hold)
        if isinstance(found, Full):
            allowance = found.claim.allowance
            cure = f"; {allowance.setting} says what is allowed" if allowance.setting else ""
            return _seconds(found.until - found.now), f"{allowance} are used up{cure}"
        if breaker.state(now) is not State.CLOSED:
            self._probe(store, claims, found)
        return found

    def _probe(self, store: RequestStore, claims: Sequence[Claim], granted: Granted) -> None:
        """Make a granted request the breaker's probe, unless another is.

        Raises:
            LeftAloneError: another is.
        """
        lost: list[tuple[Breaker, int]] = []

        def claim(breaker: Breaker, now: int) -> Breaker:
            lost.clear()
            let_through = probed(breaker, now)
            if let_through is None:
                lost.append((breaker, now))
            return let_through or breaker

        store.change(self._account, claim)
        if lost:
            store.give_back(self._account, claims, granted)
            raise self._left_alone(*lost[0])

    def _spent(self, wait: float, told: str) -> BudgetSpentError:
        return BudgetSpentError(
            f"{self._account}: {told}; its next request can be sent {self._at(wait)}, and a "
            f"request waits {self._patience:g} s at most ({_PATIENCE_SETTING})",
            retry_after=wait,
        )

    def _left_alone(self, breaker: Breaker, now: int) -> LeftAloneError:
        wait = _seconds(breaker.closed_until(now) - now)
        return LeftAloneError(
            f"{self._account} is left alone after {len(breaker.failures)} failures, the last: "
            f"{breaker.trouble or 'unknown'}; it is tried again {self._at(wait)}, or at once after "
            f"'emp budget reset --vendor {self._account} --breaker'"
        )

    def _at(self, wait: float) -> str:
        then = self._clock.now().astimezone(UTC) + timedelta(seconds=wait)
        return f"at {_rounded_up(then):%Y-%m-%d %H:%M:%S} UTC (in {told_span(wait)})"


class _UnderWay(threading.local):
    """What a thread was granted since its last report."""

    def __init__(self) -> None:
        self.granted: list[tuple[tuple[Claim, ...], Granted]] = []


def told_span(seconds: float) -> str:
    """A span of time for people, in its two largest units."""
    whole = int(-(-seconds // 1))
    parts = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        number, whole = divmod(whole, length)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _rounded_up(then: datetime) -> datetime:
    return then + timedelta(microseconds=-then.microsecond % _MICROSECONDS)


def _seconds(span: int) -> float:
    return max(0.0, span / _MICROSECONDS)
