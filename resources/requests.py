"""Where requests to vendors are counted: on this machine, or with others in Redis.

What belongs here: which of the two. What does not: counting (adapters/requests).

Dagster recognises nested resources by their annotations while the class is made, so these must be
objects, not text: this module does not postpone them.
"""

import dagster as dg

from adapters.cache.settings import RedisSettings
from resources.servers import RedisResource


class RequestBudgetResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Requests to vendors are counted in a file of this machine."""

    def shared(self) -> RedisSettings | None:
        """Where several machines count together; None for this one alone."""
        return None


class SharedRequestBudgetResource(RequestBudgetResource):
    """Requests to vendors are counted in Redis, and in a file of this machine as well."""

    redis: dg.ResourceDependency[RedisResource]

    def shared(self) -> RedisSettings | None:
        """The settings of Redis."""
        return self.redis.settings()
