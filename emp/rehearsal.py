"""The rehearsal: store, cache and stream exercised once against the configured servers.

What belongs here: its steps and their report. Institutional mode is used whatever EMP_MODE says.
What does not: how the report is shown (emp/commands/rehearse.py), what a part does.

It ingests sample symbols, which belong to no market, through the graph into the installation's own
tables; doing it again changes nothing there. A step that fails leaves the later ones to be tried.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from emp.narration import Narrator
from emp.reporting import made_readiness, operations_of
from emp.slices import SliceOptions, run_slice
from market_data.errors import MarketDataError
from market_data.operations.grades import Grade
from market_data.ports import Report

if TYPE_CHECKING:
    from adapters.modes import Installation
    from adapters.settings import Settings
    from market_data.pipeline.platform import Platform

REPORT = "rehearsal"
VENDORS = ["sample_a"]
_SINCE_SLACK_SECONDS = 60
_REHEARSED = ("migrations", "cache", "kafka")


@dataclass
class Rehearsal:
    """What a rehearsal found, step by step."""

    at: datetime
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    steps: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """ok; warn where the installation is not ready; fail where a step failed."""
        return "fail" if self.failures else "warn" if self.warnings else "ok"

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return {
            "at": self.at.isoformat(),
            "status": self.status,
            **self.steps,
            "failures": self.failures,
            "warnings": self.warnings,
        }

    def to_markdown(self) -> str:
        """The report for people."""
        lines = [f"# Rehearsal: {self.status}", "", f"{self.at:%Y-%m-%d %H:%M} UTC", ""]
        lines += ["| step | what was seen |", "|---|---|"]
        lines += [f"| {name} | {_cell(found)} |" for name, found in self.steps.items()]
        for title, told in (("Failures", self.failures), ("Warnings", self.warnings)):
            if told:
                lines += ["", f"## {title}", "", *(f"- {sentence}" for sentence in told)]
        return "\n".join(lines) + "\n"


def rehearse(
    settings: Settings, options: SliceOptions, narrator: Narrator, *, timeout: float
) -> Rehearsal:
    """Exercise store, cache and stream; the report is kept where a database answers.

    Args:
        settings: of the installation; its mode is not asked.
        options: of the slice that is ingested.
        narrator: told what is going on.
        timeout: seconds after which a server counts as not answering.

    Raises:
        ConfigurationError: a server's setting is missing or wrong; it names all of them.
    """
    from adapters.modes import decide
    from adapters.settings import Mode

    forced = settings.model_copy(update={"mode": Mode.INSTITUTIONAL})
    found = decide(forced)
    done = Rehearsal(datetime.now(UTC))
    threads = set(threading.enumerate())
    stage = _Stage(done, narrator)
    stage.run("connectivity", lambda: _connectivity(found, done, timeout))
    stage.run("store", lambda: _store(forced, options, narrator, done))
    stage.run("cache", lambda: _cache(forced, done))
    stage.run("stream", lambda: _stream(found, done))
    stage.run("readiness", lambda: _readiness(forced, done, timeout))
    stage.run("left_behind", lambda: _left_behind(threads, done))
    if done.steps.get("connectivity", {}).get("postgresql") == "ok":
        report = Report(REPORT, done.at, done.status, done.to_json())
        operations_of(found).reports.keep(report)
    return done


@dataclass
class _Stage:
    done: Rehearsal
    narrator: Narrator

    def run(self, name: str, step: Callable[[], dict[str, Any]]) -> None:
        """One step; an error that the platform raises on purpose is a failure of the step."""
        self.narrator.step(name)
        began = time.perf_counter()
        try:
            found = step()
        except MarketDataError as error:
            self.done.failures.append(f"{name}: {error}")
            found = {"error": str(error)}
        self.done.steps[name] = {**found, "seconds": round(time.perf_counter() - began, 2)}


def _connectivity(found: Installation, done: Rehearsal, timeout: float) -> dict[str, Any]:
    from adapters.probes import State, run_probes
    from adapters.probes.parts import server_probes

    findings = run_probes(server_probes(found), timeout=timeout)
    done.failures += [
        f"connectivity: {f.part}: {f.detail}; {f.cure}" for f in findings if f.state is State.ERROR
    ]
    return {f.part: str(f.state) for f in findings}


def _store(
    settings: Settings, options: SliceOptions, narrator: Narrator, done: Rehearsal
) -> dict[str, Any]:
    record, report = run_slice(settings, options, narrator)
    done.failures += [f"store: {f.step}: {f.message}" for f in record.failures]
    parts = report.body["parts"] if report else []
    rows = {part["part"]: sum(part["rows"].values()) for part in parts if "rows" in part}
    if not sum(rows.values()):
        done.failures.append("store: no row was stored; name other symbols or longer look-backs")
    return {
        "rows": rows,
        "symbols": sorted({s for part in parts for s in part.get("rows", {})}),
        "timeframes": {part["part"]: part["timeframe"] for part in parts if "timeframe" in part},
        "runs": [part["run_id"] for part in parts if "run_id" in part],
    }


def _cache(settings: Settings, done: Rehearsal) -> dict[str, Any]:
    """The same read twice through the cache, and once past it."""
    from adapters.backend import open_platform
    from adapters.cache.cached_store import CachedBarStore

    platform = open_platform(settings)
    store = platform.store
    if not isinstance(store, CachedBarStore):
        raise TypeError("institutional mode reads through a cache")
    before = store.cache.metrics()
    through = [_read(platform, done, store.scan) for _ in range(2)]
    past = _read(platform, done, store.uncached.scan)
    after = store.cache.metrics()
    found = {
        "hits": after.hits - before.hits,
        "misses": after.misses - before.misses,
        "keys": after.keys,
        "bytes": after.bytes,
        "evictions": after.evictions - before.evictions,
        "expirations": after.expirations - before.expirations,
        "invalidations": after.invalidations - before.invalidations,
        "backing": store.cache.describe(),
    }
    if any(not rows.equals(past) for rows in through):
        done.failures.append("cache: it answers other rows than the store")
    if past.height and not found["hits"]:
        done.failures.append("cache: the same read again was no hit; see 'emp doctor'")
    return found


def _read(platform: Platform, done: Rehearsal, scan: Callable[..., Any]) -> Any:
    from market_data.datasets import curated_bars
    from market_data.timeframes import Timeframe

    seen = done.steps.get("store", {})
    timeframe = Timeframe(next(iter(seen.get("timeframes", {}).values()), "1d"))
    symbols = seen.get("symbols") or [platform.universe.instruments[0].symbol]
    return scan(curated_bars(timeframe), symbols=symbols)


def _stream(found: Installation, done: Rehearsal) -> dict[str, Any]:
    """Send what waits, and read back every event of the rehearsal's own runs."""
    from datetime import timedelta

    from adapters.clock import SystemClock
    from adapters.kafka.factory import open_relay
    from adapters.kafka.reader import read_events

    kafka = found.servers.kafka if found.servers else None
    if kafka is None or not kafka.streaming:
        return {"off": "KAFKA_INGEST_ENABLE_STREAMING=false"}
    operations = operations_of(found)
    relayed = open_relay(kafka, operations.outbox, SystemClock()).drain()
    waiting = operations.outbox.backlog().waiting
    runs = set(done.steps.get("store", {}).get("runs", []))
    slices = {f.fetch_id for f in operations.journal.runs(limit=2_000) if f.run_id in runs}
    emitted = operations.outbox.emitted(since=done.at)
    since = done.at - timedelta(seconds=_SINCE_SLACK_SECONDS)
    arrived = {e.event_id: e for e in read_events(kafka, since=since) if e.event_id in emitted}
    told = {getattr(e.result, "fetch_id", None) for e in arrived.values()}
    lost = len(emitted) - len(arrived)
    if lost:
        done.failures.append(f"stream: {lost} of {len(emitted)} events did not arrive")
    if slices - told:
        silent = f"{len(slices - told)} of {len(slices)} slices have no event"
        done.failures.append(f"stream: {silent}")
    if waiting:
        done.failures.append(f"stream: {waiting} events still wait; is another sender at work?")
    return {
        "sent": relayed.sent,
        "waiting": waiting,
        "slices": len(slices),
        "emitted": len(emitted),
        "arrived": dict(sorted(Counter(str(e.dimension) for e in arrived.values()).items())),
        "topics": sorted(set(kafka.topics().values())),
    }


def _readiness(settings: Settings, done: Rehearsal, timeout: float) -> dict[str, Any]:
    """The verdict over the whole installation; what a rehearsal is not about only warns."""
    verdict = made_readiness(settings, timeout=timeout)
    for section in verdict.sections:
        told = done.failures if section.name in _REHEARSED else done.warnings
        told += [
            f"readiness: {section.name}: {reason.text}"
            for reason in section.reasons
            if reason.grade is Grade.FAIL
        ]
    return {section.name: section.word for section in verdict.sections}


def _left_behind(threads: set[threading.Thread], done: Rehearsal) -> dict[str, Any]:
    import psutil

    processes = [p.name() for p in psutil.Process().children(recursive=True)]
    started = [t for t in threading.enumerate() if t not in threads and not t.daemon]
    if processes:
        done.failures.append(f"left_behind: processes still run: {', '.join(processes)}")
    return {"processes": len(processes), "threads_that_block_the_end": len(started)}


def _cell(found: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {_flat(value)}" for name, value in found.items()).replace("|", "/")


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={inner}" for name, inner in value.items()) or "none"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return str(value)
