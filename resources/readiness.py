"""Readiness of the installation, as a resource.

Dagster recognises nested resources by their annotations while the class is made, so these must be
objects, not text: this module does not postpone them.
"""

from contextlib import nullcontext

import dagster as dg
from pydantic import Field

from adapters.clock import SystemClock
from adapters.modes import decide
from adapters.settings import Mode
from market_data.operations.readiness import Readiness
from resources.daemon_probe import daemon_probe
from resources.platform import PlatformResource

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

        settings = self.platform.settings().model_copy(update={"mode": Mode(self.mode)})
        found = decide(settings)
        daemon = daemon_probe(lambda: nullcontext(instance), required=found.servers is not None)
        return readiness(
            found,
            [*server_probes(found), daemon],
            SystemClock(),
            platform=self.platform.open,
            operations=self.platform.operations.open,
            timeout=TIMEOUT_SECONDS,
        )
