"""Readiness looks at stores and limits once, whatever the number of its sections, and lets go."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters import readiness_evidence, readiness_sections
from adapters.clock import FixedClock
from adapters.modes import decide
from adapters.operations_opening import open_operations
from adapters.readiness import readiness
from market_data.operations.limits import OperationsLimits
from market_data.operations.readiness import Section
from market_data.ports.cache import CacheMetrics
from tests.support.worlds import World

NOW = datetime(2024, 3, 15, tzinfo=UTC)


def test_limits_are_read_and_stores_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, looks = World.at(tmp_path, NOW), []

    def counted(name: str) -> None:
        real = getattr(readiness_evidence, name)
        monkeypatch.setattr(readiness_evidence, name, lambda *of: looks.append(name) or real(*of))

    counted("gather")
    counted("load_operations_limits")
    made = readiness(
        decide(world.settings),
        [],
        FixedClock(NOW),
        platform=lambda: world.platform,
        operations=lambda: open_operations(world.settings.local_operations_url),
    )
    sections = {section.name: section for section in made.sections}
    assert {
        *("ingest_health", "ingest_trends", "ingest_metrics", "ingest_observability"),
        *("latency", "ingest"),
    } <= set(sections)
    # It says where the reasons stand, and repeats none.
    fused = [reason.text for reason in sections["ingest_observability"].reasons]
    assert set(fused) <= {"see the sections ingest_health and latency"}
    assert sorted(looks) == ["gather", "load_operations_limits"]


class Cache:
    """One that answered ten reads of ten."""

    closed = False

    def metrics(self) -> CacheMetrics:
        return CacheMetrics(hits=10)

    def close(self) -> None:
        self.closed = True


def test_the_cache_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache()
    monkeypatch.setattr(readiness_sections, "open_redis_cache", lambda _: cache)
    evidence: Any = SimpleNamespace(
        found=SimpleNamespace(servers=SimpleNamespace(redis=None)),
        findings=[],
        limits=OperationsLimits(),
    )
    section: Section = readiness_sections.SECTIONS["cache"](evidence)
    assert section.facts["hits"] == 10
    assert cache.closed
