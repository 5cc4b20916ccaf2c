"""An S3-compatible object store of its own for a test: moto's server on a free port.

What belongs here: starting and ending it, its options, an empty bucket. What does not: assertions.

It keeps everything in memory and answers conditional puts as the real one does. It knows no
permissions, no multi-region consistency and no throttling, so that those are not shown.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

SECRET = "a-key-that-nobody-may-see"


@dataclass(frozen=True)
class ObjectStore:
    """A running server."""

    url: str

    @property
    def options(self) -> dict[str, str]:
        """What the stores take."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ALLOW_HTTP": "true",
        }

    @property
    def environment(self) -> dict[str, str]:
        """The same as variables."""
        return {name: value for name, value in self.options.items() if "ALLOW" not in name}

    def bucket(self) -> str:
        """The URI of a new, empty bucket."""
        name = f"lake-{uuid4().hex[:12]}"
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/{name}", method="PUT")).close()
        return f"s3://{name}"


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A server that lives as long as the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _await(url, server)
        yield ObjectStore(url)
    finally:
        server.kill()
        server.wait()


def _await(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert server.poll() is None, "moto's server ended at once"
        try:
            urllib.request.urlopen(f"{url}/moto-api/", timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError("moto's server does not answer")
