"""Probes run side by side within a limit, and each says what it found and no secret."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from adapters.probes import Finding, Probe, State, run_probes, worst
from adapters.probes.lake import look_at
from adapters.probes.operations import operations_probe
from market_data.errors import ConfigurationError


def fine(part: str) -> Finding:
    return Finding(part, State.OK, "fine")


def failing(error: Exception) -> Finding:
    raise error


def test_findings_come_in_the_order_of_the_probes() -> None:
    gate = threading.Barrier(2, timeout=10)

    def look(part: str) -> Finding:
        gate.wait()  # Passes only when both run at once.
        return fine(part)

    probes = [Probe(part, lambda part=part: look(part), "") for part in ("a", "b")]
    assert [f.part for f in run_probes(probes, timeout=20)] == ["a", "b"]


def test_a_look_that_takes_too_long_is_an_error_with_its_cure() -> None:
    never = threading.Event()
    probes = [
        Probe("slow", lambda: never.wait(30) and fine("slow"), "start it"),
        Probe("quick", lambda: fine("quick"), ""),
    ]
    started = time.monotonic()
    slow, quick = run_probes(probes, timeout=0.3)
    never.set()
    assert time.monotonic() - started < 5
    assert (slow.state, slow.cure, quick.state) == (State.ERROR, "start it", State.OK)
    assert "0.3 s" in slow.detail


def test_what_breaks_is_a_finding_and_only_our_own_errors_are_quoted() -> None:
    probes = [
        Probe("ours", lambda: failing(ConfigurationError("set EMP_X")), "cure"),
        Probe("theirs", lambda: failing(RuntimeError("password=hunter2")), "cure"),
    ]
    ours, theirs = run_probes(probes, timeout=5)
    assert (ours.state, ours.detail) == (State.ERROR, "set EMP_X")
    assert theirs.state is State.ERROR
    assert "RuntimeError" in theirs.detail
    assert "hunter2" not in str(theirs)


def test_the_worst_state_counts() -> None:
    states = [State.OFF, State.OK, State.DEGRADED, State.ERROR]
    for number, state in enumerate(states):
        assert worst([Finding("p", s, "") for s in states[: number + 1]]) is state
    assert worst([]) is State.OK


def test_a_lake_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    assert look_at(tmp_path / "lake").state in (State.OK, State.DEGRADED)
    assert list((tmp_path / "lake").iterdir()) == []


def test_a_lake_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "lake"
    file.write_text("in the way")
    found = look_at(file)
    assert found.state is State.ERROR
    assert "EMP_DATA_DIR" in found.cure


@pytest.mark.parametrize("make", [True, False])
def test_the_local_operations_database(tmp_path: Path, make: bool) -> None:
    file = tmp_path / "operations.sqlite"
    if not make:
        file.mkdir()
    (found,) = run_probes([operations_probe(f"sqlite:///{file}", "sqlite")], timeout=60)
    assert found.state is (State.OK if make else State.ERROR)
