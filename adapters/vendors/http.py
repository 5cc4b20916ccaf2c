"""Asking a vendor over HTTPS: one question, one typed answer or one typed trouble.

What belongs here: sending through the gate, time and size limits, retries, secrets kept out of
every text. Vendors that speak JSON or CSV over HTTP share it.
What does not: what an answer means (each vendor's own), limits (market_data/ports/request_gate.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote, quote_plus, unquote, urlencode, urlsplit

import httpx

from adapters.tls import trusted
from adapters.vendors.retrying import Questions, seconds_of
from market_data.errors import (
    MalformedAnswerError,
    RateLimitedError,
    UnauthorisedError,
    UnreachableError,
    VendorError,
    VendorUnavailableError,
)
from market_data.ports import Claim, OpenGate, Payload, RequestGate
from market_data.ports.known_secrets import PIECE, REDACTED, without_secrets
from market_data.ports.redaction import sanitised_text

T = TypeVar("T")
MOST_REDIRECTS = 3
_MAY_PASS = (408, 425, 429)
"""Refusals of today that speak neither against the question nor against whoever puts it."""
_SHOWN = 200
"""Characters of an error's body that a person gets to see."""
_LOOKED_AT = 4_096
"""Bytes of it in which secrets are looked for: it is cut when they are gone, not before."""


def _say_nothing(_record: logging.LogRecord) -> bool:
    return False


# They write every address with its query, and every header; keys travel there. A filter, since
# whoever configures logging afterwards enables loggers that were disabled before.
for _telltale in ("httpx", "httpcore.http11"):
    logging.getLogger(_telltale).addFilter(_say_nothing)


@dataclass(frozen=True)
class Answer:
    """A whole answer that is no refusal.

    Attributes:
        status: of HTTP; below 500, and none of 401, 403, 429.
        content: the body, decompressed.
        payload: the same with its source, from which secrets are taken out.
        secrets: that were sent for it.
    """

    status: int
    content: bytes
    payload: Payload
    secrets: Sequence[str] = field(default=(), repr=False)

    @property
    def refuses_question(self) -> bool:
        """Whether it was not taken as it was put: asking again would bring the same answer."""
        return 400 <= self.status < 500 and self.status not in _MAY_PASS

    @property
    def text(self) -> str:
        """The beginning of the body, for messages, without the secrets that it repeats."""
        said = self.content[:_LOOKED_AT].decode("utf-8", "replace").strip()
        return sanitised_text(without_secrets(said, self.secrets))[:_SHOWN]


@dataclass(frozen=True)
class Secrets:
    """What is sent with every request and shown nowhere."""

    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def of(self, base_url: str) -> tuple[str, ...]:
        """Every text that has to stay hidden, with the login that an address holds."""
        # A token follows the name of its scheme, and may come back without it.
        tokens = [value.rpartition(" ")[2] for value in self.headers.values()]
        parts = urlsplit(base_url)
        login = [unquote(part) for part in (parts.password, parts.username) if part]
        # A short name is a word that may stand anywhere.
        login = [part for part in login if len(part) >= PIECE or part == parts.password]
        return tuple(text for text in (*self.params.values(), *tokens, *login) if text)


def _told_forms(secrets: Sequence[str]) -> frozenset[bytes]:
    """How whole secrets would stand in a body; short ones would be found there by chance."""
    written = (lambda text: text, quote, lambda text: quote(text, safe=""), quote_plus)
    long = [secret for secret in secrets if len(secret) >= PIECE]
    return frozenset(write(secret).encode() for secret in long for write in written)


@dataclass(frozen=True)
class Patience:
    """How long a vendor is waited for.

    Attributes:
        attempts: how often one question is put before its trouble is raised.
        timeout: seconds to wait for a connection, and for the next bytes.
        deadline: seconds after which an answer that still comes is given up.
        most_bytes: a longer answer is given up.
        sleep: waits that many seconds.
    """

    attempts: int = 3
    timeout: float = 15.0
    deadline: float = 120.0
    most_bytes: int = 256 * 2**20
    sleep: Callable[[float], None] = time.sleep


