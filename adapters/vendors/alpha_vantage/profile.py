"""What the platform knows of Alpha Vantage before it asks.

What belongs here: its variables, its limits, how late its bars come, how its vendor is made.
What does not: anything that loads an HTTP client.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from adapters.variables import read
from adapters.vendors.profile import Means, Options, VendorProfile
from adapters.vendors.settings import WebSettings, variables
from market_data.answer_shapes import AnswerFields
from market_data.ports import Allowance, Telling, Vendor
from market_data.timeframes import Timeframe
from market_data.universe import VendorConfig


class AlphaVantageSettings(WebSettings):
    """Access to Alpha Vantage."""

    model_config = variables("ALPHA_VANTAGE_")

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

    @property
    def lacks(self) -> str:
        """Its key, where there is none."""
        return "" if self.api_key else "ALPHA_VANTAGE_API_KEY"

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """Per minute, and per day where the account has such a limit."""
        per = "ALPHA_VANTAGE_REQUESTS_PER_"
        limits = [("minute", self.requests_per_minute, timedelta(minutes=1), f"{per}MINUTE")]
        if self.requests_per_day:
            limits.append(("day", self.requests_per_day, timedelta(days=1), f"{per}DAY"))
        return tuple(Allowance(*limit) for limit in limits)


class AlphaVantageOptions(Options):
    """What an entry of the universe may say."""

    adjusted: bool | Literal["intraday"] = False
    """With true, daily bars that tell splits and dividends, for a paid key; with intraday, intraday
    bars whose prices carry them, as an entry of its own beside the one of prices as traded."""

    label: Literal["", "start", "end"] = ""
    """Which end of an intraday bar is stamped; empty: each answer tells."""

    @field_validator("adjusted", mode="wrap")
    @classmethod
    def _one_of_three(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        """One sentence in place of pydantic's two."""
        try:
            return handler(value)
        except ValidationError:
            raise ValueError("must be a boolean or 'intraday'") from None


def _build(config: VendorConfig, options: AlphaVantageOptions, means: Means) -> Vendor:
    from adapters.vendors.alpha_vantage.vendor import AlphaVantageVendor

    found = read(AlphaVantageSettings)
    return AlphaVantageVendor(
        found.api_key.get_secret_value() if found.api_key else "",
        name=config.name,
        base_url=found.url,
        adjusted=options.adjusted,
        label=options.label,
        gate=means.gate,
        claims=PROFILE.claims(),
    )


def _tells_splits(options: AlphaVantageOptions, timeframe: Timeframe) -> Telling:
    """The adjusted daily series says of each day whether there was one; no other says anything."""
    if options.adjusted is True and timeframe is Timeframe.D1:
        # Answers of before that series was asked for may be kept beside its own.
        return Telling.WITH_ADJUSTED_CLOSE
    return Telling.NONE


_COLUMNS = (
    *("open", "high", "low", "close", "volume"),
    *("adjusted close", "dividend amount", "split coefficient"),
)

FIELDS = AnswerFields(
    read=(
        "Meta Data",
        *(f"Time Series*/*. {name}" for name in _COLUMNS),
        *("time", "timestamp"),
        *(name.replace(" ", "_") for name in _COLUMNS),
    ),
    varying=("Meta Data/*",),
)
"""As JSON or as a table; "Meta Data" counts its lines, and has more of them for some tables."""

PROFILE = VendorProfile(
    reader="alpha_vantage",
    settings=AlphaVantageSettings,
    options=AlphaVantageOptions,
    # A free key is given the bars of the day before; whoever pays for more knows them earlier.
    delay=timedelta(days=1),
    # A day comes overnight, and is mended over the following days.
    settling=timedelta(days=5),
    tells_splits=_tells_splits,
    fields=FIELDS,
    build=_build,
)
