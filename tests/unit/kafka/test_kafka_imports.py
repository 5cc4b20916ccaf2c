"""The client library is loaded when a client is opened, never before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_no_module_loads_the_client_library_or_dagster():
    modules = [f"adapters.kafka.{p.stem}" for p in (ROOT / "adapters/kafka").glob("[!_]*.py")]
    assert len(modules) > 8
    names = ", ".join([*modules, "emp.commands.kafka", "market_data.operations.kafka_readiness"])
    heavy = ("kafka", "dagster", "pyarrow")
    code = f"import sys, {names}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
