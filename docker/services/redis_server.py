"""Redis from the distribution, in memory only.

What belongs here: its configuration and its handshake. What does not: what is cached in it.
"""

from __future__ import annotations

import shutil
import socket

from services.server import Command, Server


class RedisServer(Server):
    """A Redis server with a password that keeps nothing on disk."""

    name = "redis"

    @classmethod
    def missing_packages(cls) -> list[str]:
        """The package redis-server where it is not installed."""
        return [] if shutil.which("redis-server") else ["redis-server"]

    def command(self) -> Command:
        """Starts it in the foreground on a configuration that only its owner may read."""
        configuration = self.folder / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"bind 127.0.0.1\n"
            f"port {self.port()}\n"
            f"requirepass {self.password()}\n"
            f'dir "{self.data}"\n'
            f"daemonize no\n"
            f'save ""\n'
            f"appendonly no\n"
            # Enough for a database per test module of every worker.
            f"databases 256\n"
            f"maxmemory 256mb\n"
            # What has no time to live is no cache entry and must not vanish.
            f"maxmemory-policy volatile-lru\n"
        )
        return Command(["redis-server", configuration])

    def answers(self) -> bool:
        """Whether it takes the password and answers a ping."""
        try:
            with socket.create_connection(("127.0.0.1", self.port()), timeout=2) as link:
                link.sendall(f"AUTH {self.password()}\r\nPING\r\n".encode())
                reply = b""
                while b"\n" not in reply.partition(b"\n")[2]:
                    got = link.recv(256)
                    if not got:
                        return False
                    reply += got
        except OSError:
            return False
        return reply.startswith(b"+OK") and b"+PONG" in reply

    @property
    def url(self) -> str:
        """redis:// with its password, database 0."""
        return f"redis://:{self.password()}@127.0.0.1:{self.port()}/0"

    def environment(self) -> dict[str, str]:
        """REDIS_URL."""
        return {"REDIS_URL": self.url}
