"""An S3-compatible object store: small objects by name, and the settings that the engines take.

What belongs here: opening it, whole objects in and out, what lies below a prefix, and the errors of
a store that does not answer. What does not: Delta tables (delta_table.py), the variables
(object_settings.py).

A put is seen whole or not at all, so nothing is written under another name first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from market_data.errors import StoreUnavailableError

if TYPE_CHECKING:
    from obstore.store import S3Store

Options = Mapping[str, str]
"""Credentials and settings of an object store, by the names AWS_*."""

_RETRIES = 3
_RETRY_TIMEOUT = "20s"
_NAMES = {
    "AWS_ENDPOINT_URL": "endpoint",
    "AWS_REGION": "region",
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
}


def is_remote(root: object) -> bool:
    """Whether a root is a URI of an object store, not a folder."""
    return "://" in str(root)


def for_delta(options: Options | None) -> dict[str, str] | None:
    """The options as delta-rs takes them; a commit is a conditional put."""
    if not options:
        return None
    return {
        "aws_conditional_put": "etag",
        "max_retries": str(_RETRIES),
        "retry_timeout": _RETRY_TIMEOUT,
        **options,
    }


def for_polars(options: Options | None) -> dict[str, Any] | None:
    """The options as Polars takes them."""
    if not options:
        return None
    known = {name: value for name, value in options.items() if name.upper().startswith("AWS_")}
    known.pop("aws_conditional_put", None)
    return {**known, "max_retries": _RETRIES}


class Objects:
    """The objects below a URI.

    Args:
        uri: s3://bucket/prefix.
        options: credentials and settings.
    """

    def __init__(self, uri: str, options: Options | None = None) -> None:
        self.uri = uri.rstrip("/")
        self._options = dict(options or {})

    def __repr__(self) -> str:
        return f"Objects({self.uri!r})"

    @cached_property
    def _store(self) -> S3Store:
        from datetime import timedelta

        from obstore.store import S3Store

        parts = urlsplit(self.uri)
        given: dict[str, Any] = {
            name: self._options[variable]
            for variable, name in _NAMES.items()
            if self._options.get(variable)
        }
        plain = self._options.get("AWS_ALLOW_HTTP", "") == "true"
        return S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options={"allow_http": plain, "connect_timeout": timedelta(seconds=5)},
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=20)},
            **given,
        )

    def put(self, path: str, content: bytes) -> None:
        """Write an object, whole or not at all.

        Raises:
            StoreUnavailableError: the store does not answer, or refuses.
        """
        import obstore

        with reaching(self.uri):
            obstore.put(self._store, path, content)

    def put_new(self, path: str, content: bytes) -> bool:
        """Write an object only where there is none of its name; whether there was none.

        Raises:
            StoreUnavailableError: the store does not answer, or refuses.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with reaching(self.uri):
            try:
                obstore.put(self._store, path, content, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def get(self, path: str) -> bytes:
        """The content of an object.

        Raises:
            FileNotFoundError: there is none.
            StoreUnavailableError: the store does not answer, or refuses.
        """
        import obstore

        with reaching(self.uri):
            return bytes(obstore.get(self._store, path).bytes())

    def size(self, path: str) -> int | None:
        """Bytes of an object; None where there is none.

        Raises:
            StoreUnavailableError: the store does not answer, or refuses.
        """
        import obstore

        with reaching(self.uri):
            try:
                return int(obstore.head(self._store, path)["size"])
            except FileNotFoundError:
                return None

    def written_at(self, path: str) -> datetime | None:
        """When an object was written, UTC; None where there is none.

        Raises:
            StoreUnavailableError: the store does not answer, or refuses.
        """
        import obstore

        with reaching(self.uri):
            try:
                return obstore.head(self._store, path)["last_modified"]
            except FileNotFoundError:
                return None

    def below(self, prefix: str = "") -> Iterator[Mapping[str, Any]]:
        """What lies below a prefix: path, size, last_modified (UTC), e_tag.

        Raises:
            StoreUnavailableError: the store does not answer, or refuses.
        """
        import obstore

        with reaching(self.uri):
            for batch in obstore.list(self._store, prefix or None):
                yield from batch

    def remove(self, paths: Iterable[str]) -> None:
        """Remove objects, those as well that are not there.

        Raises:
            StoreUnavailableError: the store does not answer, or refuses.
        """
        import obstore

        with reaching(self.uri):
            for path in paths:
                obstore.delete(self._store, path)


@contextmanager
def reaching(uri: str) -> Iterator[None]:
    """Turn what a client says of a store that does not answer into a typed error.

    Raises:
        StoreUnavailableError: any such error, but that an object is not there.
    """
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchBucket" not in str(error):
            raise
        raise StoreUnavailableError(
            f"{uri}: there is no such bucket; make it, or name another in EMP_LAKE_URI"
        ) from error
    except (OSError, BaseError) as error:
        raise _away(uri, error) from error


def _away(uri: str, error: Exception) -> StoreUnavailableError:
    told = " ".join(str(error).split("Debug source")[0].split())[:300]
    return StoreUnavailableError(
        f"{uri} cannot be reached or refuses: {told}; look at AWS_ENDPOINT_URL, the keys and the "
        "network ('emp doctor' tries it), then run again: nothing is half-written"
    )
