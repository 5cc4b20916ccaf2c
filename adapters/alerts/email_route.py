"""The route over SMTP.

What belongs here: the letter, the conversation with the server, what its replies mean.
What does not: when it is sent again (sender.py).
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses, parseaddr

from adapters.alerts.route import DeliveryError, PartlyError, RefusedError, UnansweredError
from adapters.alerts.secrets import secret
from market_data.alerts import Message
from market_data.alerts.rules import EmailRoute
from market_data.errors import ConfigurationError

PERMANENT = 500
"""From this reply on a server says that it will never take the letter."""
OF_SETTINGS = frozenset({530, 534, 535, 538})
"""Log in first, or otherwise, or encrypted: somebody mends that in the settings."""
TOO_LARGE = 552
_SEVERAL = 15.0
"""Seconds that a conversation may take beyond the limit of one reply; with them it is over before
the lease of its route is (sender.py)."""


class _Deadline:
    """Ends the connections that were handed to it once its time is over.

    The library's limit counts from the last byte: a server that drips could keep us for ever.
    """

    def __init__(self, seconds: float) -> None:
        self.over = False
        self.begun = False
        self._handles: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()

    def watch(self, connection: socket.socket) -> socket.socket:
        """The connection itself, which ends when the time does, wrapped by then or not."""
        with self._lock:
            self._handles.append(connection.dup())
        if self.over:
            self._end()
        return connection

    def _end(self) -> None:
        self.over = True
        with self._lock:
            for handle in self._handles:
                with suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)


class _Client(smtplib.SMTP):
    """A client whose connection, which the library has made by `_get_socket`, has a deadline."""

    def __init__(self, deadline: _Deadline, host: str, port: int, timeout: float) -> None:
        self._deadline = deadline
        super().__init__(host, port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._deadline.watch(socket.create_connection((host, port), timeout))


class _ClientTls(smtplib.SMTP_SSL, _Client):
    """The same, encrypted from the first byte on; the library wraps what the other one connects."""

    def __init__(
        self, deadline: _Deadline, host: str, port: int, timeout: float, context: ssl.SSLContext
    ) -> None:
        self._deadline = deadline
        smtplib.SMTP_SSL.__init__(self, host, port, timeout=timeout, context=context)


def _for_good(code: int) -> bool:
    """Whether a reply says that no later attempt will do, whatever the settings."""
    return code >= PERMANENT and code not in OF_SETTINGS


class Email:
    """A letter per message; its Message-ID is made of the message's id."""

    def __init__(self, rules: EmailRoute) -> None:
        self.name = rules.name
        self._rules = rules

    def __repr__(self) -> str:
        """A form without the login."""
        return f"Email({self.name!r})"

    def deliver(self, message: Message) -> None:
        """Send one message, see the protocol; of a letter that some have, to the others."""
        letter = self._letter(message)
        everybody = [address for _, address in getaddresses(self._rules.recipients)]
        left = [address for address in everybody if address not in message.reached]
        if not left:
            # Who lacked it is no recipient any more.
            return
        deadline = _Deadline(self._rules.timeout.total_seconds() + _SEVERAL)
        with self._told(deadline, message.reached), deadline, self._session(deadline) as server:
            deadline.begun = True
            refused = server.send_message(letter, to_addrs=left)
        if refused:
            reached = (*message.reached, *(a for a in left if a not in refused))
            raise self._some_refused([code for code, _ in refused.values()], reached)

    def _some_refused(self, codes: list[int], reached: tuple[str, ...]) -> DeliveryError:
        """Others have it: these are tried again alone, unless each was refused for good."""
        told = f"route {self.name}: {len(codes)} recipients were refused ({min(codes)})"
        if all(_for_good(code) for code in codes):
            return RefusedError(told)
        return PartlyError(told, reached=reached)

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
    def _session(self, deadline: _Deadline) -> Iterator[smtplib.SMTP]:
        rules, seconds = self._rules, self._rules.timeout.total_seconds()
        password = secret(rules.password_env, self.name) if rules.password_env else ""
        if rules.security == "tls":
            trusted = ssl.create_default_context()
            opened: smtplib.SMTP = _ClientTls(deadline, rules.host, rules.port, seconds, trusted)
        else:
            opened = _Client(deadline, rules.host, rules.port, seconds)
        with opened as server:
            if rules.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if rules.username is not None:
                server.login(rules.username, password)
            yield server

    @contextmanager
    def _told(self, deadline: _Deadline, reached: tuple[str, ...]) -> Iterator[None]:
        """Errors of the library in the platform's words.

        Not chained, and without the server's text, which may repeat a login.
        """
        try:
            yield
        except smtplib.SMTPSenderRefused as error:
            told = f"route {self.name}: the server refused the sender ({error.smtp_code})"
            if error.smtp_code == TOO_LARGE:
                raise RefusedError(told) from None
            raise DeliveryError(f"{told}: check sender, username and security") from None
        except smtplib.SMTPDataError as error:
            told = f"route {self.name}: the server answered {error.smtp_code}"
            raise (RefusedError if _for_good(error.smtp_code) else DeliveryError)(told) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted(code for code, _ in error.recipients.values())
            if reached:
                raise self._some_refused(codes, reached) from None
            told = f"route {self.name}: every recipient was refused ({codes[0]})"
            final = all(_for_good(code) for code in codes)
            raise (RefusedError if final else DeliveryError)(told) from None
        except smtplib.SMTPAuthenticationError as error:
            told = f"route {self.name}: the server refused the login ({error.smtp_code})"
            raise DeliveryError(f"{told}: check username and {self._rules.password_env}") from None
        except UnicodeError:
            told = "host names none, or username or password have letters that are not ASCII"
            raise ConfigurationError(f"route {self.name}: {told}") from None
        except (smtplib.SMTPException, OSError) as error:
            what = "no end of the conversation" if deadline.over else type(error).__name__
            place = f"{self._rules.host}:{self._rules.port}"
            # The library tells a time-out as a lost connection.
            late = deadline.over or TimeoutError in {type(error), type(error.__context__)}
            lost = UnansweredError if deadline.begun and late else DeliveryError
            raise lost(f"route {self.name}: {what} at {place}") from None
