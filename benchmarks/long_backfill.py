"""A backfill of 4,000 sessions of 50 symbols: planning it, its daily bars, a piece of its minutes.

Daily bars are backfilled whole, in the one run that the plan makes of them. Of the minutes, 78
million bars, the plan is made of all and the newest pieces are run, each in a process of its own as
always; what a piece takes at most is what the backfill takes at most. Memory is the peak of a
process as the kernel counts it. Everything lies in files and SQLite, or in the stores of the
institution where the variables of its servers are set; LONG_BACKFILL_PIECES says how many pieces of
minutes are run.

What belongs here: what a long backfill takes of time and memory. What does not: rates of a part
(landing.py, curation.py, ranged_run.py), processes that are killed (tests/integration/survival).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from unittest.mock import patch

from adapters.backend import open_platform
from adapters.clock import SystemClock
from adapters.configuration import register
from adapters.modes import decide
from adapters.settings import PROJECT, Settings
from adapters.variables import read
from benchmarks.ratio import Ratio
from emp.backfill_launch import driver_of
from emp.reporting import operations_of
from market_data.backfill.estimate import Rates
from market_data.backfill.plans import BackfillPlan, BackfillRequest
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import PieceState
from market_data.calendars import trading_sessions
from market_data.pipeline.backfill import plan_backfill
from market_data.universe import AssetClass, Instrument
from tests.support.institution import institution
from tests.support.memory import peak_bytes

SERVERS = ("TIMESCALEDB_URL", "EMP_OPERATIONS_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS")
SYMBOLS = tuple(f"BENCH{i:02d}" for i in range(50))
SESSIONS = 4_000
LISTED = date(2008, 1, 2)
GIB = 2.0


@contextmanager
def market() -> Iterator[None]:
    """The invented vendor knows as many shares as are needed, listed long enough ago."""
    from adapters.vendors.sample import instruments, truth, vendor

    demo = instruments.INSTRUMENTS["DEMO-ACME"]
    shares = {s: replace(demo, symbol=s, actions=()) for s in SYMBOLS}
    with (
        patch.dict(instruments.INSTRUMENTS, shares),
        patch.object(instruments, "LISTED", LISTED),
        patch.object(vendor, "LISTED", LISTED),
        patch.object(truth, "_EPOCH", LISTED.toordinal() - 1),
    ):
        yield


@contextmanager
def installation(folder: Path) -> Iterator[tuple[Settings, dict[str, str], str]]:
    """Settings, the environment of its processes, and where it keeps things."""
    if all(os.environ.get(name) for name in SERVERS):
        with institution(folder) as made, patch.dict(os.environ, made.environment):
            yield read(Settings), made.environment, "servers"
        return
    own = {"EMP_DATA_DIR": str(folder), "EMP_MODE": "bootstrap"}
    with patch.dict(os.environ, own):
        yield read(Settings), {**os.environ}, "files and SQLite"


def planned(settings: Settings, timeframe: str) -> tuple[BackfillPlan, float]:
    """The plan of everything, and the seconds that it took."""
    days = trading_sessions("XNYS", LISTED, date(2024, 6, 28))["session"][:SESSIONS]
    wish = BackfillRequest(f"curated/bars_{timeframe}", SYMBOLS, days[0], days[-1], ("sample_a",))
    began = time.perf_counter()
    plan = plan_backfill(open_platform(settings), wish, BackfillPolicy(), Rates()).plan
    return plan, time.perf_counter() - began


def performed(
    settings: Settings, environment: dict[str, str], plan: BackfillPlan, pieces: int
) -> tuple[float, float]:
    """Run the newest pieces of a plan; the longest one's seconds, and the highest peak in GiB."""
    operations = operations_of(decide(settings))
    newest = tuple(replace(p, number=n) for n, p in enumerate(plan.pieces[-pieces:]))
    now = SystemClock().now()
    name = operations.backfills.add(replace(plan, pieces=newest), at=now, author="bench")
    rounds = driver_of(settings, operations, lambda _: None).rounds
    longest = peak = 0.0
    with rounds.turns.take(name):
        for _ in newest:
            _, launch = rounds.play(name)
            assert launch is not None
            words = [name, str(launch.piece.number), launch.token]
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.long_backfill", *words],
                env=environment,
                cwd=PROJECT,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            longest = max(longest, time.perf_counter() - began)
            peak = max(peak, float(done.stdout.split()[-1]) / 2**20)
    records = operations.backfills.get(name).pieces
    assert all(r.state is PieceState.SUCCEEDED for r in records), [r.reason for r in records]
    return longest, peak


def work(words: list[str]) -> None:
    """The process of a piece: works on it, and tells its peak in KiB."""
    from emp.backfill_driver import work_on_piece

    name, number, token = words
    with market():
        assert work_on_piece(read(Settings), name, int(number), token, debug=False)
    print(peak_bytes() // 1024)


def run() -> list[Ratio]:
    """A plan and a run of daily bars, a plan and pieces of minutes; five to twenty minutes."""
    pieces = int(os.environ.get("LONG_BACKFILL_PIECES", "1"))
    with (
        tempfile.TemporaryDirectory() as name,
        installation(Path(name) / "data") as (settings, environment, where),
        market(),
    ):
        register(
            settings,
            instruments=[
                Instrument(
                    symbol=s,
                    asset_class=AssetClass.EQUITY,
                    calendar="XNYS",
                    vendor_symbols={"sample_a": s},
                )
                for s in SYMBOLS
            ],
        )
        minutes, planning = planned(settings, "1m")
        took, peak_minutes = performed(settings, environment, minutes, pieces)
        print(f"minutes: {peak_minutes:.2f} GiB, {took:.0f} s", file=sys.stderr)
        days, planning_days = planned(settings, "1d")
        took_days, peak_days = performed(settings, environment, days, len(days.pieces))
    told = f"({where}, {datetime.now(UTC):%Y-%m-%d})"
    of = f"{SESSIONS:,} sessions x {len(SYMBOLS)} symbols"
    last = minutes.pieces[-1]
    return [
        Ratio(
            "long backfill: GiB of a process at most, 1m bars",
            peak_minutes,
            GIB,
            higher_is_better=False,
            detail=f"{of}: planned in {planning:.0f} s, {len(minutes.pieces)} pieces; the newest "
            f"{pieces}, up to {last.bars:,} bars each, took up to {took:.0f} s {told}",
        ),
        Ratio(
            "long backfill: GiB of a process at most, 1d bars",
            peak_days,
            GIB,
            higher_is_better=False,
            detail=f"{of}: planned in {planning_days:.0f} s, {len(days.pieces)} piece, "
            f"{days.pieces[0].days:,} partitions, {days.pieces[0].bars:,} bars in "
            f"{took_days:.0f} s {told}",
        ),
    ]


if __name__ == "__main__":
    if sys.argv[1:]:
        work(sys.argv[1:])
    else:
        for ratio in run():
            print(ratio)
