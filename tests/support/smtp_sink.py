"""A mail server on the loopback that keeps what it gets, and fails as it is told.

with SmtpSink() as sink:
    sink.replies = ["451 try later"]
    ...
    sink.letters[0]["Subject"]
"""

from __future__ import annotations

import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.dagster_server import free_port


class SmtpSink:
    """A server on a free port; use as a context manager.

    With `tls` it wants STARTTLS, or encryption from the first byte on where `wrapped`.

    Attributes:
        letters: those that it took, in their order.
        replies: what it says to the next letters instead of taking them.
        refusals: by recipient, what it says to the next letters for him instead of taking him.
        senders: what it says to the next senders instead of hearing them.
        envelopes: the recipients of each letter that it took.
        logins: user names that logged in.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, wrapped: bool = False, password: str = ""
    ) -> None:
        self.letters: list[EmailMessage] = []
        self.replies: list[str] = []
        self.refusals: dict[str, list[str]] = {}
        self.senders: list[str] = []
        self.envelopes: list[list[str]] = []
        self.logins: list[str] = []
        self._password = password
        options: dict[str, Any] = {}
        if wrapped:
            options |= {"ssl_context": tls, "auth_require_tls": False}
        elif tls is not None:
            options["tls_context"] = tls
        if password:
            options |= {"authenticator": self._authenticate, "auth_required": True}
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port(), **options)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._controller.port)

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.senders:
            return self.senders.pop(0)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusals.get(address):
            return self.refusals[address].pop(0)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.replies:
            return self.replies.pop(0)
        content = envelope.original_content or b""
        letter = message_from_bytes(content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        self.envelopes.append(list(envelope.rcpt_tos))
        return "250 taken"

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == self._password, handled=False)

    def __enter__(self) -> SmtpSink:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
