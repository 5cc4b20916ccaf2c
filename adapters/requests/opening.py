"""The gates of an installation, one per account.

What belongs here: where an installation counts its requests, in either mode.
What does not: what a vendor allows, which readers ask nobody (their profiles in adapters/vendors).

All vendors of one reader share an account: their key, or the address that they ask from, is one.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.kept_open import KeptOpen, place_of
from adapters.requests.gate import SharedGate
from adapters.requests.report import report
from adapters.requests.sqlite_store import SqliteRequestStore
from adapters.settings import Settings
from adapters.vendors.registry import profile_of
from market_data.ports import Clock, OpenGate, RequestGate, Window

if TYPE_CHECKING:
    from adapters.cache.settings import RedisSettings
    from adapters.requests.redis_store import RedisRequestStore
    from adapters.requests.store import RequestStore

_FILES: KeptOpen[SqliteRequestStore] = KeptOpen(lambda store: store.close())
_SERVERS: KeptOpen[RedisRequestStore] = KeptOpen(lambda store: store.close())
MEANWHILE = "this machine counts its requests to vendors alone meanwhile"


class Gates:
    """Makes the gates, which share one place; nothing is opened before it is used."""

    def __init__(
        self, settings: Settings, clock: Clock, redis: RedisSettings | None = None
    ) -> None:
        """Take what the place follows from.

        Args:
            settings: of the installation.
            clock: tells people when.
            redis: where several machines count together; None for this machine alone.
        """
        self._settings = settings
        self._clock = clock
        self._redis = redis

    def of(self, reader: str) -> RequestGate:
        """The gate of all vendors of a reader."""
        if not profile_of(reader).asks_somebody:
            return OpenGate()
        return SharedGate(
            reader,
            lambda: self.store,
            self._clock,
            patience=self._settings.request_patience,
            margin=self._settings.request_margin,
        )

    def windows(self, reader: str) -> tuple[Window, ...]:
        """How much is used now of the allowances that all requests of a reader share."""
        allowances = profile_of(reader).allowances()
        if not allowances:
            return ()
        found = report(self.store, reader, allowances, self._clock)
        return found.windows[: len(allowances)]

    @cached_property
    def store(self) -> RequestStore:
        """The place where requests are counted."""
        own = _file(self._settings.requests_path)
        if self._redis is None:
            return own
        from adapters.cache.presence import presence_of
        from adapters.requests.layered_store import LayeredRequestStore

        presence = presence_of(self._redis.shown, MEANWHILE)
        return LayeredRequestStore(_server(self._redis), own, presence)


def _file(path: Path) -> SqliteRequestStore:
    """The count of this machine, opened once per process; a file that is moved away is left."""
    place = place_of(path)
    if place is None:
        return SqliteRequestStore(path)
    return _FILES.find(place) or _FILES.keep(place, SqliteRequestStore(path))


def _server(redis: RedisSettings) -> RedisRequestStore:
    from adapters.requests.redis_store import RedisRequestStore

    return _SERVERS.find(redis) or _SERVERS.keep(redis, RedisRequestStore(redis))
