"""What IB's codes mean, the recorded ones above all."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.vendors.tws.codes import Farms, Meaning, meaning_of, trouble_of
from market_data.errors import (
    RateLimitedError,
    UnauthorisedError,
    UnknownSymbolError,
    UnreachableError,
    VendorError,
    VendorUnavailableError,
)
from tests.support.ib_gateway import recorded_codes

SERVICE = "Historical Market Data Service error message:"
RECORDED = {
    "Historical data request pacing violation": Meaning.PACING,
    "API historical data query cancelled": Meaning.PASSING,
    "API scanner subscription cancelled": Meaning.PASSING,
    "connected from a different IP address": Meaning.LOST,
    "HMDS query returned no data": Meaning.NOTHING,
    "No historical data query found": Meaning.PASSING,
    "No scanner subscription found": Meaning.NOTICE,
    "No market data permissions": Meaning.PERMISSION,
    "HMDS data farm connection is OK": Meaning.NOTICE,
    "No security definition has been found": Meaning.UNKNOWN,
    "max rate of messages per second exceeded": Meaning.PACING,
}


def test_every_recorded_code_means_what_its_observers_say(test_data: Path) -> None:
    seen = set()
    for told in recorded_codes(test_data):
        expected = next(m for words, m in RECORDED.items() if words in told["message"])
        found = meaning_of(told["code"], told["message"])
        assert found is expected, told
        assert (found is Meaning.PACING) == told["is_pacing"], told
        seen.add(told["message"])
    assert len(seen) >= len(RECORDED)


@pytest.mark.parametrize(
    ("number", "text", "kind", "outcome"),
    [
        (162, SERVICE + "Historical data request pacing violation", RateLimitedError, "refused"),
        (322, "Error processing request:-'bQ' : cause - Only 50 simultaneous API historical data "
         "requests", RateLimitedError, "refused"),
        (162, SERVICE + "No market data permissions for NYSE STK", UnauthorisedError, "refused"),
        (354, "Requested market data is not subscribed.", UnauthorisedError, "refused"),
        (10089, "Requested market data requires additional subscription", UnauthorisedError,
         "refused"),
        (10168, "Requested market data is not subscribed.", UnauthorisedError, "refused"),
        (200, "No security definition has been found for the request", UnknownSymbolError,
         "failed"),
        (162, SERVICE + "No historical market data for X/STK@SMART Last 1m", UnknownSymbolError,
         "failed"),
        (321, "Error validating request:-'bZ' : cause - Please enter a valid duration",
         VendorError, "failed"),
        (162, SERVICE + "Historical query end date/time string [x] is invalid", VendorError,
         "failed"),
        (10314, "End Date/Time: The date, time, or time-zone entered is invalid.", VendorError,
         "failed"),
        (366, "No historical data query found for ticker id:6", VendorUnavailableError, "failed"),
        (2105, "HMDS data farm connection is broken:ushmds", VendorUnavailableError, "failed"),
        (2157, "Sec-def data farm connection is broken:secdefnj", VendorUnavailableError, "failed"),
        (1100, "Connectivity between IB and the TWS has been lost.", UnreachableError, "failed"),
        (2110, "Connectivity between TWS and server is broken. It will be restored automatically.",
         UnreachableError, "failed"),
        (504, "Not connected", UnreachableError, "failed"),
        (502, "Couldn't connect to TWS.", UnreachableError, "failed"),
        (99999, "A code of next year", VendorError, "failed"),
    ],
)  # fmt: skip
def test_a_code_becomes_an_error_of_its_kind(
    number: int, text: str, kind: type[VendorError], outcome: str
) -> None:
    trouble = trouble_of(number, text)
    assert type(trouble) is kind
    assert trouble.outcome == outcome
    assert str(number) in str(trouble)


def test_the_cure_is_named() -> None:
    assert "TWS_CLIENT_ID" in str(trouble_of(326, "Unable to connect: client id in use"))
    for number in (502, 504, 1100):
        told = str(trouble_of(number, "lost"))
        assert "TWS_HOST" in told
        assert "TWS_PORT" in told


@pytest.mark.parametrize("number", [2104, 2106, 2107, 2158, 2174, 2199, 10167, 1102])
def test_notices_are_no_trouble(number: int) -> None:
    assert trouble_of(number, "Market data farm connection is OK:usfarm") is None


def test_farms_that_are_down_are_remembered_until_they_are_up() -> None:
    farms = Farms()
    farms.hear(2105, "HMDS data farm connection is broken:ushmds")
    farms.hear(2105, "HMDS data farm connection is broken:euhmds")
    farms.hear(2106, "HMDS data farm connection is OK:ushmds")
    assert str(farms) == "(2105) HMDS data farm connection is broken:euhmds"
    assert not farms.lost
    farms.hear(1100, "Connectivity between IB and the TWS has been lost.")
    assert farms.lost.startswith("(1100)")
    farms.hear(1102, "Connectivity between IB and TWS has been restored - data maintained.")
    assert not farms.lost
