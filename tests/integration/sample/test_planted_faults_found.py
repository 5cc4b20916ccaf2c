"""The platform finds the errors planted in the sample vendors, and nothing that was not planted."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapters.backend import open_platform
from adapters.clock import FixedClock
from adapters.settings import Settings
from adapters.vendors.sample.faults import PLANTED, FaultKind, PlantedFault
from adapters.vendors.sample.instruments import INSTRUMENTS
from market_data.pipeline.curate import curate_sessions
from market_data.pipeline.ingest import ingest
from market_data.pipeline.inspection import inspect_raw
from market_data.pipeline.planning import IngestRequest
from market_data.timeframes import Timeframe

VENDORS = ("sample_a", "sample_b")
RANGES = {
    Timeframe.D1: (date(2024, 1, 2), date(2024, 3, 28)),
    Timeframe.M1: (date(2024, 3, 8), date(2024, 3, 12)),
}
UNSEEN = (FaultKind.LATE, FaultKind.SPLIT, FaultKind.SPIKE)
"""Late bars have arrived by then, a reported split is no error, and a spike that all vendors
share is for the checks of curated prices."""

Found = set[tuple[str, str, str, date, str]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Vendor, timeframe, symbol, session and code of every finding and every refused row."""
    folder: Path = tmp_path_factory.mktemp("demo")
    clock = FixedClock(datetime(2024, 6, 1, tzinfo=UTC))
    platform = open_platform(Settings(data_dir=folder), clock=clock)
    symbols = tuple(INSTRUMENTS)
    seen: Found = set()
    for timeframe, (first, last) in RANGES.items():
        for vendor in VENDORS:
            request = IngestRequest(vendor, timeframe, symbols, first, last)
            report = ingest(platform, request, platform.vendors.open(vendor))
            assert not report.errors
        curate_sessions(platform, timeframe, symbols, first, last)
        for vendor in VENDORS:
            findings = inspect_raw(platform, vendor, timeframe, first, last).findings
            rows = findings.select("symbol", "session", "code").iter_rows()
            seen |= {(vendor, str(timeframe), *row) for row in rows}
    refused = platform.quarantine.read().select(
        "vendor", "timeframe", "symbol", "session", "reasons"
    )
    for *key, reasons in refused.iter_rows():
        seen |= {(*key, reason) for reason in reasons.split(",")}
    return seen


@pytest.mark.parametrize(
    "fault",
    [f for f in PLANTED if f.kind not in UNSEEN],
    ids=lambda f: f"{f.vendor}-{f.symbol}-{f.timeframe}-{f.session}-{f.kind}",
)
def test_a_planted_error_is_found(found: Found, fault: PlantedFault) -> None:
    key = (fault.vendor, str(fault.timeframe), fault.symbol, fault.session)
    assert (*key, fault.expected) in found


def test_nothing_else_is_found(found: Found) -> None:
    planted = {(f.symbol, str(f.timeframe), f.session) for f in PLANTED}
    assert [k for k in sorted(found) if (k[2], k[1], k[3]) not in planted] == []
