"""Alpha Vantage as its settings and its entry in the universe describe it.

What belongs here: from variables and options to the vendor. What does not: its answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.variables import read
from adapters.vendors.allowances import claims_of
from adapters.vendors.alpha_vantage.vendor import AlphaVantageVendor
from adapters.vendors.settings import AlphaVantageSettings
from market_data.errors import ConfigurationError
from market_data.ports import RequestGate
from market_data.universe import VendorConfig


def open_vendor(
    config: VendorConfig, options: Mapping[str, Any], gate: RequestGate
) -> AlphaVantageVendor:
    """The vendor of an entry; without a key every request is refused.

    Raises:
        ConfigurationError: a setting or an option is wrong.
    """
    settings = read(AlphaVantageSettings)
    adjusted, label = options.get("adjusted", False), options.get("label", "")
    if not isinstance(adjusted, bool) or label not in ("", "start", "end"):
        raise ConfigurationError(
            f"vendor {config.name!r}: adjusted is true or false, label is start or end"
        )
    return AlphaVantageVendor(
        settings.api_key.get_secret_value() if settings.api_key else "",
        name=config.name,
        base_url=settings.url,
        adjusted=adjusted,
        label=label,
        gate=gate,
        claims=claims_of("alpha_vantage"),
    )
