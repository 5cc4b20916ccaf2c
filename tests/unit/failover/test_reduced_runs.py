"""While the warehouse is away scheduled runs fetch and do no more; afterwards slices are made."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from jobs.automation.limits import run_limits
from jobs.automation.requests import slice_requests
from jobs.failover import TAG_MISSED, note_left_out, replay_request
from market_data.automation.policy import AutomationPolicy
from market_data.failover.state import MissedSlice, Standing
from market_data.features.registry import bar_groups
from market_data.pipeline.feed import Feed
from market_data.pipeline.market_slice import SlicePart
from market_data.pipeline.missed_features import timeframes_of, waits
from market_data.timeframes import Timeframe

LIMITS = run_limits(AutomationPolicy(), again=0)
AT = datetime(2024, 3, 12, 1, tzinfo=UTC)
FIRST, LAST = date(2024, 3, 4), date(2024, 3, 11)
PART = SlicePart(
    "intraday",
    Timeframe.M1,
    (Timeframe.H1,),
    (Feed("yahoo", ("AAPL",)), Feed("oanda", ("EURUSD",))),
    FIRST,
    LAST,
)
RAW = {"raw/oanda_bars_1m", "raw/yahoo_bars_1m"}
MADE = {"curated/bars_1m", "curated/bars_1h", "curated/quarantine", "quality/scores"}


def names(request: dg.RunRequest) -> set[str]:
    return {key.to_user_string() for key in request.asset_selection or ()}


def steps(request: dg.RunRequest) -> set[str]:
    return {name.removesuffix("__checks") for name in request.run_config["ops"]}


@pytest.mark.parametrize("standing", list(Standing))
def test_a_scheduled_run_makes_what_can_be_made(standing: Standing):
    (request,) = slice_requests((), AutomationPolicy(), "daily", AT, [PART], standing)
    wanted = RAW if standing is Standing.AWAY else RAW | MADE
    assert names(request) == wanted
    # A run with configuration for a step that it has not is refused by Dagster.
    assert steps(request) <= {name.replace("/", "__") for name in wanted}


DAYS = MissedSlice("features/bars_1d", Timeframe.D1, ("AAPL",), FIRST, LAST, "", AT, 9)
HOURS = replace(DAYS, dataset="features/bars_1h", timeframe=Timeframe.H1)


class Notes:
    """What is noted."""

    def __init__(self) -> None:
        self.taken: list[MissedSlice] = []

    def note(self, missed: MissedSlice) -> int:
        self.taken.append(missed)
        return len(self.taken)


@pytest.mark.parametrize("features", [False, True])
def test_what_a_reduced_run_leaves_out_is_noted_with_its_features(features: bool):
    notes = Notes()
    span, made = (FIRST, LAST), [Timeframe.D1, Timeframe.M30]
    note_left_out(notes, made, ("AAPL",), span, at=AT, features=features)  # type: ignore[arg-type]
    bars = {"curated/bars_1d", "curated/bars_30m"}
    # Bars of half an hour have no features.
    assert {m.dataset for m in notes.taken} == bars | ({"features/bars_1d"} if features else set())
    assert {m.sessions for m in notes.taken} == {span}


def test_a_run_for_missed_features_makes_all_that_is_made_of_the_bars():
    made = names(replay_request((), DAYS, LIMITS))
    context = {"features/confluence_v1", "features/macro_context_v1", "marts/regime_stats"}
    assert made == context | {f"features/{group.key}" for group in bar_groups(Timeframe.D1)}
    # The macro context is of days, and once.
    assert names(replay_request((), HOURS, LIMITS)) & context == {
        "features/confluence_v1", "marts/regime_stats",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ([f"features/{group.key}" for group in bar_groups(Timeframe.H1)], [Timeframe.H1]),
        (["features/labels_1d_v1", "features/price_1h_v1"], [Timeframe.H1, Timeframe.D1]),
        (["features/macro_context_v1"], [Timeframe.D1]),
        (["features/macro_context_v1", "features/price_1h_v1"], [Timeframe.D1, Timeframe.H1]),
        (["marts/regime_stats"], [Timeframe.D1]),
        (["marts/regime_stats", "features/price_1h_v1"], [Timeframe.H1]),
        (["curated/bars_1d", "features/predictions_v1", "exports/price_1d_v1"], []),
    ],
)
def test_which_slices_a_run_of_features_is_about(keys: list[str], found: list[Timeframe]):
    assert set(timeframes_of(keys)) == set(found)


def test_features_wait_for_what_they_are_made_of():
    bars = MissedSlice("curated/bars_1m", Timeframe.M1, ("AAPL", "MSFT"), FIRST, FIRST, "", AT, 1)
    macro = MissedSlice("curated/macro_calendar", None, (), FIRST, LAST, "", AT, 2)
    table = replace(macro, dataset="reference/instruments")
    others = replace(bars, symbols=("MSFT",))
    assert waits(DAYS, [DAYS, bars])
    assert waits(DAYS, [replace(bars, dataset="quality/scores", timeframe=None)])
    assert waits(DAYS, [macro])
    assert not waits(HOURS, [macro])
    assert not waits(DAYS, [DAYS, HOURS, table, others])
    assert not waits(bars, [macro, bars, DAYS])


def test_a_run_for_a_missed_slice_says_which_and_is_asked_for_once_per_attempt():
    missed = MissedSlice(
        "curated/bars_1m", Timeframe.M1, ("AAPL", "MSFT"), FIRST, LAST, "", AT, number=7
    )
    request = replay_request((), missed, LIMITS)
    assert names(request) == {"curated/bars_1m", "curated/quarantine", "quality/scores"}
    assert request.tags[TAG_MISSED] == "7"
    assert request.tags["dagster/asset_partition_range_end"] == "2024-03-11"
    assert request.run_config["ops"]["quality__scores"]["config"] == {"symbols": ["AAPL", "MSFT"]}
    scores = MissedSlice("quality/scores", None, ("AAPL",), FIRST, FIRST, "", AT, 8, attempts=1)
    again = replay_request((), scores, LIMITS)
    assert (again.partition_key, len(names(again))) == ("2024-03-04", len(Timeframe) + 2)
    third = MissedSlice(**{**vars(scores), "attempts": 2})
    assert again.run_key != replay_request((), third, LIMITS).run_key
    # One that hangs is ended as a scheduled run is.
    assert {request.tags["dagster/max_runtime"], again.tags["dagster/max_runtime"]} == {"21600"}
