"""The places where data lies: lake, warehouse, operations database."""

from __future__ import annotations

import dagster as dg
from pydantic import Field

from adapters.backend import Operations, open_lake, open_operations, open_warehouse
from adapters.stores.reference_tables import ReferenceTables
from market_data.ports import BarStore, PayloadArchive, RawLog


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The raw log and the payload archive, as Delta tables and files."""

    root: str = Field(description="Folder of the lake.")

    def open(self) -> tuple[RawLog, PayloadArchive]:
        """The raw log and the payload archive."""
        return open_lake(self.root)


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Curated, quality and reference tables, as Delta tables."""

    root: str = Field(description="Folder of the warehouse.")

    def open(self) -> BarStore:
        """The store of curated and scored datasets."""
        return open_warehouse(self.root)

    def reference(self) -> ReferenceTables:
        """The small tables that are replaced whole."""
        return ReferenceTables(self.root)


class OperationsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The operations database: ledger, journal, quarantine, corporate actions."""

    url: str = Field(description="SQLAlchemy URL of the operations database.")

    def __repr__(self) -> str:
        """A form without the URL, which may hold a password."""
        return "OperationsResource(url=...)"

    def open(self) -> Operations:
        """Its ports; the database is migrated first if it is behind."""
        return open_operations(self.url)
