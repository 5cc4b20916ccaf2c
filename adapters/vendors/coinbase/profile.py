"""What the platform knows of Coinbase Exchange before it asks.

What belongs here: its variables, its limits, how late its bars come, how its vendor is made.
What does not: anything that loads an HTTP client.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from adapters.variables import read
from adapters.vendors.profile import Means, Options, VendorProfile
from adapters.vendors.settings import WebSettings, variables
from market_data.answer_shapes import AnswerFields
from market_data.ports import Allowance, Vendor
from market_data.universe import VendorConfig


class CoinbaseSettings(WebSettings):
    """Access to Coinbase Exchange's public candles."""

    model_config = variables("COINBASE_")

    requests_per_second: int = Field(default=8, ge=1)
    """The public limit is 10."""

    url: str = "https://api.exchange.coinbase.com"
    """Base URL, for a proxy or a test server."""

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """Per second."""
        second = timedelta(seconds=1)
        return (
            Allowance("second", self.requests_per_second, second, "COINBASE_REQUESTS_PER_SECOND"),
        )


def _build(config: VendorConfig, _options: Options, means: Means) -> Vendor:
    from adapters.vendors.coinbase.vendor import CoinbaseVendor

    return CoinbaseVendor(
        name=config.name,
        base_url=read(CoinbaseSettings).url,
        gate=means.gate,
        claims=PROFILE.claims(),
    )


PROFILE = VendorProfile(
    reader="coinbase",
    settings=CoinbaseSettings,
    delay=timedelta(minutes=1),
    # A minute without a trade has no bar and never gets one; the day after an outage may.
    settling=timedelta(days=1),
    # A candle lists six numbers; its places have no names.
    fields=AnswerFields(read=tuple(f"*/place {place}" for place in range(6))),
    build=_build,
)
