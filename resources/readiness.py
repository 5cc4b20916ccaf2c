"""Readiness of the installation, as a resource.

Dagster recognises nested resources by their annotations while the class is made, so these must be
objects, not text: this module does not postpone them.
"""

from contextlib import nullcontext
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from adapters.clock import SystemClock
from adapters.modes import decide
from adapters.settings import Mode, Settings
from market_data.operations.readiness import Readiness
from market_data.ports.cache import CacheMetrics
from resources.daemon_probe import daemon_probe
from resources.platform import PlatformResource

if TYPE_CHECKING:
    from adapters.operations_watch import Looks

TIMEOUT_SECONDS = 20.0


class ReadinessResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Looks at every part of the installation, and keeps what was found."""

    platform: dg.ResourceDependency[PlatformResource]
    mode: str = Field(description="bootstrap or institutional.")

    def verdict(self, instance: dg.DagsterInstance) -> Readiness:
        """The verdict now; it is kept among the reports.

        Args:
            instance: whose daemon is looked at.
        """
        # They load the database's library, which loading the graph does not need.
        from adapters.probes.parts import server_probes
        from adapters.readiness import readiness

        found = decide(self._settings())
        daemon = daemon_probe(lambda: nullcontext(instance), required=found.servers is not None)
        return readiness(
            found,
            [*server_probes(found), daemon],
            SystemClock(),
            platform=self.platform.open,
            operations=self.platform.operations.open,
            timeout=TIMEOUT_SECONDS,
        )

    def look(self, before: CacheMetrics | None) -> "Looks":
        """A look at the parts that are watched between runs.

        Args:
            before: the cache's numbers at an earlier look.
        """
        from adapters.operations_watch import look_at_parts

        operations = self.platform.operations.open()
        return look_at_parts(self._settings(), operations, SystemClock(), before)

    def _settings(self) -> Settings:
        return self.platform.settings().model_copy(update={"mode": Mode(self.mode)})
