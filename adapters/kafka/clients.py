"""Opening clients of kafka-python, and their errors in the platform's words.

What belongs here: producer, consumer and admin client from settings; why a broker cannot be used,
and the cure. What does not: what is sent or read.

The library says "unable to bootstrap" whatever went wrong, leaves a thread behind when it could
not open a client, lets brokers make any topic that is named, and writes its options and the bytes
of a login into its debug log. This module makes up for all four.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from adapters.kafka.handshake import fault_of_tls
from adapters.kafka.settings import KafkaSettings
from market_data.errors import StreamError

if TYPE_CHECKING:
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

C = TypeVar("C")
LINGER_MILLISECONDS = 20
BATCH_BYTES = 32_768
_OVERHEAD = 20_000
"""Bytes that a message's headers and batch may add to its value."""
_REACH_SECONDS = 2.0


@contextmanager
def producer(
    settings: KafkaSettings,
    *,
    batch_bytes: int = BATCH_BYTES,
    linger_milliseconds: int = LINGER_MILLISECONDS,
) -> Iterator[KafkaProducer]:
    """An idempotent producer with acks=all, closed at the end; what it still holds is dropped.

    Args:
        settings: where to.
        batch_bytes: messages of one partition that travel together, as far as they fit.
        linger_milliseconds: how long a message waits for others to travel with.

    Raises:
        StreamError: no broker can be used; the message says why and names the cure.
        ConfigurationError: no broker is named.
    """
    opened = _open(
        _producer_class(),
        settings,
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_milliseconds,
        batch_size=batch_bytes,
        max_request_size=settings.max_message_bytes + _OVERHEAD,
        max_block_ms=int(settings.timeout_seconds * 1_000),
        delivery_timeout_ms=int(settings.timeout_seconds * 1_000) + linger_milliseconds,
        metrics_enabled=False,
    )
    try:
        yield opened
    finally:
        opened.close(timeout=0)


@contextmanager
def consumer(settings: KafkaSettings, **options: Any) -> Iterator[KafkaConsumer]:
    """A consumer, closed at the end; it commits nothing by itself unless the options say so.

    Raises:
        StreamError: no broker can be used; the message says why and names the cure.
        ConfigurationError: no broker is named.
    """
    from kafka import KafkaConsumer

    chosen = {
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "max_partition_fetch_bytes": settings.max_message_bytes + _OVERHEAD,
        "metrics_enabled": False,
        **options,
    }
    opened = _open(KafkaConsumer, settings, **chosen)
    process = os.getpid()
    try:
        yield opened
    finally:
        # Closing waits for the consumer's thread, without an end where that has ended before: in a
        # forked child, and once Python has begun to clear up.
        if os.getpid() == process and not sys.is_finalizing():
            opened.close(autocommit=bool(chosen["enable_auto_commit"]))


