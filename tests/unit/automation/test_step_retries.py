"""Further attempts of a step: at 5, 10 and 20 minutes, for troubles that may pass, where asked.

Annotations are objects here, since Dagster reads those of assets.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterEventType
from dagster._core.execution.plan import active

from emp_assets import pacing
from emp_assets.noting import noted
from emp_assets.pacing import LONGEST_SECONDS, START_TAG, await_turn
from emp_assets.retrying import RETRY_TAG, UnansweredError, retried, retry_waits
from jobs.automation.requests import jitter
from market_data.automation.policy import RetryRules
from market_data.errors import (
    BudgetSpentError,
    ConfigurationError,
    StoreUnavailableError,
    StreamError,
    VendorUnavailableError,
)
from market_data.failover.state import Standing
from market_data.timeframes import Timeframe

WAITS = retry_waits(RetryRules())
AT = datetime(2024, 3, 12, 1, tzinfo=UTC)


@dataclass
class Clock:
    """Dagster's clock between attempts: sleeping moves it."""

    now: float = field(default_factory=time.time)
    slept: list[int] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds))
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(active, "time", made)
    yield made


def run(
    error: Exception, tags: dict[str, str], good_after: int = 99
) -> tuple[dg.ExecuteInProcessResult, list[float]]:
    """One run of a step that fails a number of times, and the pauses that it asked for."""
    attempts = 0

    @dg.asset
    def bars(context: dg.AssetExecutionContext) -> None:
        nonlocal attempts
        attempts += 1
        with retried(context):
            if attempts <= good_after:
                raise error

    result = dg.materialize([bars], tags=tags, raise_on_error=False)
    events = result.filter_events(lambda e: e.event_type is DagsterEventType.STEP_UP_FOR_RETRY)
    return result, [e.step_retry_data.seconds_to_wait for e in events]


def test_the_pauses_are_5_10_and_20_minutes(clock: Clock):
    result, waits = run(VendorUnavailableError("503"), {RETRY_TAG: WAITS})
    assert not result.success
    assert waits == [300, 600, 1200]
    assert clock.slept == [300, 600, 1200]
    (failed,) = result.filter_events(lambda e: e.is_step_failure)
    assert failed.step_failure_data.error is not None
    assert "503" in failed.step_failure_data.error.to_string(), "the last word is the trouble's own"


@pytest.mark.parametrize(
    "error",
    [StoreUnavailableError("away"), StreamError("away"), UnansweredError("nobody answered")],
)
def test_what_may_pass_is_tried_again(clock: Clock, error: Exception):
    result, waits = run(error, {RETRY_TAG: WAITS}, good_after=1)
    assert result.success
    assert waits == [300]


@pytest.mark.parametrize(
    "error", [BudgetSpentError("spent"), ConfigurationError("wrong"), KeyError()]
)
def test_what_will_not_pass_is_not(clock: Clock, error: Exception):
    result, waits = run(error, {RETRY_TAG: WAITS})
    assert (result.success, waits, clock.slept) == (False, [], [])


def test_a_run_that_asks_for_no_attempts_fails_at_once(clock: Clock):
    result, waits = run(VendorUnavailableError("503"), {})
    assert (result.success, waits) == (False, [])


@pytest.mark.parametrize(("became", "pauses"), [(Standing.AWAY, []), (Standing.BACK, [300])])
def test_what_is_noted_while_the_warehouse_is_away_keeps_no_place(
    clock: Clock, became: Standing, pauses: list[float]
):
    failover = SimpleNamespace(note=lambda _: 1, standing=lambda: became)
    platform: Any = SimpleNamespace(
        open=lambda: SimpleNamespace(clock=SimpleNamespace(now=lambda: AT)),
        operations=SimpleNamespace(open=lambda: SimpleNamespace(failover=failover)),
    )
    attempts = 0

    @dg.asset
    def bars(context: dg.AssetExecutionContext) -> None:
        nonlocal attempts
        attempts += 1
        days = (AT.date(), AT.date())
        with retried(context), noted(context, platform, Timeframe.D1, ["BTCUSD"], days):
            if attempts == 1:
                raise StoreUnavailableError("away")

    result = dg.materialize([bars], tags={RETRY_TAG: WAITS}, raise_on_error=False)
    assert clock.slept == pauses
    assert result.success == bool(pauses)


def test_a_run_waits_for_its_turn_and_never_long(monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []
    monkeypatch.setattr(pacing, "sleep", slept.append)

    @dg.asset
    def bars(context: dg.AssetExecutionContext) -> None:
        await_turn(context)

    def waits(until: timedelta | None) -> list[float]:
        slept.clear()
        tags = {} if until is None else {START_TAG: (datetime.now(UTC) + until).isoformat()}
        assert dg.materialize([bars], tags=tags).success
        return list(slept)

    assert waits(None) == []
    assert waits(timedelta(seconds=-5)) == []
    (seconds,) = waits(timedelta(seconds=90))
    assert 60 < seconds <= 90
    assert waits(timedelta(hours=9)) == [LONGEST_SECONDS]


def test_jitter_is_the_same_for_the_same_tick_and_spreads():
    longest = timedelta(minutes=2)
    ticks = [AT + n * timedelta(days=1) for n in range(200)]
    found = [jitter("daily_market_data", at, longest) for at in ticks]
    assert found == [jitter("daily_market_data", at, longest) for at in ticks]
    assert timedelta(0) <= min(found) < timedelta(seconds=10)
    assert timedelta(seconds=110) < max(found) <= longest
    assert jitter("close_xnys", AT, longest) != jitter("close_fx", AT, longest)
    assert jitter("close_xnys", AT, timedelta(0)) == timedelta(0)
