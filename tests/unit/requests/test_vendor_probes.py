"""What `emp doctor` says of vendors: off, left alone, in peace, or fine; each with its cure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.clock import FixedClock
from adapters.probes import Finding, State, run_probes
from adapters.probes.vendors import vendor_probes
from adapters.requests.gate import SharedGate
from adapters.requests.shared_time import Reading
from adapters.requests.sqlite_store import SqliteRequestStore
from market_data.errors import RateLimitedError, VendorUnavailableError
from market_data.requests.breaker import SECOND

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteRequestStore]:
    made = SqliteRequestStore(
        tmp_path / "requests.sqlite", lambda: Reading(round(NOON.timestamp() * SECOND))
    )
    yield made
    made.close()


def look(store: SqliteRequestStore, account: str = "yahoo") -> Finding:
    (found,) = run_probes(vendor_probes([account], lambda: store, FixedClock(NOON)), timeout=20)
    assert found.part == f"vendor_{account}"
    return found


def test_a_vendor_that_can_be_asked_is_fine(store: SqliteRequestStore) -> None:
    found = look(store)
    assert (found.state, found.cure) == (State.OK, "")
    assert found.facts


def test_a_vendor_without_its_key_is_off_and_says_what_is_missing(
    store: SqliteRequestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FRED_API_KEY", raising=False)
    found = look(store, "fred")
    assert (found.state, found.detail) == (State.OFF, "FRED_API_KEY is not set")
    assert "FRED_API_KEY" in found.cure


def test_an_open_breaker_is_degraded(store: SqliteRequestStore) -> None:
    gate = SharedGate("yahoo", lambda: store, FixedClock(NOON))
    for _ in range(5):
        gate.report(VendorUnavailableError("no answer"))
    found = look(store)
    assert found.state is State.DEGRADED
    assert "left alone until 2026-03-02 12:01:00 UTC" in found.detail
    assert "no answer" in found.detail
    assert "emp budget reset --vendor yahoo --breaker" in found.cure


def test_a_vendor_that_asked_for_peace_is_degraded(store: SqliteRequestStore) -> None:
    gate = SharedGate("yahoo", lambda: store, FixedClock(NOON))
    gate.report(RateLimitedError("slower", retry_after=90))
    found = look(store)
    assert found.state is State.DEGRADED
    assert "in peace until 2026-03-02 12:01:30 UTC" in found.detail
    assert found.cure
