"""The request budget in Redis, shared by all machines.

What belongs here: keys, and what the errors of Redis mean here.
What does not: what runs inside Redis (redis_scripts.py), what happens while Redis is away
(layered_store.py).

Keys that concern a whole account have no end, so that a Redis that is a cache, and makes room by
dropping what has one, keeps them; windows of one contract or one question alone have one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from adapters.cache.redis_cache import client_of
from adapters.cache.settings import RedisSettings
from adapters.cache.troubles import trouble_of, wrong_setting
from adapters.requests.breaker_text import breaker_of, text_of
from adapters.requests.redis_scripts import GIVE_BACK, LOOK, SETTLE, TAKE
from adapters.requests.store import (
    BudgetAwayError,
    Change,
    Full,
    Granted,
    Standing,
    WindowUse,
    length_of,
    merged,
)
from market_data.ports import Claim
from market_data.requests.breaker import Breaker

NAMESPACE = "emp:requests"
_BETWEEN = "\x1f"
_MARGIN_MS = 60_000


class RedisRequestStore:
    """Keeps grants and breakers on a server."""

    def __init__(
        self,
        settings: RedisSettings,
        *,
        namespace: str = NAMESPACE,
        wall: Callable[[], int] | None = None,
    ) -> None:
        """Prepare a client; it connects when it is used first.

        Args:
            settings: where Redis is.
            namespace: what all keys begin with.
            wall: microseconds since 1970; None for the server's own clock.
        """
        self._settings = settings
        self._namespace = namespace
        self._wall = wall
        self._client = client_of(settings)
        self._take = self._client.register_script(TAKE)
        self._settle = self._client.register_script(SETTLE)
        self._give_back = self._client.register_script(GIVE_BACK)
        self._look = self._client.register_script(LOOK)

    def __repr__(self) -> str:
        return f"RedisRequestStore({self._settings.shown}, {self._namespace})"

    def take(self, account: str, claims: Sequence[Claim], hold: int = 0) -> Granted | Full:
        """Grant all of the claims, or none; see the protocol."""
        wanted = merged(claims)
        receipt = uuid.uuid4().hex
        arguments: list[str | int] = [self._given(), receipt, hold]
        for claim in wanted:
            length = length_of(claim)
            keep = (length * 2 + hold) // 1_000 + _MARGIN_MS if claim.subject else 0
            name = f"{_name(claim)}{_BETWEEN}{claim.allowance.requests}"
            arguments += [claim.allowance.requests, length, claim.cost, name, keep]
        keys = [self._key(account, "mark"), self._key(account, "windows")]
        keys += [self._window(account, claim) for claim in wanted]
        with self._asking():
            worst, until, now = self._take(keys=keys, args=arguments)
        if worst:
            return Full(wanted[worst - 1], int(until), int(now))
        return Granted(int(now), receipt)

    def settle(self, account: str, claims: Sequence[Claim], granted: Granted) -> None:
        """Let the windows of a request end their length after now."""
        wanted = merged(claims)
        keys = [self._key(account, "mark"), *(self._window(account, claim) for claim in wanted)]
        arguments: list[str | int] = [self._given(), granted.receipt]
        for claim in wanted:
            arguments += [length_of(claim), claim.cost]
        with self._asking():
            self._settle(keys=keys, args=arguments)

    def give_back(self, account: str, claims: Sequence[Claim], granted: Granted) -> None:
        """Forget what was granted to some claims and not used."""
        wanted = merged(claims)
        keys = [self._window(account, claim) for claim in wanted]
        with self._asking():
            self._give_back(keys=keys, args=[granted.receipt, *(c.cost for c in wanted)])

    def standing(self, account: str) -> Standing:
        """The breaker; without the windows."""
        return self._looked(account, "")

    def look(self, account: str) -> Standing:
        """The breaker and every window in which something is remembered."""
        return self._looked(account, self._key(account, "g:"))

    def change(self, account: str, change: Change) -> Breaker:
        """Replace the breaker in one step."""
        key = self._key(account, "breaker")

        made: list[Breaker] = []

        def replace(pipe: Any) -> None:
            now = self.standing(account).now
            made.append(change(breaker_of(pipe.get(key)), now))
            pipe.multi()
            pipe.set(key, text_of(made[-1]))

        with self._asking():
            # It is run again when another process was quicker.
            self._client.transaction(replace, key)
        return made[-1]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _looked(self, account: str, windows: str) -> Standing:
        keys = [self._key(account, name) for name in ("mark", "windows", "breaker")]
        with self._asking():
            now, breaker, *found = self._look(keys=keys, args=[self._given(), windows])
        uses: dict[tuple[str, str], WindowUse] = {}
        # The newest comes last: a limit that was changed since replaces the former.
        for member, used, free in zip(found[::3], found[1::3], found[2::3], strict=True):
            allowance, subject, requests = member.decode().split(_BETWEEN)
            use = WindowUse(allowance, subject, int(requests), int(used), int(free))
            uses[allowance, subject] = use
        return Standing(breaker_of(breaker), int(now), tuple(uses[key] for key in sorted(uses)))

    def _given(self) -> str | int:
        return "" if self._wall is None else self._wall()

    def _key(self, account: str, name: str) -> str:
        # The braces keep the keys of one account together, where Redis is a cluster.
        return f"{self._namespace}:{{{account}}}:{name}"

    def _window(self, account: str, claim: Claim) -> str:
        return self._key(account, f"g:{_name(claim)}")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Makes what Redis refuses a typed error.

        Raises:
            ConfigurationError: it refuses the login, or fails the checks of TLS.
            BudgetAwayError: anything else.
        """
        try:
            yield
        except redis.RedisError as error:
            if wrong := wrong_setting(error, self._settings):
                raise wrong from None
            raise BudgetAwayError(trouble_of(error)) from None


def _name(claim: Claim) -> str:
    return f"{claim.allowance.name}{_BETWEEN}{claim.subject.replace(_BETWEEN, ' ')}"
