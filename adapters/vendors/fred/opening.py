"""From the variables of an installation to a FRED client.

What belongs here: which settings a client is made of, read when it is made.
What does not: whether FRED is on (adapters/vendors/standing.py).
"""

from __future__ import annotations

from adapters.variables import read
from adapters.vendors.allowances import claims_of
from adapters.vendors.fred.client import FredClient
from adapters.vendors.http import Patience
from adapters.vendors.settings import FredSettings
from market_data.errors import ConfigurationError
from market_data.ports import RequestGate


def open_client(gate: RequestGate, patience: Patience | None = None) -> FredClient:
    """The client that the environment describes.

    Args:
        gate: grants its requests.
        patience: how long and how often to wait.

    Raises:
        ConfigurationError: there is no key, or a variable is wrong; the message names it.
    """
    settings = read(FredSettings)
    if settings.api_key is None:
        raise ConfigurationError("FRED is off: FRED_API_KEY is not set; a key is free of charge")
    return FredClient(
        settings.api_key.get_secret_value(),
        url=settings.url,
        gate=gate,
        claims=claims_of("fred"),
        patience=patience,
    )