@contextmanager
def admin(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """An admin client, closed at the end.

    Raises:
        StreamError: no broker can be used; the message says why and names the cure.
        ConfigurationError: no broker is named.
    """
    from kafka import KafkaAdminClient

    opened = _open(KafkaAdminClient, settings)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def told(settings: KafkaSettings, doing: str) -> Iterator[None]:
    """Turns the library's errors into `StreamError`.

    Args:
        settings: names the brokers.
        doing: what failed when an error comes, for instance "reading topic x".
    """
    from kafka.errors import KafkaError

    try:
        yield
    except KafkaError as error:
        # Not chained: the library puts options into some of its messages.
        raise StreamError(f"{doing} failed: {explained(error, settings)}") from None


def explained(error: BaseException, settings: KafkaSettings) -> str:
    """What an error of the library means here, with the cure."""
    from kafka import errors

    servers = ", ".join(settings.bootstrap_servers)
    if isinstance(error, errors.SaslAuthenticationFailedError):
        return f"{servers} refused the login: check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
    if isinstance(error, errors.AuthorizationError):
        return f"{type(error).__name__}: the user of KAFKA_SASL_USERNAME lacks a right (ACL)"
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return "there is no such topic: 'emp kafka topics' makes those that are missing"
    if isinstance(error, errors.MessageSizeTooLargeError | errors.RecordListTooLargeError):
        return "a message is too large: lower KAFKA_MAX_MESSAGE_BYTES below max.message.bytes"
    if isinstance(error, errors.KafkaTimeoutError | errors.KafkaConnectionError):
        return unusable(settings)
    return f"{type(error).__name__} at {servers}"


def unusable(settings: KafkaSettings) -> str:
    """Why the brokers that are named cannot be used, as far as a look at them tells."""
    servers = ", ".join(settings.bootstrap_servers)
    if not listening(settings):
        return f"no broker listens at {servers}: start it, or check KAFKA_BOOTSTRAP_SERVERS"
    if fault := fault_of_tls(settings):
        return fault
    protocol = settings.security_protocol
    cause = [f"KAFKA_SECURITY_PROTOCOL ({protocol}) is what the listener speaks"]
    if protocol.startswith("SASL"):
        cause.append("KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are right")
    if protocol.endswith("SSL"):
        cause.append("KAFKA_SSL_CAFILE vouches for the brokers' certificates")
    cure = " and that ".join(cause)
    seconds = settings.timeout_seconds
    return f"{servers} is there but was of no use within {seconds:g} s: check that {cure}"


def listening(settings: KafkaSettings) -> bool:
    """Whether anything listens where a broker should."""
    return any(_listens(server) for server in settings.bootstrap_servers)


def _listens(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS):
            return True
    except OSError:
        return False


@cache
def _producer_class() -> type[KafkaProducer]:
    from kafka import KafkaProducer
    from kafka.errors import KafkaTimeoutError

    class Producer(KafkaProducer):  # type: ignore[misc]
        """A producer that can be closed while it holds messages that nobody acknowledges."""

        def close(self, timeout: float | None = None, null_logger: bool = False) -> None:
            self._closing = True
            super().close(timeout, null_logger)

        def flush(self, timeout: float | None = None) -> None:
            try:
                super().flush(timeout)
            except KafkaTimeoutError:
                # The library would stop closing here, and its thread go on sending.
                if not getattr(self, "_closing", False):
                    raise

    return Producer


def _open(kind: Callable[..., C], settings: KafkaSettings, **options: Any) -> C:
    from kafka.errors import KafkaError
    from kafka.net.compat import KafkaNetClient
    from kafka.net.selector import NetworkSelector

    _keep_quiet()
    loops: list[NetworkSelector] = []

    def remembered(**given: Any) -> KafkaNetClient:
        loops.append(NetworkSelector(**given))
        client = KafkaNetClient(net=loops[-1], **given)
        # These options never get there from the client's: a misspelt topic would be made, and the
        # first message wait for a tenth of a second.
        client.cluster.config["allow_auto_create_topics"] = False
        client.cluster.config["retry_backoff_ms"] = 10
        return client

    given = settings.client_options()
    try:
        return kind(**given, **options, kafka_client=remembered)
    except (KafkaError, OSError) as error:
        for loop in loops:
            loop.stop()
            loop.close()
        # Not chained: the library puts options into some of its messages.
        raise StreamError(f"Kafka: {_cause(error, settings)}") from None


def _cause(error: BaseException, settings: KafkaSettings) -> str:
    if isinstance(error, OSError):
        # A certificate or key that cannot be read.
        return f"KAFKA_SSL_* cannot be used ({type(error).__name__})"
    return explained(error, settings)


def _keep_quiet() -> None:
    """The library's debug log shows passwords, and without a handler its errors flood stderr."""
    logger = logging.getLogger("kafka")
    if logger.level < logging.INFO:
        logger.setLevel(logging.WARNING)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
