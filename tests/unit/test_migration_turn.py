"""An installation's databases are made by several threads at once, as the doctor does."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.runtime.environment import EnvironmentContext

from adapters.operations import open_database, reading
from adapters.operations.migration import HEAD, stored_revision
from adapters.settings import Settings
from emp.instance import open_instance


def test_one_run_of_alembic_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    begin, end = EnvironmentContext.__enter__, EnvironmentContext.__exit__
    under_way: list[EnvironmentContext] = []
    together: list[int] = []

    def slow_to_begin(self: EnvironmentContext) -> EnvironmentContext:
        under_way.append(self)
        time.sleep(0.1)
        together.append(len(under_way))
        return begin(self)

    def ends(self: EnvironmentContext, *error: Any) -> None:
        end(self, *error)
        under_way.remove(self)

    monkeypatch.setattr(EnvironmentContext, "__enter__", slow_to_begin)
    monkeypatch.setattr(EnvironmentContext, "__exit__", ends)
    urls = [f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("one", "other")]
    with ThreadPoolExecutor(3) as pool:
        instance = pool.submit(open_instance, Settings(data_dir=tmp_path))
        while not (together or instance.done()):
            time.sleep(0.001)
        engines = [*pool.map(open_database, urls)]
        with instance.result() as opened:
            assert opened.get_runs() == []
    # The two files and, of Dagster's records, at least runs, events and schedules.
    assert len(together) >= 5
    assert set(together) == {1}
    for engine in engines:
        with reading(engine) as connection:
            assert stored_revision(connection) == HEAD
        engine.dispose()
