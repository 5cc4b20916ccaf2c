"""Reports on operations, as a resource.

Dagster recognises nested resources by their annotations while the class is made, so these must be
objects, not text: this module does not postpone them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from resources.platform import PlatformResource

if TYPE_CHECKING:
    from market_data.operations.account import Account


class OperationsReportsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Makes reports, keeps them, and tells them to whoever listens."""

    platform: dg.ResourceDependency[PlatformResource]

    def make(self, names: Sequence[str]) -> "list[Account]":
        """Reports of now, all of one look.

        Args:
            names: theirs, see market_data/operations/reports.py.
        """
        from adapters.operations_reports import make_reports

        platform = self.platform
        return make_reports(platform.settings(), platform.open(), platform.operations.open(), names)
