"""A user backfills sixty sessions in the UI; rows and per-session check states are read back."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

import emp
from adapters.settings import Settings
from tests.support.dagster_server import DagsterServer
from tests.support.ui_backfill import ASSETS, SESSIONS

pytestmark = pytest.mark.e2e

CHECKS = """
query Checks($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      assetChecksOrError {
        ... on AssetChecks {
          checks {
            name
            partitionStatuses {
              __typename
              ... on AssetCheckDefaultPartitionStatuses {
                succeededPartitions failedPartitions skippedPartitions
              }
              ... on AssetCheckTimePartitionStatuses { ranges { startKey endKey status } }
            }
          }
        }
      }
    }
  }
}
"""


def statuses(server: DagsterServer, path: list[str]) -> dict[str, list[dict[str, str]]]:
    node = server.graphql(CHECKS, key={"path": path})["assetNodeOrError"]
    return {
        check["name"]: check["partitionStatuses"]["ranges"]
        for check in node["assetChecksOrError"]["checks"]
        if check["partitionStatuses"]
    }


def days(ranges: list[dict[str, str]], status: str) -> set[str]:
    found = set()
    for item in ranges:
        if item["status"] != status:
            continue
        day, end = date.fromisoformat(item["startKey"]), date.fromisoformat(item["endKey"])
        while day <= end:
            found.add(day.isoformat())
            day += timedelta(days=1)
    return found


def test_the_rows_are_there(backfilled: DagsterServer):
    bars = emp.get_curated_bars(
        ["DEMO-ACME", "DEMO-BTC"],
        SESSIONS[0],
        SESSIONS[-1],
        "1d",
        quality="all",
        settings=Settings(data_dir=backfilled.data_dir),
    )
    crypto = bars.filter(symbol="DEMO-BTC")
    assert crypto.height == 60
    # February and March 2024 hold 40 sessions of the New York exchange.
    assert bars.filter(symbol="DEMO-ACME").height == 40


def test_every_session_has_a_true_state_of_each_check(backfilled: DagsterServer):
    for path in ASSETS:
        for check, ranges in statuses(backfilled, path).items():
            succeeded, failed = days(ranges, "SUCCEEDED"), days(ranges, "FAILED")
            assert succeeded | failed == set(SESSIONS), (path, check)
            assert not days(ranges, "SKIPPED"), (path, check)


def test_the_planted_drift_fails_its_session_alone(backfilled: DagsterServer):
    drift = statuses(backfilled, ["curated", "bars_1d"])["drift"]
    assert days(drift, "FAILED") == {"2024-03-20"}
