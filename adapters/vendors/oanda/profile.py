"""What the platform knows of OANDA before it asks.

What belongs here: its variables, its limits, how late its bars come, how its vendor is made.
What does not: anything that loads an HTTP client.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr

from adapters.variables import read
from adapters.vendors.profile import Means, Options, VendorProfile
from adapters.vendors.settings import WebSettings, variables
from market_data.answer_shapes import AnswerFields
from market_data.basis import Side
from market_data.ports import Allowance, Vendor
from market_data.universe import VendorConfig


class OandaSettings(WebSettings):
    """Access to OANDA's candles (v20)."""

    model_config = variables("OANDA_")

    api_token: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("OANDA_API_TOKEN", "OANDA_ACCESS_TOKEN")
    )
    """Token of an account. Empty: OANDA is off."""

    requests_per_second: int = Field(default=100, ge=1)
    """The documented limit is 120."""

    url: str = "https://api-fxpractice.oanda.com"
    """Base URL: that of practice accounts, or https://api-fxtrade.oanda.com, or a test server."""

    @property
    def lacks(self) -> str:
        """Its token, where there is none."""
        return "" if self.api_token else "OANDA_API_TOKEN"

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """Per second."""
        second = timedelta(seconds=1)
        return (Allowance("second", self.requests_per_second, second, "OANDA_REQUESTS_PER_SECOND"),)


class OandaOptions(Options):
    """What an entry of the universe may say."""

    side: Literal["mid", "bid", "ask"] = "mid"
    """Whose prices; an entry of its own for each side that is wanted."""


def _build(config: VendorConfig, options: OandaOptions, means: Means) -> Vendor:
    from adapters.vendors.oanda.vendor import OandaVendor

    found = read(OandaSettings)
    return OandaVendor(
        found.api_token.get_secret_value() if found.api_token else "",
        name=config.name,
        base_url=found.url,
        side=Side(options.side),
        gate=means.gate,
        claims=PROFILE.claims(),
    )


PROFILE = VendorProfile(
    reader="oanda",
    settings=OandaSettings,
    options=OandaOptions,
    delay=timedelta(minutes=1),
    settling=timedelta(days=1),
    fields=AnswerFields(
        read=(
            *("instrument", "granularity"),
            *("candles/*/time", "candles/*/complete", "candles/*/volume"),
            *(f"candles/*/{side}/{price}" for side in Side for price in "ohlc"),
        )
    ),
    build=_build,
)
