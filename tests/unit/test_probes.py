"""Probes run side by side within a limit, and each says what it found and no secret."""

from __future__ import annotations

import inspect
import threading
import time
from pathlib import Path

import pytest

from adapters.kafka.settings import KafkaSettings
from adapters.operations.migration import HEAD, SCRIPTS
from adapters.probes import Finding, Probe, State, run_probes, worst
from adapters.probes.kafka import kafka_probe
from adapters.probes.lake import look_at
from adapters.probes.operations import operations_probe
from adapters.probes.revisions import Age, age_of
from emp.commands import connectors, doctor
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


@pytest.mark.parametrize(
    ("stored", "age"),
    [(HEAD, Age.CURRENT), (None, Age.BEHIND), ("0001", Age.BEHIND), ("9999", Age.NEWER)],
)
def test_what_this_program_does_not_know_is_newer(stored: str | None, age: Age) -> None:
    assert age_of(stored, HEAD, SCRIPTS) is age


def test_a_closed_port_of_kafka_is_told_before_the_limit() -> None:
    settings = KafkaSettings(bootstrap_servers=("127.0.0.1:1",))
    (found,) = run_probes([kafka_probe(settings)], timeout=5)
    assert found.detail.startswith("no broker listens at 127.0.0.1:1")


def test_the_limit_is_longer_than_kafkas_own() -> None:
    for command in (doctor.doctor, connectors.connectors):
        limit = inspect.signature(command).parameters["timeout"].default
        assert limit > KafkaSettings.model_fields["timeout_seconds"].default


def test_reports_show_whole_texts() -> None:
    detail, cure = f"one | two {'x' * 300} end", f"first {'y' * 300} last"
    findings = [fine("a_long_name"), Finding("b", State.ERROR, detail, cure, seconds=1.5)]
    lines = doctor.as_lines(findings).splitlines()
    assert lines == [
        "a_long_name  ok        0.00 s",
        "    fine",
        "b            error     1.50 s",
        f"    {detail}",
        f"    cure: {cure}",
    ]
    head, rule, _, row = doctor.as_markdown(findings).splitlines()
    assert head == "| part | state | detail | cure | seconds |"
    assert set(rule) == set("| -")
    escaped = detail.replace("|", "\\|")
    assert row == f"| b | error | {escaped} | {cure} | 1.50 |"
