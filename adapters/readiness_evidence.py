"""What the sections of the readiness report are made from.

What belongs here: an installation's parts, opened when a section looks at them first, and whether
their databases fit this program. What does not: the sections (readiness_sections.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property

from adapters.modes import Installation
from adapters.operations_limits import load_operations_limits
from adapters.operations_opening import Operations
from adapters.operations_reports import gather
from adapters.probes import Finding
from market_data.errors import ConfigurationError
from market_data.operations.evidence import Evidence as Seen
from market_data.operations.limits import OperationsLimits
from market_data.pipeline.platform import Platform


class Evidence:
    """What the sections are made from; stores are opened when a section looks at them first.

    Args:
        found: the installation with its mode decided.
        findings: what the looks at its parts found.
        now: the moment, aware.
        platform: opens its stores and ports.
        operations: opens the ports of its operations database.
    """

    def __init__(
        self,
        found: Installation,
        findings: Sequence[Finding],
        now: datetime,
        platform: Callable[[], Platform],
        operations: Callable[[], Operations],
    ) -> None:
        self.found = found
        self.findings = findings
        self.now = now
        self._open_platform = platform
        self._open_operations = operations

    @cached_property
    def platform(self) -> Platform:
        """Its stores and ports.

        Raises:
            ConfigurationError: a database is not migrated; looking at it must not do that.
            MarketDataError: they cannot be opened.
        """
        _migrated(self.findings)
        return self._open_platform()

    @cached_property
    def operations(self) -> Operations:
        """The ports of the operations database; raises as `platform` does."""
        _migrated(self.findings)
        return self._open_operations()

    @cached_property
    def limits(self) -> OperationsLimits:
        """From when on the installation is in trouble.

        Raises:
            ConfigurationError: config/operations.yaml is wrong.
        """
        return load_operations_limits(self.found.settings)

    @cached_property
    def seen(self) -> Seen:
        """What the reports on operations are made from, looked at once.

        Raises:
            ConfigurationError: as `platform` and `limits` do.
            MarketDataError: as `platform` does.
        """
        return gather(self.platform, self.operations, self.limits)


def _migrated(findings: Sequence[Finding]) -> None:
    for part, (revision, needed) in revisions(findings).items():
        if revision != needed:
            raise ConfigurationError(
                f"{part} is at revision {revision}, this program needs {needed}: "
                "see the section migrations"
            )


def revisions(findings: Sequence[Finding]) -> dict[str, tuple[object, object]]:
    """Per database the revision it is at and the one that is needed."""
    return {
        f.part: (f.facts["revision"], f.facts["revision_needed"])
        for f in findings
        if "revision_needed" in f.facts
    }
