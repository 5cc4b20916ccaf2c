"""Settings of the object store that the lake may lie on: the usual AWS_* variables.

What belongs here: the variables, their checks, and the options that follow from them.
What does not: talking to the store (objects.py).
"""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ObjectStoreSettings(BaseSettings):
    """How an S3-compatible store is reached; EMP_LAKE_URI says which bucket and prefix.

    Each field is read from the environment variable AWS_<FIELD>.
    """

    model_config = SettingsConfigDict(
        title="AWS_*",
        env_prefix="AWS_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    endpoint_url: str = ""
    """Address of a store other than Amazon's, for instance https://minio.example:9000; plain http
    is used where the address says so."""

    region: str = Field(
        default="us-east-1", validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION")
    )
    """Region of the bucket."""

    access_key_id: str = ""
    """Login name. Empty, with the key: that of the machine's role, where it has one."""

    secret_access_key: SecretStr | None = None
    """Login key."""

    session_token: SecretStr | None = None
    """Token of a login that ends."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.access_key_id) != (self.secret_access_key is not None):
            raise ValueError(
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are given both, or neither"
            )
        if self.endpoint_url and urlsplit(self.endpoint_url).scheme not in ("http", "https"):
            raise ValueError("AWS_ENDPOINT_URL: begins with https:// or http://")
        return self

    def options(self) -> dict[str, str]:
        """What the engines take; it holds the key in clear, and is shown to nobody."""
        secret, token = self.secret_access_key, self.session_token
        given = {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": secret.get_secret_value() if secret else "",
            "AWS_SESSION_TOKEN": token.get_secret_value() if token else "",
            "AWS_ALLOW_HTTP": "true" if self.endpoint_url.startswith("http://") else "",
        }
        return {name: value for name, value in given.items() if value}


def options_of(root: object) -> dict[str, str] | None:
    """The options of a root: those of the environment for a URI, None for a folder.

    Raises:
        ConfigurationError: a variable has a value that does not fit; the message names it.
    """
    from adapters.stores.objects import is_remote
    from adapters.variables import read

    return read(ObjectStoreSettings).options() if is_remote(root) else None
