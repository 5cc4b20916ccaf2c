"""The vendor contract on the two sample vendors, with their planted errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.vendors.sample.instruments import INSTRUMENTS
from adapters.vendors.sample.vendor import SampleVendor
from market_data.ports import FetchRequest, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.vendor_suite import VendorCase, VendorContract

SYMBOLS = tuple(
    SymbolRequest(
        Instrument(symbol=d.symbol, asset_class=d.asset_class, calendar=d.calendar), d.symbol
    )
    for d in INSTRUMENTS.values()
)
UNKNOWN = SymbolRequest(
    Instrument(symbol="DEMO-NONE", asset_class=AssetClass.EQUITY, calendar="XNYS"), "DEMO-NONE"
)
DAILY = {
    ("DEMO-EURUSD", datetime(2024, 2, 21, tzinfo=UTC)),
    ("DEMO-BTC", datetime(2024, 2, 27, tzinfo=UTC)),
}
MINUTES = {("DEMO-ACME", datetime(2024, 3, 8, 15, m, tzinfo=UTC)) for m in range(3)} | {
    ("DEMO-BTC", datetime(2024, 3, 9, 11, 40, tzinfo=UTC))
}


@pytest.fixture(
    params=[(v, t) for v in ("sample_a", "sample_b") for t in (Timeframe.M1, Timeframe.D1)],
    ids=lambda p: f"{p[0]}-{p[1]}",
)
def sample_case(request: pytest.FixtureRequest) -> VendorCase:
    name, timeframe = request.param
    first, last = ((2024, 3, 8), (2024, 3, 13)) if timeframe is Timeframe.M1 else (
        (2024, 1, 2), (2024, 3, 29)
    )  # fmt: skip
    planted = MINUTES if timeframe is Timeframe.M1 else DAILY
    return VendorCase(
        vendor=SampleVendor(name),
        request=FetchRequest(
            SYMBOLS,
            timeframe,
            datetime(*first, tzinfo=UTC),
            datetime(*last, tzinfo=UTC),
            datetime(2024, 6, 1, tzinfo=UTC),
        ),
        empty=(datetime(2023, 5, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC)),
        unknown=UNKNOWN,
        duplicates=planted if name == "sample_a" else set(),
    )


class TestSampleVendor(VendorContract):
    @pytest.fixture
    def case(self, sample_case: VendorCase) -> VendorCase:
        return sample_case
