"""What the platform knows of Yahoo before it asks.

What belongs here: its variables, its limits, how late its bars come, how its vendor is made.
What does not: anything that loads yfinance.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import AliasChoices, Field

from adapters.variables import read
from adapters.vendors.profile import Means, Options, VendorProfile, every_answer
from adapters.vendors.settings import WebSettings, variables
from market_data.answer_shapes import AnswerFields
from market_data.ports import Allowance, Vendor
from market_data.universe import VendorConfig

YAHOO_URL = "https://query2.finance.yahoo.com"


class YahooSettings(WebSettings):
    """What is asked of Yahoo, which publishes no limit and refuses who asks too much."""

    model_config = variables("YAHOO_")

    requests_per_minute: int = Field(default=100, ge=1)
    """A polite number, of all processes together."""

    requests_per_hour: int = Field(default=2_000, ge=1)
    """The number above which refusals were seen."""

    pause: float = Field(default=0.5, ge=0)
    """Seconds between two requests of a process."""

    timeout: float = Field(default=15.0, gt=0)
    """Seconds to wait for an answer."""

    attempts: int = Field(default=3, ge=1)
    """How often one question is put before its trouble counts."""

    url: str = Field(default=YAHOO_URL, validation_alias=AliasChoices("EMP_YAHOO_URL", "YAHOO_URL"))
    """Base URL that replaces Yahoo's, for a proxy or a test server."""

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """Per minute and hour."""
        minute, hour = timedelta(minutes=1), timedelta(hours=1)
        return (
            Allowance("minute", self.requests_per_minute, minute, "YAHOO_REQUESTS_PER_MINUTE"),
            Allowance("hour", self.requests_per_hour, hour, "YAHOO_REQUESTS_PER_HOUR"),
        )


def _build(config: VendorConfig, _options: Options, means: Means) -> Vendor:
    from adapters.vendors.yahoo.vendor import YahooVendor

    found = read(YahooSettings)
    return YahooVendor(
        name=config.name,
        base_url=found.url,
        attempts=found.attempts,
        timeout=found.timeout,
        min_interval=found.pause,
        gate=means.gate,
        claims=PROFILE.claims(),
    )


_CHART = "chart/result/*"
_META = f"{_CHART}/meta"
_QUOTE = f"{_CHART}/indicators/quote/*"
_EVENTS = f"{_CHART}/events"

FIELDS = AnswerFields(
    read=(
        f"{_CHART}/timestamp",
        *(f"{_QUOTE}/{name}" for name in ("open", "high", "low", "close", "volume")),
        f"{_CHART}/indicators/adjclose/*/adjclose",
        *(f"{_EVENTS}/splits/*/{name}" for name in ("date", "numerator", "denominator")),
        *(f"{_EVENTS}/dividends/*/{name}" for name in ("date", "amount", "currency")),
        f"{_META}/symbol",
        f"{_META}/currency",
        f"{_META}/exchangeTimezoneName",
        f"{_META}/dataGranularity",
        f"{_META}/firstTradeDate",
    ),
    # Events where there are some; the rest of the meta data depends on the range and on the hour.
    varying=(
        _EVENTS,
        f"{_META}/previousClose",
        f"{_META}/scale",
        f"{_META}/*radingPeriod*",
        f"{_META}/regularMarket*",
        f"{_META}/fiftyTwoWeek*",
        *(f"{_META}/{name}" for name in ("longName", "shortName", "*xchangeName")),
    ),
)
"""What a chart is read by."""

PROFILE = VendorProfile(
    reader="yahoo",
    settings=YahooSettings,
    delay=timedelta(minutes=15),
    # Volumes and single bars are mended over the following days, across a long weekend.
    settling=timedelta(days=5),
    tells_splits=every_answer,
    fields=FIELDS,
    build=_build,
)
