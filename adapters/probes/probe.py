"""What a probe finds, and how several run at once within a time limit.

What belongs here: states, findings, running. What does not: looking at a part; each has a file.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from queue import Empty, SimpleQueue

from market_data.errors import MarketDataError

Facts = Mapping[str, str | int | float | bool | None]
"""Versions, sizes, counts."""


class State(StrEnum):
    """How a part does, in the order in which one outweighs another."""

    OFF = "off"
    OK = "ok"
    DEGRADED = "degraded"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """What a look at one part found.

    Attributes:
        part: timescaledb, postgresql, redis, kafka, lake, dagster_daemon ...
        state: ok; off, where the installation does without it; degraded, where it works with a
            fault; error, where it does not.
        detail: one sentence, without secrets.
        cure: what to do; empty for ok, and for off where nobody may want the part.
        facts: versions, sizes, counts.
        seconds: how long the look took.
    """

    part: str
    state: State
    detail: str
    cure: str = ""
    facts: Facts = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Probe:
    """A look at one part.

    Attributes:
        part: its name.
        look: returns the finding; raises MarketDataError where the part cannot be used.
        cure: what to do when the look does not come back in time.
    """

    part: str
    look: Callable[[], Finding]
    cure: str


def run_probes(probes: Sequence[Probe], *, timeout: float) -> list[Finding]:
    """Every finding, in the order of the probes, after at most `timeout` seconds.

    A look that takes longer counts as an error and is left behind; its thread ends with the
    process.
    """
    results: SimpleQueue[tuple[int, Finding]] = SimpleQueue()
    for place, probe in enumerate(probes):
        threading.Thread(target=_look, args=(place, probe, results), daemon=True).start()
    found: dict[int, Finding] = {}
    deadline = time.monotonic() + timeout
    while len(found) < len(probes):
        try:
            place, finding = results.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        found[place] = finding
    return [found.get(place) or _late(probe, timeout) for place, probe in enumerate(probes)]


def worst(findings: Sequence[Finding]) -> State:
    """The worst state; ok where there is nothing to say."""
    order = list(State)
    return max((f.state for f in findings), key=order.index, default=State.OK)


def _look(place: int, probe: Probe, results: SimpleQueue[tuple[int, Finding]]) -> None:
    started = time.perf_counter()
    try:
        finding = probe.look()
    except MarketDataError as error:
        finding = Finding(probe.part, State.ERROR, str(error), probe.cure)
    except Exception as error:  # noqa: BLE001  what broke is the finding; texts may hold secrets
        told = f"the look at it failed with {type(error).__name__}"
        finding = Finding(probe.part, State.ERROR, told, probe.cure)
    taken = round(time.perf_counter() - started, 3)
    results.put(
        (
            place,
            Finding(
                finding.part, finding.state, finding.detail, finding.cure, finding.facts, taken
            ),
        )
    )


def _late(probe: Probe, timeout: float) -> Finding:
    return Finding(
        probe.part, State.ERROR, f"no answer within {timeout:g} s", probe.cure, seconds=timeout
    )
