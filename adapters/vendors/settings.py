"""Settings of the vendors: keys, addresses, and what they let this installation ask.

What belongs here: every variable of a vendor with an interface of its own; loading it loads no
vendor. What does not: which symbols a vendor serves (config/universe.yaml).
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _settings(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        title=f"{prefix}*",
        env_prefix=prefix,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        use_attribute_docstrings=True,
        populate_by_name=True,
    )


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


class _WebSettings(BaseSettings):
    """A vendor that is asked over HTTP."""

    url: str

    @field_validator("url", check_fields=False)
    @classmethod
    def _a_url(cls, value: str) -> str:
        return web_address(value)


class AlphaVantageSettings(_WebSettings):
    """Access to Alpha Vantage."""

    model_config = _settings("ALPHA_VANTAGE_")

    api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("ALPHA_VANTAGE_API_KEY", "ALPHAVANTAGE_API_KEY"),
    )
    """Key of the account. Empty: Alpha Vantage is off."""

    requests_per_minute: int = Field(default=5, ge=1)
    """What the account allows: 5 for a free key, 75 to 1200 for paid ones."""

    requests_per_day: int = Field(default=25, ge=0)
    """What the account allows: 25 for a free key; 0 for no limit."""

    url: str = "https://www.alphavantage.co"
    """Base URL, for a proxy or a test server."""


class FredSettings(_WebSettings):
    """Access to FRED, the Federal Reserve's economic data."""

    model_config = _settings("FRED_")

    api_key: SecretStr | None = None
    """Key of the account, free of charge. Empty: FRED is off."""

    requests_per_minute: int = Field(default=120, ge=1)
    """What a key allows."""

    url: str = "https://api.stlouisfed.org"
    """Base URL, for a proxy or a test server."""


class CoinbaseSettings(_WebSettings):
    """Access to Coinbase Exchange's public candles."""

    model_config = _settings("COINBASE_")

    requests_per_second: int = Field(default=8, ge=1)
    """The public limit is 10."""

    url: str = "https://api.exchange.coinbase.com"
    """Base URL, for a proxy or a test server."""


class OandaSettings(_WebSettings):
    """Access to OANDA's candles (v20)."""

    model_config = _settings("OANDA_")

    api_token: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("OANDA_API_TOKEN", "OANDA_ACCESS_TOKEN")
    )
    """Token of an account. Empty: OANDA is off."""

    requests_per_second: int = Field(default=100, ge=1)
    """The documented limit is 120."""

    url: str = "https://api-fxpractice.oanda.com"
    """Base URL: that of practice accounts, or https://api-fxtrade.oanda.com, or a test server."""


class TwsSettings(BaseSettings):
    """Access to Interactive Brokers through a running TWS or IB Gateway."""

    model_config = _settings("TWS_")

    host: str = ""
    """Machine of the TWS or IB Gateway. Empty: Interactive Brokers is off."""

    port: int = Field(default=4002, ge=1, le=65535)
    """Its port: 4001 or 4002 of a gateway, 7496 or 7497 of TWS."""

    client_id: int = Field(default=17, ge=0)
    """Number that no other program connected to it uses."""

    timeout: float = Field(default=60.0, gt=0)
    """Seconds to wait for an answer."""

    volume_unit: Literal["shares", "lots"] = "shares"
    """How volumes of US shares come: lots, of 100 shares each, where TWS is set to send them so."""


class YahooSettings(BaseSettings):
    """What is asked of Yahoo, which publishes no limit and refuses who asks too much."""

    model_config = _settings("YAHOO_")

    requests_per_minute: int = Field(default=100, ge=1)
    """A polite number, of all processes together."""

    requests_per_hour: int = Field(default=2_000, ge=1)
    """The number above which refusals were seen."""


VENDOR_SETTINGS: tuple[type[BaseSettings], ...] = (
    YahooSettings,
    AlphaVantageSettings,
    FredSettings,
    TwsSettings,
    CoinbaseSettings,
    OandaSettings,
)
"""Every class of this module, in the order of the documentation."""
