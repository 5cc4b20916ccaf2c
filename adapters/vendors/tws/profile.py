"""What the platform knows of Interactive Brokers before it asks.

What belongs here: its variables, its pacing rules, how late its bars come, how its vendor is made.
What does not: anything that loads ib_async; what one question claims (client.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from adapters.variables import read
from adapters.vendors.profile import Means, Options, Package, VendorProfile
from adapters.vendors.settings import VendorSettings, variables
from market_data.ports import Allowance, Vendor
from market_data.universe import VendorConfig

TEN_MINUTES = Allowance("10 minutes", 60, timedelta(minutes=10))
"""Historical requests of one user. One for BID_ASK costs two."""
SAME_CONTRACT = Allowance("2 seconds of one contract", 5, timedelta(seconds=2))
"""The sixth for one contract, exchange and tick type is refused; the subject names these."""
SAME_REQUEST = Allowance("15 seconds of one request", 1, timedelta(seconds=15))
"""An identical request is refused; the subject names the request."""


class TwsSettings(VendorSettings):
    """Access to Interactive Brokers through a running TWS or IB Gateway."""

    model_config = variables("TWS_")

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

    @property
    def lacks(self) -> str:
        """The machine, where none is named."""
        return "" if self.host else "TWS_HOST"

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """What all requests of a user share; IB decides it, no variable does."""
        return (TEN_MINUTES,)


def _build(config: VendorConfig, _options: Options, means: Means) -> Vendor:
    from adapters.stores.locks import NamedLocks
    from adapters.vendors.tws.vendor import TwsVendor

    return TwsVendor(
        read(TwsSettings),
        name=config.name,
        gate=means.gate,
        locks=NamedLocks(means.settings.data_dir.resolve() / "locks" / "tws"),
    )


PROFILE = VendorProfile(
    reader="tws",
    settings=TwsSettings,
    needs=Package("ib_async", extra="tws"),
    delay=timedelta(minutes=1),
    # Its history is filtered and compressed overnight; at a week-end that may take until Monday.
    settling=timedelta(days=3),
    build=_build,
)
