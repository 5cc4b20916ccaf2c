"""The composition root: settings in, Dagster definitions out.

What belongs here: which resources stand behind the graph. Tests and the command line call
`build_definitions` with their own settings and overrides.
What does not: assets, checks, jobs; each has its own room.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from adapters.configuration import load_universe
from adapters.settings import Settings
from emp_assets.graph import all_assets, all_checks
from jobs.vendor_jobs import vendor_jobs
from resources.platform import PlatformResource
from resources.storage import LakeResource, OperationsResource, WarehouseResource


def build_resources(settings: Settings) -> dict[str, Any]:
    """The resources that the settings describe."""
    return {
        "platform": PlatformResource(
            lake=LakeResource(root=str(settings.lake_root)),
            warehouse=WarehouseResource(root=str(settings.warehouse_root)),
            operations=OperationsResource(url=settings.local_operations_url),
            data_dir=str(settings.data_dir.resolve()),
            config_dir=str(settings.config_dir.resolve()),
            yahoo_url=settings.yahoo_url,
        )
    }


def build_definitions(
    settings: Settings | None = None, overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Everything that Dagster loads.

    Args:
        settings: where data and configuration lie; read from the environment where None.
        overrides: resources by name that replace the ones of the settings.

    Raises:
        ConfigurationError: a setting or a configuration file is wrong; the message says how.
    """
    settings = settings or Settings()
    universe = load_universe(settings)
    assets = all_assets(universe)
    return dg.Definitions(
        assets=assets,
        asset_checks=all_checks(universe),
        jobs=vendor_jobs(universe),
        resources={**build_resources(settings), **(overrides or {})},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
