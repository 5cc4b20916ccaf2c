"""Every shape of a cursor that a program has ever written is read by the sensors of today.

A sensor of a new version begins where the old one ended; one that meets the cursor of a newer
program says so, and begins nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from market_data.automation.drop import Known
from market_data.failover.state import Streak
from market_data.ports.cache import CacheMetrics
from sensors import (
    alert_ticks,
    corporate_actions,
    dropped_files,
    failover,
    outages,
    platform_looks,
    recovery,
    reference_files,
)
from sensors.run_facts import Ends

AT = datetime(2024, 2, 5, 1, 0, tzinfo=UTC)
NOW = datetime(2024, 3, 1, tzinfo=UTC)
STREAK = {
    "reachable": True,
    "since": AT.isoformat(),
    "last": NOW.isoformat(),
    "looks": 7,
    "reason": "",
}

Read = Callable[[str | None], Any]
READERS: dict[str, tuple[Read, int]] = {
    "alerts_of_runs": (alert_ticks._read, 1),
    "alerts_of_the_platform": (platform_looks.Seen.read, 1),
    "dropped_files": (dropped_files._remembered, 1),
    "dropped_files, again": (dropped_files._asked_again, 1),
    "fill_after_outages": (lambda cursor: outages._remembered(cursor, NOW), 1),
    "rebuild_after_corporate_actions": (corporate_actions._remembered, 3),
    "recover_stale_symbols": (recovery._remembered, 1),
    "reference_files": (reference_files._remembered, 1),
    "watch_the_store": (failover._Memory.read, 1),
}

PLATFORM: dict[str, Any] = {"version": 1, "since": 5.0, "current": {"a": ["AAA"]}}
FOUND: dict[str, Any] = {"version": 1, "folders": {"in": {"a.csv": [3, 4, 5.0, True]}}}
FORMER: list[tuple[str, dict[str, Any], Any]] = [
    ("alerts_of_runs", {"version": 1, "after": 10}, Ends(10)),
    (
        "alerts_of_runs",
        {"version": 1, "after": 10, "recent": {"9": 5.0}},
        Ends(10, {9: 5.0}),
    ),
    ("alerts_of_the_platform", PLATFORM, platform_looks.Seen(5.0, {"a": {"AAA"}})),
    (
        "alerts_of_the_platform",
        {**PLATFORM, "aged": 6.0},
        platform_looks.Seen(5.0, {"a": {"AAA"}}, 6.0),
    ),
    (
        "alerts_of_the_platform",
        {**PLATFORM, "aged": 6.0, "cache": {"hits": 2}, "counted": 7.0},
        platform_looks.Seen(5.0, {"a": {"AAA"}}, 6.0, CacheMetrics(hits=2), 7.0),
    ),
    (
        "alerts_of_the_platform",
        {**PLATFORM, "aged": 6.0, "cache": None, "counted": 7.0, "clock": "01:00", "promised": 8.0},
        platform_looks.Seen(5.0, {"a": {"AAA"}}, 6.0, None, 7.0, "01:00", 8.0),
    ),
    ("dropped_files", FOUND, {"in": {"a.csv": Known(3, 4, 5.0, handed=True)}}),
    ("dropped_files, again", FOUND, {}),
    ("dropped_files, again", {**FOUND, "again": {"in": {"a.csv": 2}}}, {"in": {"a.csv": 2}}),
    ("fill_after_outages", {"version": 1, "number": 4, "since": AT.isoformat()}, (4, AT)),
    (
        "rebuild_after_corporate_actions",
        {"version": 1, "seen": 4, "waiting": {"AAA": 3}},
        (4, {"AAA": 3}, 0),
    ),
    (
        "rebuild_after_corporate_actions",
        {"version": 2, "seen": 4, "waiting": {"AAA": 3}, "asked": AT.isoformat()},
        (4, {"AAA": 3}, 0),
    ),
    (
        "rebuild_after_corporate_actions",
        {"version": 2, "seen": 4, "waiting": {}, "asked": None},
        (4, {}, 0),
    ),
    (
        "rebuild_after_corporate_actions",
        {"version": 3, "seen": 4, "waiting": {"AAA": 3}, "asked": 9},
        (4, {"AAA": 3}, 9),
    ),
    (
        "recover_stale_symbols",
        {"version": 1, "look_at": AT.isoformat(), "stale": ["AAA"]},
        (AT, ["AAA"]),
    ),
    ("recover_stale_symbols", {"version": 1, "look_at": None, "stale": []}, (None, [])),
    (
        "reference_files",
        {"published": "a", "waiting": "b", "number": 3},
        reference_files.Seen("a", "b", 3),
    ),
    (
        "watch_the_store",
        {"version": 1, "streak": STREAK, "stuck_at": AT.isoformat(), "working": [3]},
        failover._Memory(Streak(True, AT, NOW, 7), AT, {3}),
    ),
    (
        "watch_the_store",
        {"version": 1, "streak": None, "stuck_at": None, "working": []},
        failover._Memory(),
    ),
]


@pytest.mark.parametrize(("name", "cursor", "meant"), FORMER)
def test_a_former_cursor_is_taken_over(name: str, cursor: dict[str, Any], meant: object) -> None:
    assert READERS[name][0](json.dumps(cursor)) == meant


@pytest.mark.parametrize("name", READERS)
def test_the_first_tick_has_no_cursor(name: str) -> None:
    read = READERS[name][0]
    if name == "alerts_of_the_platform":
        before = datetime.now(UTC).timestamp()
        assert read(None).since >= before
        return
    nothing: dict[str, object] = {
        "alerts_of_runs": None,
        "dropped_files": {},
        "dropped_files, again": {},
        "fill_after_outages": (0, NOW),
        "rebuild_after_corporate_actions": (0, {}, 0),
        "recover_stale_symbols": (None, []),
        "reference_files": reference_files.Seen(),
        "watch_the_store": failover._Memory(),
    }
    assert read(None) == nothing[name]


@pytest.mark.parametrize("name", READERS)
def test_the_cursor_of_a_newer_program_is_refused_with_a_cure(name: str) -> None:
    read, version = READERS[name]
    newer = json.dumps({"version": version + 1, "what": "nobody here knows"})
    with pytest.raises(ValueError, match=f"has version {version + 1}.*clear the cursor"):
        read(newer)


@pytest.mark.parametrize("cursor", ["7", "[]", "id: 3", '{"version": null}'])
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_cursor_of_the_sensor_is_refused_with_a_cure(name: str, cursor: str) -> None:
    with pytest.raises(ValueError, match=r"none of this sensor's.*clear the cursor"):
        READERS[name][0](cursor)
