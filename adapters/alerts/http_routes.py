"""Routes over HTTP: webhook, Slack, PagerDuty.

What belongs here: the request that each service wants, what its answer means.
What does not: when it is sent again (sender.py).

An address may hold a token, so that no text names one: an error tells the status, or the sort of
failure. Only an answer of 2xx counts as taken.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from adapters.alerts.route import DeliveryError, RefusedError, UnansweredError, UnfinishedError
from adapters.alerts.secrets import secret
from adapters.runbooks import is_web
from adapters.tls import trusted
from market_data.alerts import Message, Severity, State
from market_data.alerts.rules import PagerDutyRoute, RouteRules, SlackRoute, WebhookRoute
from market_data.errors import ConfigurationError

_NEVER = frozenset({400, 413, 414, 415, 422})
"""The service has read the message and will not have it. 401, 403, 404 and 410 are settings that a
person can mend, so that the message waits."""
_LONGEST_PAUSE = 3600.0
IDEMPOTENCY_KEY = "Idempotency-Key"
_SEVERAL = 15.0
"""Seconds that a message of several requests may take beyond the limit of one; with them it is
over before the lease of its route is (sender.py)."""


def _say_nothing(_record: logging.LogRecord) -> bool:
    return False


# They write every address; tokens lie there.
for _telltale in ("httpx", "httpcore.http11", "httpcore.connection"):
    logging.getLogger(_telltale).addFilter(_say_nothing)


class _Http:
    def __init__(self, rules: RouteRules) -> None:
        self.name = rules.name
        self._seconds = rules.timeout.total_seconds()

    def __repr__(self) -> str:
        """A form without any address."""
        return f"{type(self).__name__}({self.name!r})"

    def _post(self, url: str, content: Any, headers: Mapping[str, str]) -> None:
        """One request, over after the route's timeout.

        Raises:
            DeliveryError: it was not answered with 2xx.
            UnansweredError: it was sent whole, and nothing came back in that time.
        """
        told = f"route {self.name}: no answer within {self._seconds:g} s"
        ended, handed = threading.Event(), threading.Event()
        try:
            status, pause = self._asked(url, content, headers, ended, handed)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise ConfigurationError(f"route {self.name}: its address is no URL") from None
        except UnicodeError:
            # Not chained: it repeats letters of what may be a secret.
            told = "its address names no host, or its token has letters that are not ASCII"
            raise ConfigurationError(f"route {self.name}: {told}") from None
        except httpx.TimeoutException:
            raise _late(handed)(told) from None
        except (httpx.HTTPError, RuntimeError, OSError) as error:
            if ended.is_set():
                raise _late(handed)(told) from None
            if not isinstance(error, httpx.HTTPError):
                raise
            # Not chained: some texts of the library repeat the address.
            raise DeliveryError(f"route {self.name}: {type(error).__name__}") from None
        if 200 <= status < 300:
            return
        told = f"route {self.name}: answered with status {status}"
        if status in _NEVER:
            raise RefusedError(told)
        raise DeliveryError(told, after=_seconds(pause))

    def _asked(
        self,
        url: str,
        content: Any,
        headers: Mapping[str, str],
        ended: threading.Event,
        handed: threading.Event,
    ) -> tuple[int, str]:
        """Status and Retry-After of the answer.

        `ended` is set where its time ran out, `handed` as soon as the request is sent whole.
        """
        seconds = self._seconds
        with httpx.Client(verify=trusted(), timeout=seconds, follow_redirects=False) as client:

            def give_up() -> None:
                ended.set()
                client.close()

            def go_on(event: str, _info: Mapping[str, Any]) -> None:
                if event.endswith("send_request_body.complete"):
                    handed.set()
                # A connection that comes after the end is not closed with the client.
                if ended.is_set():
                    raise httpx.ReadTimeout("")

            # The library's limit counts from the last byte: whoever drips could keep us for ever.
            timer = threading.Timer(seconds, give_up)
            timer.daemon = True
            timer.start()
            try:
                # The body is of no interest, and might be endless.
                with client.stream(
                    "POST", url, json=content, headers=dict(headers), extensions={"trace": go_on}
                ) as answer:
                    return answer.status_code, answer.headers.get("retry-after", "")
            finally:
                timer.cancel()


class Webhook(_Http):
    """The JSON form of a message, with its id in the header Idempotency-Key."""

    def __init__(self, rules: WebhookRoute) -> None:
        super().__init__(rules)
        self._rules = rules

    def deliver(self, message: Message) -> None:
        """Send one message, see the protocol."""
        headers = {IDEMPOTENCY_KEY: message.id}
        if self._rules.token_env:
            headers["Authorization"] = f"Bearer {secret(self._rules.token_env, self.name)}"
        self._post(secret(self._rules.url_env, self.name), message.body, headers)


class Slack(_Http):
    """Text for an incoming webhook, which knows no idempotency: the id stands at its end."""

    def __init__(self, rules: SlackRoute) -> None:
        super().__init__(rules)
        self._rules = rules

    def deliver(self, message: Message) -> None:
        """Send one message, see the protocol."""
        content = {"text": f"{_plain(message.text)}\n_{message.id}_"}
        self._post(secret(self._rules.url_env, self.name), content, {IDEMPOTENCY_KEY: message.id})


class PagerDuty(_Http):
    """Events v2: an opening triggers an incident under its id, which its recovery resolves.

    An escalation triggers the incidents of its openings again, which PagerDuty adds to them.
    """

    def __init__(self, rules: PagerDutyRoute) -> None:
        super().__init__(rules)
        self._rules = rules

    def deliver(self, message: Message) -> None:
        """Send the events of one message that it has not taken yet, see the protocol.

        A recovery that leaves something of every opening open sends nothing: PagerDuty knows
        incidents as wholes.
        """
        key = secret(self._rules.routing_key_env, self.name)
        # Beyond it no request is begun that has not its whole time left.
        last = time.monotonic() + _SEVERAL
        before = message.taken
        for taken, event in enumerate(self._events(message)[before:], start=before):
            if taken > before and time.monotonic() > last:
                told = f"route {self.name}: {taken} events of one message so far"
                raise UnfinishedError(told, taken=taken)
            try:
                self._post(
                    self._rules.url,
                    {"routing_key": key, **event},
                    {IDEMPOTENCY_KEY: f"{message.id}-{event['dedup_key']}"},
                )
            except DeliveryError as error:
                error.taken = taken
                raise

    def _events(self, message: Message) -> Sequence[dict[str, Any]]:
        if message.state is State.RECOVERED:
            resolved: list[str] = message.body["resolved"]
            return [{"event_action": "resolve", "dedup_key": opening} for opening in resolved]
        alerts = message.body["alerts"]
        severity = "error" if message.severity is Severity.ERROR else "warning"
        payload = {
            "summary": message.title[:1024],
            "source": "emp",
            "severity": "info" if message.state is State.TEST else severity,
            "timestamp": message.body["at"],
            "group": message.group,
            "class": str(message.level),
            "custom_details": {
                "text": message.text,
                "alerts_total": message.body["alerts_total"],
                "alerts": alerts,
            },
        }
        pages = [a["runbook"] for a in alerts[:1] if is_web(a["runbook"])]
        links = [{"href": page, "text": "Runbook"} for page in pages]
        openings: list[str] = message.body["openings"]
        return [
            {
                "event_action": "trigger",
                "dedup_key": incident,
                "payload": payload,
                **({"links": links} if links else {}),
            }
            for incident in (openings if message.state is State.ESCALATED else [message.id])
        ]


def _late(handed: threading.Event) -> type[DeliveryError]:
    """What it is that no answer came in time."""
    return UnansweredError if handed.is_set() else DeliveryError


def _plain(text: str) -> str:
    """Slack reads these three as its own marks."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _seconds(value: str) -> float | None:
    """The pause of a Retry-After in seconds; a date counts as nothing."""
    return min(float(value), _LONGEST_PAUSE) if value.strip().isdigit() else None
