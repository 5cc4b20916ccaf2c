"""A handshake of TLS with the brokers, made to learn why they cannot be used.

What belongs here: looking, and what was seen in words that name the setting and the cure.
What does not: connections that messages go over (clients.py); the library keeps what went wrong on
those to itself.
"""

from __future__ import annotations

import socket
import ssl

from adapters.kafka.settings import KafkaSettings

_REACH_SECONDS = 2.0
_WORD_SECONDS = 0.3
"""How long a broker may take to say that it misses a certificate; it comes after the handshake."""


def fault_of_tls(settings: KafkaSettings) -> str | None:
    """What is wrong with certificates, as far as a handshake with each broker tells.

    Returns:
        None where nothing is, where TLS is not asked for, and where nobody speaks it.
    """
    if not settings.security_protocol.endswith("SSL"):
        return None
    try:
        context = _context(settings)
    except (OSError, ValueError):
        return (
            "KAFKA_SSL_CAFILE, KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE must be PEM files, the key "
            "without a password and that of the certificate"
        )
    faults = (_fault(context, server) for server in settings.bootstrap_servers)
    return next((fault for fault in faults if fault), None)


def _context(settings: KafkaSettings) -> ssl.SSLContext:
    file = settings.ssl_cafile
    context = ssl.create_default_context(cafile=str(file) if file else None)
    if settings.ssl_certfile:
        # A key with a password would be asked for on the terminal.
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password="")
    return context


def _fault(context: ssl.SSLContext, server: str) -> str | None:
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    try:
        with (
            socket.create_connection((host, int(port)), timeout=_REACH_SECONDS) as link,
            context.wrap_socket(link, server_hostname=host) as wrapped,
        ):
            wrapped.settimeout(_WORD_SECONDS)
            wrapped.recv(1)
    except ssl.SSLCertVerificationError as error:
        return (
            f"the certificate of {server} is refused, {error.verify_message.rstrip('.')}: "
            "KAFKA_SSL_CAFILE must be the PEM file of the authority that signed it, and "
            "KAFKA_BOOTSTRAP_SERVERS name the host that it is for"
        )
    except ssl.SSLError as error:
        if "ALERT" not in str(error.reason):
            return None
        return (
            f"{server} wants a client's certificate that it trusts: check KAFKA_SSL_CERTFILE and "
            "KAFKA_SSL_KEYFILE"
        )
    except OSError:
        return None
    return None