class VendorHttp:
    """One vendor's web service."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        gate: RequestGate | None = None,
        secrets: Secrets | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Prepare the client; nothing is sent yet.

        Args:
            name: the vendor's, for messages.
            base_url: where every request goes.
            gate: grants each request; None for no limits.
            secrets: sent along.
            patience: how long and how often to wait.
        """
        self._name = name
        self._base_url = base_url.rstrip("/")
        self._secrets = secrets or Secrets()
        self._hidden = self._secrets.of(base_url)
        self._told_forms = _told_forms(self._hidden)
        self._shown_url = sanitised_text(self._base_url)
        self._patience = patience or Patience()
        self._questions = Questions(
            gate or OpenGate(), self._patience.attempts, self._patience.sleep
        )
        self._client: httpx.Client | None = None

    def get(
        self,
        path: str,
        params: Mapping[str, str | int],
        read: Callable[[Answer], T],
        claims: Sequence[Claim] = (),
    ) -> T:
        """Put a question, again where that may help, and hand the answer to `read`.

        Args:
            path: below the base URL.
            params: of the query; secrets are added.
            read: makes something of the answer, or raises a VendorError about it.
            claims: what each attempt takes of the vendor's allowances.

        Raises:
            VendorError: a typed subclass, after the last attempt.
        """
        return self._questions.put(claims, lambda: self._once(path, params, read))

    def _once(self, path: str, params: Mapping[str, str | int], read: Callable[[Answer], T]) -> T:
        try:
            answer = self._ask(path, params)
            found = read(answer)
            self._refuse_repeated_secrets(answer)
        except VendorError as trouble:
            # Some vendors repeat the key in what they say against it.
            trouble.args = (without_secrets(str(trouble), self._hidden),)
            raise
        return found

    def _ask(self, path: str, params: Mapping[str, str | int]) -> Answer:
        try:
            status, headers, content = self._send(path, params)
        # Not chained: their texts may repeat the address, and with it a key.
        except httpx.TimeoutException:
            raise VendorUnavailableError(
                f"{self._name} did not answer within {self._patience.timeout:g} s"
            ) from None
        except (httpx.ConnectError, httpx.ProxyError) as trouble:
            raise UnreachableError(
                f"{self._name} cannot be reached at {self._shown_url}: {self._clean(trouble)}"
            ) from None
        except httpx.TooManyRedirects:
            raise VendorUnavailableError(f"{self._name} redirects in a loop") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as trouble:
            raise MalformedAnswerError(
                f"{self._name}: the answer broke off: {self._clean(trouble)}"
            ) from None
        source = f"{self._shown_url}{path}?{urlencode(self._shown(params))}"
        kind = headers.get("Content-Type", "application/octet-stream").partition(";")[0]
        answer = Answer(status, content, Payload(content, source, kind), self._hidden)
        self._refuse(answer, headers.get("Retry-After"))
        return answer

    def _send(self, path: str, params: Mapping[str, str | int]) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and the whole body.

        Raises:
            httpx.HTTPError: of any kind.
            VendorUnavailableError: it takes too long.
            MalformedAnswerError: it is too long.
        """
        client = self._open()
        ended = threading.Event()
        most = self._patience.most_bytes

        def give_up() -> None:
            ended.set()
            client.close()

        # A time-out counts from the last byte: whoever drips could keep us for ever.
        timer = threading.Timer(self._patience.deadline, give_up)
        timer.start()
        try:
            url = self._base_url + path
            with client.stream(
                "GET",
                url,
                params={**params, **self._secrets.params},
                headers=self._secrets.headers,
            ) as response:
                content = bytearray()
                for part in response.iter_bytes():
                    content += part
                    if len(content) > most:
                        raise MalformedAnswerError(
                            f"{self._name}: the answer is longer than {most:,} bytes"
                        )
                return response.status_code, response.headers, bytes(content)
        except (httpx.HTTPError, RuntimeError, OSError):
            if ended.is_set():
                raise VendorUnavailableError(
                    f"{self._name} did not finish its answer within {self._patience.deadline:g} s"
                ) from None
            raise
        finally:
            timer.cancel()

    def _open(self) -> httpx.Client:
        if self._client is None or self._client.is_closed:
            self._client = httpx.Client(
                verify=trusted(),
                timeout=self._patience.timeout,
                follow_redirects=True,
                max_redirects=MOST_REDIRECTS,
            )
        return self._client

    def _refuse(self, answer: Answer, retry_after: str | None) -> None:
        """Raise what a status means for every vendor."""
        said = f"{self._name} (HTTP {answer.status}): {answer.text}"
        if answer.status == 429:
            raise RateLimitedError(said, retry_after=seconds_of(retry_after))
        if answer.status in (401, 403):
            raise UnauthorisedError(said)
        if answer.status >= 500:
            raise VendorUnavailableError(said)

    def _refuse_repeated_secrets(self, answer: Answer) -> None:
        """Refuse data in which a secret stands: it would be stored with them.

        Only what is kept is looked through, and only for whole secrets: what a refusal says is
        cleaned where it is told.

        Raises:
            MalformedAnswerError: one does.
        """
        if any(form in answer.content for form in self._told_forms):
            raise MalformedAnswerError(
                f"{self._name}: the answer repeats the key or a password that it was asked with; "
                "nothing of it is kept"
            )

    def _shown(self, params: Mapping[str, str | int]) -> dict[str, str | int]:
        return {**params, **dict.fromkeys(self._secrets.params, REDACTED)}

    def _clean(self, trouble: Exception) -> str:
        said = str(trouble) or type(trouble).__name__
        return sanitised_text(without_secrets(said, self._hidden))
