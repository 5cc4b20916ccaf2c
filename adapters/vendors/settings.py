"""What the settings of every vendor have in common.

What belongs here: how their variables are named, what a vendor's settings answer, addresses.
What does not: the variables of one vendor (profile.py of its package).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from market_data.ports import Allowance


def variables(prefix: str) -> SettingsConfigDict:
    """How a settings class reads the variables that begin with a prefix."""
    return SettingsConfigDict(
        title=f"{prefix}*",
        env_prefix=prefix,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )


class VendorSettings(BaseSettings):
    """Variables of one vendor, and what follows from them before anybody is asked."""

    @property
    def lacks(self) -> str:
        """The variable without which the vendor is off; empty where nothing is lacking."""
        return ""

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """The windows that all requests of the vendor share, the shortest first.

        Limits that concern one contract or one question alone, the adapter claims by itself.
        """
        raise NotImplementedError


class WebSettings(VendorSettings):
    """Variables of a vendor that is asked over HTTP."""

    url: str

    @field_validator("url", check_fields=False)
    @classmethod
    def _a_url(cls, value: str) -> str:
        return web_address(value)


def web_address(value: str) -> str:
    """The value, if it is empty or an address that can be asked over HTTP.

    Raises:
        ValueError: it is neither.
    """
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        good = False
    if value and not good:
        raise ValueError("must be http://host:port or https://host")
    return value
