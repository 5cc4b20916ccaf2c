"""What 'emp export verify' tells.

What belongs here: reading an export back for a person. What does not: how it is read
(adapters/exports/verifying.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from market_data.exports.jobs import export_job

if TYPE_CHECKING:
    from adapters.settings import Settings
    from market_data.exports.jobs import ExportJob, Unit
    from market_data.exports.manifest import Manifest

_SHOWN = 100


def verified_told(
    settings: Settings, name: str, tell: Callable[[str], None], *, with_source: bool
) -> dict[str, Any]:
    """How an export was found; it is kept among the reports.

    Raises:
        ConfigurationError: there is no such export.
        DatasetMissingError: nothing was exported yet.
        CopyMismatchError: the manifest is damaged.
    """
    from adapters.clock import SystemClock
    from adapters.exports.reporting import verified
    from adapters.exports.verifying import against_source
    from adapters.modes import decide
    from emp.exports import parts_of
    from emp.reporting import operations_of

    job, clock = export_job(name), SystemClock()
    store, source = parts_of(settings)
    reports = operations_of(decide(settings)).reports
    whole = verified(store, job, reports, clock, tell)
    differences: list[dict[str, Any]] = []
    if with_source:
        held = source.read(job).held()
        for unit in _units(job, whole.manifest, held):
            tell(f"{job.name}: comparing {unit.name} with {job.dataset.name}")
            found = against_source(store, source, job, unit.sessions, clock.now())
            differences += found.head(_SHOWN).to_dicts()
    return {
        **whole.manifest.summary(),
        "whole": not whole.problems and not differences,
        "problems": list(whole.problems),
        "differences": [{**one, "session": str(one["session"])} for one in differences[:_SHOWN]],
    }


def _units(job: ExportJob, manifest: Manifest, held: object) -> list[Unit]:
    """The units that the export has, and those that its source may have."""
    days = [day for unit in manifest.units for day in (unit.first, unit.last)]
    if isinstance(held, tuple):
        days += list(held)
    return job.units(min(days), max(days)) if days else []
