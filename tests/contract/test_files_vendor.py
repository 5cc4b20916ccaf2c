"""The vendor contract on files: daily bars of several zips, minutes of one zip per day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.vendors.files.spec import load_format
from adapters.vendors.files.vendor import FilesVendor
from market_data.basis import Basis, Hours
from market_data.ports import FetchRequest, SymbolRequest
from market_data.universe import Instrument
from tests.contract.vendor_suite import VendorCase, VendorContract


def asked(symbol: str) -> SymbolRequest:
    return SymbolRequest(
        Instrument(symbol=symbol, asset_class="equity", calendar="XNYS"), symbol.lower()
    )


GOLDEN = {
    "lean_daily": {
        "AAPL": {"ts": datetime(2014, 6, 3, tzinfo=UTC), "open": 628.47, "close": 637.54}
    },
    # 14760000 ms after New York's midnight, in summer.
    "lean_minute": {"SPY": {"ts": datetime(2013, 10, 4, 8, 6, tzinfo=UTC), "open": 167.65}},
}


@pytest.fixture(params=["lean_daily", "lean_minute"])
def files_case(request: pytest.FixtureRequest, test_data: Path) -> VendorCase:
    spec = load_format(request.param)
    folder = "daily/lean_usa" if request.param == "lean_daily" else "intraday/lean_1m"
    month = (2014, 6) if request.param == "lean_daily" else (2013, 10)
    symbols = ("AAPL", "SPY") if request.param == "lean_daily" else ("SPY",)
    return VendorCase(
        vendor=FilesVendor("lean", spec, test_data / folder),
        request=FetchRequest(
            tuple(asked(s) for s in symbols),
            spec.timeframe,
            datetime(*month, 3, tzinfo=UTC),
            datetime(*month, 11, tzinfo=UTC),
            datetime(2024, 6, 1, tzinfo=UTC),
        ),
        empty=(datetime(1990, 5, 1, tzinfo=UTC), datetime(1990, 6, 1, tzinfo=UTC)),
        unknown=asked("NONE"),
        golden=GOLDEN[request.param],
        bases=dict.fromkeys(
            symbols,
            Basis(
                unit="USD",
                hours=Hours.REGULAR if request.param == "lean_daily" else Hours.EXTENDED,
            ),
        ),
    )


class TestFilesVendor(VendorContract):
    @pytest.fixture
    def case(self, files_case: VendorCase) -> VendorCase:
        return files_case
