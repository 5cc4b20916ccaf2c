"""Runs slices of the real asset graph in process, as the command line does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import AssetCheckKey, AssetKey

from adapters.backend import open_platform
from adapters.settings import Settings
from definitions import build_definitions
from emp_assets.bar_checks import RUN_SUMMARY
from emp_assets.naming import op_name
from emp_assets.partitions import session_partitions
from market_data.pipeline.platform import Platform
from tests.support.operations_file import give_operations


@dataclass
class Graph:
    """The graph over one data folder, with an instance of its own."""

    settings: Settings
    instance: dg.DagsterInstance
    overrides: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.defs = build_definitions(self.settings, self.overrides)
        self._job = self.defs.resolve_implicit_global_asset_job_def()

    @property
    def platform(self) -> Platform:
        return open_platform(self.settings)

    def run(
        self,
        assets: Sequence[str],
        first: str,
        last: str,
        *,
        symbols: Sequence[str] = (),
        summary_only: bool = False,
        config: dict[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """One run over a range of sessions; `config` adds to the raw assets' configuration."""
        keys = [AssetKey(name.split("/")) for name in assets]
        checks = {AssetCheckKey(k, RUN_SUMMARY) for k in keys} if summary_only else None
        job = self._job.get_subset(asset_selection=set(keys), asset_check_selection=checks)
        ops: dict[str, Any] = {}
        for key in keys:
            chosen = {"symbols": list(symbols)}
            raw = config if key.path[0] == "raw" else None
            if key.path != ["curated", "quarantine"]:
                ops[op_name(key)] = {"config": {**chosen, **(raw or {})}}
                ops[f"{op_name(key)}__checks"] = {"config": chosen}
        if first == last:
            return job.execute_in_process(
                instance=self.instance,
                partition_key=first,
                run_config={"ops": ops},
                raise_on_error=False,
            )
        tags = {
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
        }
        return job.execute_in_process(
            instance=self.instance, tags=tags, run_config={"ops": ops}, raise_on_error=False
        )

    def states(self, asset: str, check: str) -> dict[str, str]:
        """Session to recorded state of one check."""
        partitions = session_partitions(self.platform.universe.first_session)
        key = AssetCheckKey(AssetKey(asset.split("/")), check)
        state = self.instance.event_log_storage.get_asset_check_state([(key, partitions)])[key]
        return {
            partition: status.name
            for status, subset in state.subsets.items()
            for partition in subset.value.get_partition_keys()
        }


@contextmanager
def graph(tmp_path: Path, **settings: Any) -> Iterator[Graph]:
    """A graph over an empty data folder below `tmp_path`, its events kept in memory."""
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:
        chosen = Settings(data_dir=tmp_path / "data", **settings)
        give_operations(chosen)
        yield Graph(chosen, instance)
