"""What processes of runs do in tests of how they begin (resources/warm_runs.py).

What belongs here: their targets, which have to be importable in them. What does not: assertions.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

OURS = ("adapters", "definitions", "emp_assets", "jobs", "market_data", "resources", "sensors")
VARIABLES = ("EMP_TEST_LATER", "EMP_TEST_GONE", "TZ")


def tell(answers: Any, ended: Path) -> None:
    """Says what it is to `answers`, and writes `ended` by what it leaves to be done at its end."""
    modules = {name for name in sys.modules if name.split(".")[0] in OURS}
    told = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "warm": "dagster" in sys.modules,
        "modules": sorted(modules),
        "polars": "polars" in sys.modules,
        "random": random.random(),
        "uuid": str(uuid.uuid4()),
        "terminated": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "interrupted": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "method": multiprocessing.get_start_method(),
        "variables": {name: os.environ.get(name) for name in VARIABLES},
        "zone": time.tzname[0],
    }
    atexit.register(_note, ended, "handler")
    threading.Thread(target=_later, args=(ended,)).start()
    answers.put(told)


def _note(ended: Path, what: str) -> None:
    with ended.open("a") as file:
        file.write(f"{what}\n")


def _later(ended: Path) -> None:
    time.sleep(0.2)
    _note(ended, "thread")


def sleep(begun: Any) -> None:
    """At work until it is killed."""
    begun.set()
    time.sleep(600)
