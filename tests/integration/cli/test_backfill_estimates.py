"""What a plan says against what happens: requests to the last one, minutes within thirty percent.

A user backfills minute bars of a vendor on the loopback, whose limit per second binds: a pilot, a
plan, and the backfill, each as a command of its own on the clock of the wall.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from adapters.settings import PROJECT
from tests.support.replay_server import Asked, ReplayServer, Reply, json_body
from tests.support.warm_python import run_python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CANDLES = "/products/BTC-USD/candles"
ASKED = ["bars_1m", "--symbols", "BTCUSD", "--vendor", "coinbase"]
RANGES = ("2024-05-01", "2024-05-06"), ("2024-04-24", "2024-04-29")
WITHIN = 0.3


def candles(asked: Asked) -> Reply:
    """A candle of every minute that is asked for, the newest first."""
    first, last = (
        int(datetime.fromisoformat(asked.query[name]).timestamp()) for name in ("start", "end")
    )
    starts = range(-(-first // 60) * 60, last + 1, 60)
    prices = [(start, 60_000 + 500 * math.sin(start / 20_000)) for start in reversed(starts)]
    return json_body([[start, p - 5, p + 5, p, p + 1, 1.5] for start, p in prices])


def test_a_plan_tells_what_happens(tmp_path: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EMP_", "DAGSTER_"))}
    with ReplayServer() as server:
        server.reply(CANDLES, candles)
        config = tmp_path / "config"
        shutil.copytree(PROJECT / "config", config)
        file = config / "automation.yaml"
        file.write_text(file.read_text().replace("pilot_sessions: 5", "pilot_sessions: 2"))
        env = {
            **clean,
            "EMP_CONFIG_DIR": str(config),
            "EMP_DATA_DIR": str(tmp_path / "data"),
            "COINBASE_URL": server.url,
            "COINBASE_REQUESTS_PER_SECOND": "1",
        }

        def emp(*words: str) -> Any:
            done = run_python(["-m", "emp", "backfill", *words], env=env)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

        pilot = emp("launch", *ASKED, "--start", "2024-05-01", "--end", "2024-05-09",
                    "--pilot", "--local")  # fmt: skip
        assert pilot["state"] == "succeeded", pilot
        yard = [seconds_of_a_plan(emp)]
        apart = planned_and_done(server, emp, RANGES[0], pieces=1)
        yard.append(seconds_of_a_plan(emp))
        # Only a machine that was seen to be slower in one of the two than in the other proves
        # nothing: the same command tells how fast it is.
        if apart > WITHIN and max(yard) > (1 + WITHIN) * min(yard):
            apart = planned_and_done(server, emp, RANGES[1], pieces=2)
        assert apart <= WITHIN, yard


def seconds_of_a_plan(emp: Any) -> float:
    """What one command takes that asks nobody: how fast the machine is now."""
    began = monotonic()
    emp("plan", *ASKED, "--start", RANGES[1][0], "--end", RANGES[1][1], "--json")
    return monotonic() - began


def planned_and_done(
    server: ReplayServer, emp: Any, days: tuple[str, str], *, pieces: int
) -> float:
    """Plan a backfill and run it; by how much of its seconds the plan was wrong.

    So many pieces are known before it.
    """
    server.asked.clear()
    span = ["--start", days[0], "--end", days[1]]
    plan = emp("plan", *ASKED, *span, "--json")
    assert server.asked == []
    done = emp("launch", *ASKED, *span, "--local")
    assert done["state"] == "succeeded", done
    assert plan["requests"] == {"coinbase": len(server.asked_for(CANDLES))}
    assert plan["seconds_of"]["pieces"] == pieces
    (run,) = done["runs"]
    took = [datetime.fromisoformat(run[name]) for name in ("claimed_at", "ended_at")]
    seconds = (took[1] - took[0]).total_seconds()
    print(f"planned {plan['seconds']:.1f} s {plan['seconds_of']}, took {seconds:.1f} s "
          f"{run['outcome']}")  # fmt: skip
    # One request per second: the limit is what decides.
    assert run["outcome"]["vendor_seconds"]["coinbase"] >= plan["requests"]["coinbase"] - 2
    return abs(plan["seconds"] - seconds) / seconds
