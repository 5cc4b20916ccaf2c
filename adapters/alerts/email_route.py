"""The route over SMTP.

What belongs here: the letter, the conversation with the server, what its replies mean.
What does not: when it is sent again (sender.py).
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from adapters.alerts.route import DeliveryError, RefusedError
from adapters.alerts.secrets import secret
from market_data.alerts import Message
from market_data.alerts.rules import EmailRoute

PERMANENT = 500
"""From this reply on a server says that it will never take the letter."""


class Email:
    """A letter per message; its Message-ID is made of the message's id."""

    def __init__(self, rules: EmailRoute) -> None:
        self.name = rules.name
        self._rules = rules

    def __repr__(self) -> str:
        """A form without the login."""
        return f"Email({self.name!r})"

    def deliver(self, message: Message) -> None:
        """Send one message, see the protocol."""
        letter = self._letter(message)
        with self._told(), self._session() as server:
            refused = server.send_message(letter)
        if refused:
            # The others have it: sending it again would not help these.
            raise RefusedError(f"route {self.name}: {len(refused)} recipients were refused")

    def _letter(self, message: Message) -> EmailMessage:
        letter = EmailMessage()
        letter["Subject"] = message.title.replace("\r", " ").replace("\n", " ")
        letter["From"] = self._rules.sender
        letter["To"] = ", ".join(self._rules.recipients)
        letter["Date"] = format_datetime(datetime.fromisoformat(message.body["at"]))
        letter["Message-ID"] = self._named(message.id)
        openings: list[str] = message.body["openings"]
        if openings:
            # Mail programs show a recovery below what it is about.
            letter["In-Reply-To"] = self._named(openings[0])
            letter["References"] = " ".join(map(self._named, openings[:20]))
        letter["X-Idempotency-Key"] = message.id
        letter["X-Alert-Level"] = str(message.level)
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(message.text)
        return letter

    def _named(self, message_id: str) -> str:
        domain = parseaddr(self._rules.sender)[1].rpartition("@")[2] or "emp.invalid"
        return f"<{message_id}@{domain}>"

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        rules, seconds = self._rules, self._rules.timeout.total_seconds()
        password = secret(rules.password_env, self.name) if rules.password_env else ""
        trusted = ssl.create_default_context()
        if rules.security == "tls":
            opened: smtplib.SMTP = smtplib.SMTP_SSL(
                rules.host, rules.port, timeout=seconds, context=trusted
            )
        else:
            opened = smtplib.SMTP(rules.host, rules.port, timeout=seconds)
        with opened as server:
            if rules.security == "starttls":
                server.starttls(context=trusted)
            if rules.username is not None:
                server.login(rules.username, password)
            yield server

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the library in the platform's words.

        Not chained, and without the server's text, which may repeat a login.
        """
        try:
            yield
        except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as error:
            told = f"route {self.name}: the server answered {error.smtp_code}"
            kind = RefusedError if error.smtp_code >= PERMANENT else DeliveryError
            raise kind(told) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            told = f"route {self.name}: every recipient was refused ({codes[0]})"
            kind = RefusedError if codes[0] >= PERMANENT else DeliveryError
            raise kind(told) from None
        except smtplib.SMTPAuthenticationError as error:
            told = f"route {self.name}: the server refused the login ({error.smtp_code})"
            raise DeliveryError(f"{told}: check username and {self._rules.password_env}") from None
        except (smtplib.SMTPException, OSError) as error:
            told = f"route {self.name}: {type(error).__name__} at "
            raise DeliveryError(f"{told}{self._rules.host}:{self._rules.port}") from None
