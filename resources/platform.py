"""The platform as one resource: configuration, storage and clock, assembled on first use.

Dagster recognises nested resources by their annotations while the class is made, so these must be
objects, not text: this module does not postpone them.
"""

from pathlib import Path

import dagster as dg
from pydantic import Field, PrivateAttr

from adapters.backend import assemble
from adapters.operations_opening import open_ingest_locks, open_job_locks
from adapters.settings import Settings
from adapters.stores.reference_tables import ReferenceStore
from market_data.pipeline.platform import Platform
from market_data.ports import Locks
from resources.requests import RequestBudgetResource
from resources.storage import LakeResource, OperationsResource, WarehouseResource


class PlatformResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What an asset needs: instruments, limits, vendors, and the stores that are injected."""

    lake: dg.ResourceDependency[LakeResource]
    warehouse: dg.ResourceDependency[WarehouseResource]
    operations: dg.ResourceDependency[OperationsResource]
    requests: dg.ResourceDependency[RequestBudgetResource]
    data_dir: str = Field(description="Folder of the data; registrations of vendors lie in it.")
    config_dir: str = Field(description="Folder of universe.yaml, quality.yaml and formats/.")
    reference_dir: str = Field(
        default="", description="Folder of calendars and instruments; reference/ in config_dir."
    )

    _opened: Platform | None = PrivateAttr(default=None)

    def open(self) -> Platform:
        """The platform, assembled once per resource."""
        if self._opened is None:
            self._opened = assemble(
                self.settings(),
                lake=self.lake.open(),
                store=self.warehouse.open(),
                operations=self.operations.open(),
                redis=self.requests.shared(),
            )
        return self._opened

    def reference(self) -> ReferenceStore:
        """The small tables that are replaced whole."""
        return self.warehouse.reference()

    def job_locks(self) -> Locks:
        """Locks for whole jobs."""
        return open_job_locks(self.settings(), self.operations.open())

    def ingest_locks(self) -> Locks:
        """Locks for whole fetches."""
        return open_ingest_locks(self.settings(), self.operations.open())

    def settings(self) -> Settings:
        """The settings that this resource was configured with."""
        return Settings(
            data_dir=Path(self.data_dir),
            config_dir=Path(self.config_dir),
            reference_dir=Path(self.reference_dir) if self.reference_dir else None,
        )
