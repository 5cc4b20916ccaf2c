"""What the errors of Redis's client mean.

What belongs here: which of them are a wrong setting, and words for people, without a secret.
What does not: what is done about it (redis_cache.py).
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import redis

from adapters.cache.settings import RedisSettings
from market_data.errors import ConfigurationError

_NO_LOGIN = ("NOAUTH", "WRONGPASS", "invalid username-password")
# OpenSSL's numbers for a certificate that is not valid yet, or no longer.
_AT_ANOTHER_TIME = (9, 10)


def wrong_setting(error: redis.RedisError, settings: RedisSettings) -> ConfigurationError | None:
    """The error to stop with where Redis is there and a setting keeps it from being used.

    A certificate that has run out is none: Redis comes back by itself when it has a new one.
    """
    if _is_login(error):
        return ConfigurationError(
            f"Redis at {settings.shown} refuses the login: check user and password in REDIS_URL"
        )
    if _is_tls(error):
        return ConfigurationError(
            f"Redis at {settings.shown} fails the checks of TLS: REDIS_SSL_CAFILE must be the PEM "
            "file of the authority that signed its certificate, the certificate be for this "
            "host, and REDIS_SSL_KEYFILE belong to REDIS_SSL_CERTFILE"
        )
    return None


def trouble_of(error: redis.RedisError) -> str:
    """What a Redis did that failed, for people: "does not answer"; holds no login."""
    if _is_login(error):
        return "refuses the login"
    if _is_tls(error):
        return "fails the checks of TLS (REDIS_SSL_CAFILE)"
    for means, words in _MEANINGS:
        if any(means(cause) for cause in _causes(error)):
            return words
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return "does not answer"
    return f"fails with {type(error).__name__}"


def _is_login(error: redis.RedisError) -> bool:
    if isinstance(error, redis.AuthenticationError | redis.exceptions.NoPermissionError):
        return True
    return any(word in str(error) for word in _NO_LOGIN)


def _is_tls(error: redis.RedisError) -> bool:
    return any(
        isinstance(cause, FileNotFoundError | PermissionError)
        or (
            isinstance(cause, ssl.SSLError)
            and not _is_hanging_up(cause)
            and not _is_out_of_date(cause)
        )
        for cause in _causes(error)
    )


def _is_hanging_up(cause: BaseException) -> bool:
    # Whether its word about a missing certificate is read before the connection is gone is chance.
    if isinstance(cause, ssl.SSLError):
        return isinstance(
            cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError
        ) or "ALERT" in str(cause.reason)
    return isinstance(cause, ConnectionResetError | BrokenPipeError)


def _is_out_of_date(cause: BaseException) -> bool:
    return getattr(cause, "verify_code", None) in _AT_ANOTHER_TIME


def _is_silent_in_tls(cause: BaseException) -> bool:
    return isinstance(cause, TimeoutError) and "handshake" in str(cause)


_MEANINGS = (
    (_is_out_of_date, "has a certificate that is not valid now"),
    (
        _is_hanging_up,
        "hangs up, as one does that speaks TLS (REDIS_SSL) or wants a client's certificate "
        "(REDIS_SSL_CERTFILE)",
    ),
    (_is_silent_in_tls, "does not answer in TLS (REDIS_SSL)"),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The library tells what happened by the error that it met itself."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
