"""While the warehouse is away scheduled runs fetch and do no more; afterwards slices are made."""

from __future__ import annotations

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from jobs.automation.limits import run_limits
from jobs.automation.requests import slice_requests
from jobs.failover import TAG_MISSED, replay_request
from market_data.automation.policy import AutomationPolicy
from market_data.failover.state import MissedSlice, Standing
from market_data.pipeline.feed import Feed
from market_data.pipeline.market_slice import SlicePart
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
