"""The cache in Redis, shared by every process.

What belongs here: keys in Redis, the order of use, what happens while Redis is away.
What does not: what the bytes hold (cached_store.py).

Under a namespace lie the entries (`e:<key>`, which Redis itself expires), the order of their use
(`order`), their sizes (`sizes`), the numbers of `CacheMetrics` (`counts`) and the marks of loaders
at work (`l:<key>`). Scripts keep these consistent whatever process dies when; an entry that expired
is found out when it is asked for, or when a later one needs room.

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

# KEYS: entry, order, sizes, counts. ARGV: key, now, whether it was found.
_USED = """
if ARGV[3] == '1' then
  redis.call('HINCRBY', KEYS[4], 'hits', 1)
  redis.call('ZADD', KEYS[2], 'XX', ARGV[2], ARGV[1])
else
  redis.call('HINCRBY', KEYS[4], 'misses', 1)
  if redis.call('ZREM', KEYS[2], ARGV[1]) == 1 then
    redis.call('HINCRBY', KEYS[4], 'expirations', 1)
    redis.call('HINCRBY', KEYS[4], 'bytes', -(redis.call('HGET', KEYS[3], ARGV[1]) or 0))
    redis.call('HDEL', KEYS[3], ARGV[1])
  end
end
"""

# KEYS: entry, order, sizes, counts. ARGV: key, now, content, milliseconds, keys, bytes, prefix.
_PUT = """
local function drop(key, counter)
  redis.call('ZREM', KEYS[2], key)
  redis.call('HINCRBY', KEYS[4], 'bytes', -(redis.call('HGET', KEYS[3], key) or 0))
  redis.call('HDEL', KEYS[3], key)
  if redis.call('DEL', ARGV[7] .. key) == 0 then counter = 'expirations' end
  if counter then redis.call('HINCRBY', KEYS[4], counter, 1) end
end
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HINCRBY', KEYS[4], 'bytes', -(redis.call('HGET', KEYS[3], ARGV[1]) or 0))
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], #ARGV[3])
redis.call('HINCRBY', KEYS[4], 'bytes', #ARGV[3])
while redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[5])
    or tonumber(redis.call('HGET', KEYS[4], 'bytes')) > tonumber(ARGV[6]) do
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)
  if #oldest == 0 then break end
  drop(oldest[1], 'evictions')
end
"""

# KEYS: order, sizes, counts. ARGV: prefix of entries, counter, prefixes of keys.
_DROP = """
local gone = 0
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  for i = 3, #ARGV do
    if string.sub(key, 1, #ARGV[i]) == ARGV[i] then
      redis.call('DEL', ARGV[1] .. key)
      redis.call('ZREM', KEYS[1], key)
      redis.call('HINCRBY', KEYS[3], 'bytes', -(redis.call('HGET', KEYS[2], key) or 0))
      redis.call('HDEL', KEYS[2], key)
      gone = gone + 1
      break
    end
  end
end
redis.call('HINCRBY', KEYS[3], ARGV[2], gone)
return gone
"""

# KEYS: mark of a loader. ARGV: token.
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


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
                ("used", _USED),
                ("put", _PUT),
                ("drop", _DROP),
                ("release", _RELEASE),
            )
        }

    def __repr__(self) -> str:
        return f"RedisCache({self._settings.shown}, {self._policy.namespace})"

    def check(self) -> None:
        """Refuse settings that keep Redis from being used; one that is away is not its business.

        Raises:
            ConfigurationError: the password or the user is wrong, or who checks certificates.
        """
        if not self._policy.max_keys or self._presence.rests:
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

    def get(self, key: str) -> bytes | None:
        """The bytes of a key, or None."""

        def ask() -> bytes | None:
            content = cast("bytes | None", self._client.get(self._entry + key))
            found = "1" if content is not None else "0"
            self._scripts["used"](keys=[self._entry + key, *self._books], args=[key, _now(), found])
            return content

        return self._tried(ask, None)

    def put(self, key: str, content: bytes) -> None:
        """Keep bytes; what is larger than the whole cache is not kept."""
        limits = self._policy
        if len(content) > limits.max_bytes:
            return

        def keep() -> None:
            self._scripts["put"](
                keys=[self._entry + key, *self._books],
                args=[
                    key,
                    _now(),
                    content,
                    int(limits.ttl_seconds * 1000),
                    limits.max_keys,
                    limits.max_bytes,
                    self._entry,
                ],
            )

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
        """What it did over all processes; nothing but zeros while Redis is away."""

        def look() -> CacheMetrics:
            with self._client.pipeline(transaction=True) as pipeline:
                pipeline.hgetall(self._books[2])
                pipeline.zcard(self._books[0])
                if reset:
                    counted = ("hits", "misses", "evictions", "expirations", "invalidations")
                    pipeline.hdel(self._books[2], *counted, "failures")
                counts, keys, *_ = pipeline.execute()
            told = {name.decode(): int(value) for name, value in counts.items()}
            size = told.pop("bytes", 0)
            return CacheMetrics(**told, keys=keys, bytes=size)

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
        def drop() -> int:
            return int(
                self._scripts["drop"](keys=self._books, args=[self._entry, counter, *prefixes])
            )

        return self._tried(drop, 0)

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
        if not self._policy.max_keys or self._presence.rests:
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
    options["retry"] = Retry(NoBackoff(), 1 if settings.retry_on_timeout else 0)
    url = options.pop("url", None)
    return redis.Redis.from_url(url, **options) if url else redis.Redis(**options)


def _now() -> float:
    return time.time()
