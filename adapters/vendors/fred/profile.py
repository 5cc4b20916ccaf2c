"""What the platform knows of FRED before it asks.

What belongs here: its variables, its limits, how late its values come, how its client, its vendor
and its source of macro releases are made. What does not: anything that loads an HTTP client.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import Field, SecretStr

from adapters.variables import read
from adapters.vendors.profile import Means, Options, VendorProfile
from adapters.vendors.settings import WebSettings, variables
from market_data.errors import ConfigurationError
from market_data.ports import Allowance, RequestGate, Vendor
from market_data.universe import VendorConfig

if TYPE_CHECKING:
    from adapters.vendors.fred.client import FredClient


class FredSettings(WebSettings):
    """Access to FRED, the Federal Reserve's economic data."""

    model_config = variables("FRED_")

    api_key: SecretStr | None = None
    """Key of the account, free of charge. Empty: FRED is off."""

    requests_per_minute: int = Field(default=120, ge=1)
    """What a key allows."""

    url: str = "https://api.stlouisfed.org"
    """Base URL, for a proxy or a test server."""

    @property
    def lacks(self) -> str:
        """Its key, where there is none."""
        return "" if self.api_key else "FRED_API_KEY"

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """Per minute."""
        minute = timedelta(minutes=1)
        return (Allowance("minute", self.requests_per_minute, minute, "FRED_REQUESTS_PER_MINUTE"),)


def open_client(gate: RequestGate) -> FredClient:
    """The client that the environment describes.

    Args:
        gate: grants its requests.

    Raises:
        ConfigurationError: there is no key, or a variable is wrong; the message names it.
    """
    from adapters.vendors.fred.client import FredClient

    found = read(FredSettings)
    if found.api_key is None:
        raise ConfigurationError("FRED is off: FRED_API_KEY is not set; a key is free of charge")
    return FredClient(
        found.api_key.get_secret_value(), url=found.url, gate=gate, claims=PROFILE.claims()
    )


def _build(config: VendorConfig, _options: Options, means: Means) -> Vendor:
    from adapters.vendors.fred.vendor import FredVendor

    return FredVendor(open_client(means.gate), name=config.name)


PROFILE = VendorProfile(
    reader="fred",
    settings=FredSettings,
    # The slowest daily series come once a week, a day late where Monday is a holiday.
    delay=timedelta(days=8),
    settling=timedelta(days=14),
    build=_build,
)
