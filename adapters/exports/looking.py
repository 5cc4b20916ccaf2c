"""How every export stands, for readiness and command lines.

What belongs here: manifests beside the versions of their sources. What does not: verdicts
(market_data/exports/health.py), reading files (verifying.py).
"""

from __future__ import annotations

from datetime import timedelta

from adapters.exports.sources import LakeSource, Source, TimescaleSource
from adapters.exports.store import ExportStore
from adapters.exports.verifying import outdated
from adapters.modes import Installation
from adapters.settings import Settings
from market_data.errors import CopyMismatchError
from market_data.exports.health import ExportState
from market_data.exports.jobs import export_jobs
from market_data.exports.marks import Verdicts
from market_data.pipeline.platform import Platform


def store_of(settings: Settings) -> ExportStore:
    """The folders of all exports."""
    return ExportStore(settings.export_root, timedelta(hours=settings.export_keep_hours))


def source_of(found: Installation, platform: Platform) -> Source:
    """Where the rows of exports come from.

    Args:
        found: the installation with its mode decided.
        platform: its curated datasets, and what is said of them.
    """
    verdicts = Verdicts(platform.store, platform.annotations)
    if found.servers is not None:
        return TimescaleSource(platform.store, found.servers.timescale, verdicts)
    return LakeSource(found.settings.warehouse_place, verdicts)


def export_states(store: ExportStore, source: Source) -> dict[str, ExportState]:
    """The exports that were ever written, by name."""
    states = {}
    for job in export_jobs():
        try:
            manifest = store.newest(job)
        except CopyMismatchError as error:
            states[job.name] = ExportState(None, str(error))
            continue
        if manifest is not None:
            states[job.name] = ExportState(manifest, outdated=outdated(source.read(job), manifest))
    return states
