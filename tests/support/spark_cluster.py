"""A standalone Spark cluster of this machine, from the pyspark package alone.

What belongs here: a master and workers as processes, ended with the test. What does not: sessions
(spark.py).
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.spark import need_java

_PATIENCE = 120.0


@contextmanager
def spark_cluster(folder: Path, workers: int = 2) -> Iterator[str]:
    """The address of a master with so many workers of one processor each."""
    need_java()
    import pyspark

    program = Path(pyspark.__file__).parent / "bin" / "spark-class"
    port = _free_port()
    address = f"spark://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_DAEMON_MEMORY": "256m",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_WORKER_DIR": str(folder / "work"),
    }
    begun: list[subprocess.Popen[bytes]] = []

    def begin(name: str, *arguments: str) -> Path:
        log = folder / f"{name}.log"
        with log.open("wb") as out:
            begun.append(
                subprocess.Popen(
                    [str(program), *arguments], env=environment, stdout=out, stderr=out
                )
            )
        return log

    deploy = "org.apache.spark.deploy"
    try:
        master = begin(
            "master",
            f"{deploy}.master.Master",
            *("--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"),
        )
        _until(master, r"Starting Spark master at", 1, begun)
        for number in range(workers):
            begin(
                f"worker-{number}",
                f"{deploy}.worker.Worker",
                *("--cores", "1", "--memory", "1g", "--host", "127.0.0.1", "--webui-port", "0"),
                address,
            )
        _until(master, r"Registering worker", workers, begun)
        yield address
    finally:
        for process in reversed(begun):
            process.terminate()
        for process in begun:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=30)


def _until(log: Path, pattern: str, times: int, begun: list[subprocess.Popen[bytes]]) -> None:
    """Wait until a log has told something so often."""
    end = time.monotonic() + _PATIENCE
    while len(re.findall(pattern, log.read_text(errors="replace"))) < times:
        text = log.read_text(errors="replace")[-3000:]
        assert all(process.poll() is None for process in begun), text
        assert time.monotonic() < end, text
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
