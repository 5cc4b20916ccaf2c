"""A Redis that takes connections and says nothing: what a read waits for it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from adapters.cache.policy import CachePolicy
from adapters.cache.redis_cache import RedisCache
from adapters.cache.settings import RedisSettings

POLICY = CachePolicy(60, 8, 1 << 20, "test")


@dataclass
class Mute:
    """A server that answers nobody."""

    port: int
    callers: list[socket.socket] = field(default_factory=list)


@pytest.fixture
def mute() -> Iterator[Mute]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = Mute(server.getsockname()[1])

        def take() -> None:
            while True:
                try:
                    found.callers.append(server.accept()[0])
                except OSError:
                    return

        taker = threading.Thread(target=take, daemon=True)
        taker.start()
        yield found
        server.shutdown(socket.SHUT_RDWR)
        taker.join(5)
    for caller in found.callers:
        caller.close()


def test_a_redis_that_hangs_costs_one_time_out(mute: Mute) -> None:
    """Each wait is a connection of its own; whoever asks afterwards leaves it alone at once."""
    place = SecretStr(f"redis://127.0.0.1:{mute.port}/0")
    cache = RedisCache(RedisSettings(url=place, socket_timeout=0.1), POLICY)
    assert not cache.idle
    assert cache.get("bars") is None
    assert cache.idle
    for _ in range(5):
        assert cache.get("kept flags") is None
        cache.put("bars", b"x")
        with cache.loading("bars") as mine:
            assert mine
    assert len(mute.callers) == 1
