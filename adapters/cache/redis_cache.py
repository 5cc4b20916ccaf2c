"""The cache in Redis, shared by every process.

What belongs here: keys in Redis, what happens while Redis is away.
What does not: what the bytes hold (cached_store.py), the order of use and the numbers (books.py).

Under a namespace lie the entries (`e:<key>`, which Redis itself expires), the order of their use
(`order`), their sizes (`sizes`), the numbers of `CacheMetrics` (`counts`) and the marks of loaders
at work (`l:<key>`). Scripts keep these consistent whatever process dies when; an entry that expired
is found out when it or the numbers are asked for, or when a later one needs room.

A fault of Redis is a miss, told once (presence.py); Redis is left alone for a moment then, so that
reads do not wait for it, and taken back as soon as it answers.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from adapters.cache import books
from adapters.cache.policy import CachePolicy
from adapters.cache.presence import presence_of
from adapters.cache.settings import RedisSettings
from adapters.cache.troubles import trouble_of, wrong_setting
from market_data.ports.cache import CacheMetrics

Found = TypeVar("Found")

LOAD_SECONDS = 30
"""A loader that died holds others up no longer than this."""
WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.02


class RedisCache:
    """Keeps bytes in Redis.

    Args:
        settings: where Redis is.
        policy: what is kept for how long.
    """

    def __init__(self, settings: RedisSettings, policy: CachePolicy) -> None:
        self._settings = settings
        self._policy = policy
        self._client = client_of(settings)
        self._presence = presence_of(settings.shown)
        root = policy.namespace
        self._entry, self._mark = f"{root}:e:", f"{root}:l:"
        self._books = [f"{root}:{name}" for name in ("order", "sizes", "counts")]
        self._scripts = {
            name: self._client.register_script(text)
            for name, text in (
                ("used", books.USED),
                ("put", books.PUT),
                ("drop", books.DROP),
                ("metrics", books.METRICS),
                ("release", books.RELEASE),
            )
        }

    def __repr__(self) -> str:
        return f"RedisCache({self._settings.shown}, {self._policy.namespace})"

    def check(self) -> None:
        """Refuse settings that keep Redis from being used; one that is away is not its business.

        Raises:
            ConfigurationError: the password or the user is wrong, or who checks certificates.
        """
        if self.idle:
            return
        started = time.monotonic()
        try:
            self._client.ping()
        except redis.RedisError as error:
            if wrong := wrong_setting(error, self._settings):
                raise wrong from None
            self._presence.failed(trouble_of(error), took=time.monotonic() - started)
        else:
            self._presence.answered()

    @property
    def idle(self) -> bool:
        """While Redis is left alone, and where the policy keeps nothing."""
        return not self._policy.max_keys or self._presence.rests

    def get(self, key: str) -> bytes | None:
        """The bytes of a key, or None."""

        def ask() -> bytes | None:
            content = cast("bytes | None", self._client.get(self._entry + key))
            found = "1" if content is not None else "0"
            self._run("used", key, found)
            return content

        return self._tried(ask, None)

    def put(self, key: str, content: bytes) -> None:
        """Keep bytes; what is larger than the whole cache is not kept."""
        limits = self._policy
        if len(content) > limits.max_bytes:
            return

        def keep() -> None:
            milliseconds = int(limits.ttl_seconds * 1000)
            self._run("put", key, content, milliseconds, limits.max_keys, limits.max_bytes)

        self._tried(keep, None)

    @contextmanager
    def loading(self, key: str) -> Iterator[bool]:
        """True for one caller among all processes, see the port."""
        token, mark = uuid.uuid4().hex, self._mark + key

        def claim() -> bool:
            return bool(self._client.set(mark, token, nx=True, ex=LOAD_SECONDS))

        if not self._tried(claim, True):
            yield not self._waited(mark)
            return
        try:
            yield True
        finally:
            self._tried(lambda: self._scripts["release"](keys=[mark], args=[token]), None)

    def invalidate(self, prefix: str) -> int:
        """Forget every key that begins so, or with one of the policy's prefixes."""
        return self._drop("invalidations", prefix, *self._policy.invalidate_prefixes)

    def spoilt(self, key: str) -> None:
        """Forget a key whose bytes could not be read."""
        self._drop("failures", key)

    def metrics(self, *, reset: bool = False) -> CacheMetrics:
        """What it did over all processes; nothing but zeros while Redis is away.

        Looks whether each entry is still there: ten milliseconds of Redis for 4,096 of them.
        """

        def look() -> CacheMetrics:
            keys, told = self._run("metrics", int(reset))
            counted = {n.decode(): int(by) for n, by in zip(told[::2], told[1::2], strict=True)}
            return CacheMetrics(**counted, keys=keys)

        return self._tried(look, CacheMetrics())

    def describe(self) -> dict[str, str]:
        """What people are told of it."""
        return {
            "backing": "redis",
            "server": self._settings.shown,
            "namespace": self._policy.namespace,
            "client_name": self._settings.client_name,
            "tls": "on" if self._settings.tls else "off",
            "ttl_seconds": str(self._policy.ttl_seconds),
            "max_keys": str(self._policy.max_keys),
            "max_bytes": str(self._policy.max_bytes),
            "state": "away" if self._presence.is_away else "there",
        }

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _drop(self, counter: str, *prefixes: str) -> int:
        return self._tried(lambda: int(self._run("drop", counter, *prefixes)), 0)

    def _run(self, script: str, *arguments: str | bytes | float) -> Any:
        """What a script of books.py returns."""
        return self._scripts[script](keys=self._books, args=[self._entry, time.time(), *arguments])

    def _waited(self, mark: str) -> bool:
        """Whether another loader ended before patience did."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if not self._tried(lambda: self._client.exists(mark), 0):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _tried(self, work: Callable[[], Found], otherwise: Found) -> Found:
        """What Redis says; `otherwise` where it is away, or keeps nothing for this policy."""
        if self.idle:
            return otherwise
        started = time.monotonic()
        try:
            found = work()
        except redis.RedisError as error:
            self._presence.failed(trouble_of(error), took=time.monotonic() - started)
            return otherwise
        self._presence.answered()
        return found


def client_of(settings: RedisSettings) -> redis.Redis:
    """A client of redis-py; connects when it is used first."""
    options: dict[str, Any] = settings.client_options()
    # A server that hangs will hang still; one that closed an idle connection takes another.
    again = (redis.ConnectionError, *([redis.TimeoutError] if settings.retry_on_timeout else []))
    options["retry"] = Retry(NoBackoff(), 1, supported_errors=again)
    url = options.pop("url", None)
    return redis.Redis.from_url(url, **options) if url else redis.Redis(**options)
