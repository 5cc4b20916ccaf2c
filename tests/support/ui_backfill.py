"""The backfill that a user starts in the UI, for the end-to-end tests.

What belongs here: launching it through the webserver, and waiting for its end. What does not: the
server (dagster_server.py), what the tests look for.
"""

from __future__ import annotations

from datetime import date, timedelta

from tests.support.dagster_server import DagsterServer

FIRST = date(2024, 2, 1)
SESSIONS = [(FIRST + timedelta(days=i)).isoformat() for i in range(60)]
ASSETS = [
    ["raw", "sample_a_bars_1d"],
    ["raw", "sample_b_bars_1d"],
    ["curated", "bars_1d"],
    ["quality", "scores"],
]

LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
STATUS = """
query Status($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    __typename
    ... on PartitionBackfill { status }
    ... on PythonError { message }
  }
}
"""


def backfill(server: DagsterServer) -> None:
    """Run it, and wait until it has succeeded."""
    launched = server.graphql(
        LAUNCH,
        params={
            "assetSelection": [{"path": path} for path in ASSETS],
            "partitionNames": SESSIONS,
        },
    )["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def ended() -> str | None:
        answer = server.graphql(STATUS, id=launched["backfillId"])["partitionBackfillOrError"]
        status = answer.get("status")
        return status if status and status != "REQUESTED" else None

    status = server.wait_for("end of the backfill", ended, seconds=240)
    assert status == "COMPLETED_SUCCESS", server.log.read_text()[-4000:]
