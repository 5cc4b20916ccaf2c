"""Redis in the compose file is a cache: it makes room among entries and keeps nothing on disk."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import redis
import yaml

from adapters.cache.settings import RedisSettings
from adapters.probes import State
from adapters.probes.redis import redis_probe
from services.server import Command
from tests.support.servers import RedisServer, private_server

COMPOSE = Path(__file__).resolve().parents[3] / "docker/compose.yaml"
LIMIT = 2 << 30


@pytest.fixture(scope="module")
def options() -> list[str]:
    """What the container's shell hands to redis-server."""
    service = yaml.safe_load(COMPOSE.read_text())["services"]["redis"]
    shell, flag, script = service["command"]
    words = shlex.split(script.replace("$$", "$"))
    assert (shell, flag, words[:2]) == ("sh", "-c", ["exec", "redis-server"])
    return words[2:]


def test_each_option_is_named_once_and_the_rest_is_the_default(options: list[str]) -> None:
    assert dict(zip(options[::2], options[1::2], strict=True)) == {
        "--save": "",
        "--appendonly": "no",
        "--maxmemory": "2gb",
        "--maxmemory-policy": "volatile-lru",
        "--requirepass": "$REDIS_PASSWORD",
    }
    assert len(options) == 10


def test_a_server_with_these_options_is_a_cache(options: list[str]) -> None:
    class AsComposed(RedisServer):
        def command(self) -> Command:
            given = [self.password() if o == "$REDIS_PASSWORD" else o for o in options]
            own = ["--bind", "127.0.0.1", "--port", str(self.port()), "--dir", str(self.data)]
            return Command(["redis-server", *own, *given])

    with private_server(AsComposed) as server, redis.Redis.from_url(server.url) as client:
        found = redis_probe(RedisSettings(url=server.url)).look()
        assert (found.state, found.facts["maxmemory_policy"]) == (State.OK, "volatile-lru")
        assert found.facts["maxmemory"] == LIMIT
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("appendonly") == {"appendonly": "no"}
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port()).ping()
