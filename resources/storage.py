"""The places where data lies: lake, warehouse, operations database.

Dagster recognises nested resources by their annotations while the class is made, so these must be
objects, not text: this module does not postpone them.
"""

import dagster as dg
from pydantic import Field, PrivateAttr

from adapters.operations_opening import Operations, open_operations
from adapters.stores.opening import open_lake, open_timescale, open_warehouse
from adapters.stores.reference_tables import ReferenceStore, ReferenceTables
from market_data.ports import BarStore, PayloadArchive, RawLog
from resources.servers import RedisResource, TimescaleResource


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

    def reference(self) -> ReferenceStore:
        """The small tables that are replaced whole."""
        return ReferenceTables(self.root)

    def why_away(self) -> str:
        """Why the store does not answer now; empty where it does. Files always do."""
        return ""


class TimescaleWarehouseResource(WarehouseResource):
    """Curated, quality and reference tables on TimescaleDB; writes free what Redis remembers."""

    root: str = Field(default="", description="Not used: the tables lie on the server.")
    timescale: dg.ResourceDependency[TimescaleResource]
    redis: dg.ResourceDependency[RedisResource]

    _opened: BarStore | None = PrivateAttr(default=None)

    def open(self) -> BarStore:
        """The store of curated and scored datasets, opened once per process."""
        if self._opened is None:
            self._opened = open_timescale(
                self.timescale.settings(), self.redis.settings(), cached_reads=False, kept=True
            )
        return self._opened

    def reference(self) -> ReferenceStore:
        """The small tables that are replaced whole."""
        return self.timescale.reference()

    def why_away(self) -> str:
        """Why TimescaleDB does not answer now; empty where it does."""
        from adapters.timescale.answering import why_away

        return why_away(self.timescale.settings())


class OperationsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The operations database: ledger, journal, quarantine, corporate actions, outbox."""

    url: str = Field(description="SQLAlchemy URL of the operations database.")
    streaming: bool = Field(default=False, description="Keep events for delivery to Kafka.")

    def __repr__(self) -> str:
        """A form without the URL, which may hold a password."""
        return "OperationsResource(url=...)"

    def open(self) -> Operations:
        """Its ports, over connections that this process keeps; migrated first if it is behind."""
        return open_operations(self.url, streaming=self.streaming, kept=True)
