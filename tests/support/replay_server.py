"""A server on the loopback that plays a vendor: recorded answers, and every kind of trouble.

What belongs here: routes, replies, a record of what was asked.
What does not: any vendor's payloads; tests hand them in.

    with ReplayServer() as server:
        server.reply("/v8/finance/chart/AAPL", too_many(retry_after=1), json_body(chart))
        vendor = YahooVendor(base_url=server.url)
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Reply:
    """One answer: what is sent, and how badly."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None
    """Bytes of the body that are sent before the connection breaks; None for all."""
    delay: float = 0.0
    """Seconds before the answer begins."""
    drip: float = 0.0
    """Seconds before each byte of the body; 0 sends it at once."""


def json_body(content: Any, status: int = 200) -> Reply:
    """A JSON document."""
    return Reply(json.dumps(content).encode(), status)


def too_many(retry_after: int | None = None) -> Reply:
    """Status 429, with the pause to make where one is given."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Reply(b"Edge: Too Many Requests", 429, "text/plain", headers)


def failing(status: int, body: bytes = b"internal error") -> Reply:
    """Any other status, with a text that is no JSON."""
    return Reply(body, status, "text/plain")


def html_page() -> Reply:
    """Status 200 and a page for people."""
    return Reply(b"<!doctype html><html><body>Will be right back</body></html>", 200, "text/html")


def cut_off(reply: Reply) -> Reply:
    """The same answer, breaking off after half of its body."""
    return replace(reply, sent=len(reply.body) // 2)


def slow(reply: Reply, seconds: float) -> Reply:
    """The same answer, late."""
    return replace(reply, delay=seconds)


def dripping(reply: Reply, seconds: float) -> Reply:
    """The same answer, byte by byte, with a pause before each."""
    return replace(reply, drip=seconds)


def redirect(location: str) -> Reply:
    """Status 302 to another address."""
    return Reply(b"", 302, "text/plain", {"Location": location})


@dataclass(frozen=True)
class Asked:
    """One request that came in; names of headers in lower case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The body of a request that holds a JSON document."""
        return json.loads(self.body)


@dataclass
class _Route:
    path: str
    query: Mapping[str, str]
    replies: list[Reply | Callable[[Asked], Reply]]

    def fits(self, asked: Asked) -> bool:
        return self.path == asked.path and self.query.items() <= asked.query.items()

    def next(self, asked: Asked) -> Reply:
        found = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return found if isinstance(found, Reply) else found(asked)


class ReplayServer:
    """Answers GET and POST on a free port; use as a context manager.

    Attributes:
        url: base URL.
        asked: every request so far, in order.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._routes: list[_Route] = []
        self._before: list[tuple[str, Reply]] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._answer(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def reply(self, path: str, *replies: Reply | Callable[[Asked], Reply], **query: str) -> None:
        """Answer a path, and only where the query holds these values.

        Several replies are given one after the other, the last one from then on. The route that
        was added last goes first. A function is called with each request and makes the reply.
        """
        with self._lock:
            self._routes.insert(0, _Route(path, query, list(replies)))

    def first(self, path: str, *replies: Reply) -> None:
        """Give the next requests below a path these replies, one each, before any route counts."""
        with self._lock:
            self._before += [(path, reply) for reply in replies]

    def remember(self) -> None:
        """From now on a question that was put before gets the answer that was made then."""
        with self._lock:
            for route in self._routes:
                route.replies = [
                    reply if isinstance(reply, Reply) else _remembering(reply)
                    for reply in route.replies
                ]

    def forget_first(self) -> None:
        """Take back the replies of `first` that nobody asked for."""
        with self._lock:
            self._before.clear()

    def asked_for(self, path: str) -> list[Asked]:
        """The requests of one path."""
        return [a for a in self.asked if a.path == path]

    def __enter__(self) -> ReplayServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _reply_to(self, asked: Asked) -> Reply:
        for place, (path, reply) in enumerate(self._before):
            if asked.path.startswith(path):
                del self._before[place]
                return reply
        route = next((r for r in self._routes if r.fits(asked)), None)
        return route.next(asked) if route else failing(404, b"no such route")

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length") or 0))
        asked = Asked(unquote(parts.path), dict(parse_qsl(parts.query)), headers, body)
        with self._lock:
            self.asked.append(asked)
            reply = self._reply_to(asked)
        if reply.delay:
            time.sleep(reply.delay)
        try:
            handler.send_response(reply.status)
            handler.send_header("Content-Type", reply.content_type)
            handler.send_header("Content-Length", str(len(reply.body)))
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            if not reply.drip:
                handler.wfile.write(reply.body[: reply.sent])
                return
            for byte in reply.body[: reply.sent]:
                time.sleep(reply.drip)
                handler.wfile.write(bytes([byte]))
        except (BrokenPipeError, ConnectionResetError):
            # The client gave up waiting, which is what a slow reply is for.
            handler.close_connection = True


def _remembering(make: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    made: dict[str, Reply] = {}

    def reply(asked: Asked) -> Reply:
        question = f"{asked.path} {sorted(asked.query.items())}"
        if question not in made:
            made[question] = make(asked)
        return made[question]

    return reply
