"""The lake and the data folder: can be written, read back, and have room."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from adapters.probes.probe import Facts, Finding, Probe, State

_LOW_SHARE = 0.05
_CURE = "name a folder that this user may write in EMP_DATA_DIR, and see that its disk is there"


def lake_probe(root: Path) -> Probe:
    """A look at the folder of the raw log and the payload archive."""
    return Probe("lake", lambda: look_at(root), _CURE)


def look_at(root: Path) -> Finding:
    """Write a file, read it back, take it away."""
    written = uuid.uuid4().hex
    file = root / f".probe-{written}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        file.write_text(written)
        same = file.read_text() == written
        file.unlink()
    except OSError as error:
        return Finding("lake", State.ERROR, f"{root}: {error.strerror or error}", _CURE)
    if not same:
        return Finding("lake", State.ERROR, f"{root} gives back other bytes than written", _CURE)
    usage = shutil.disk_usage(root)
    facts: Facts = {"path": str(root), "free_gib": round(usage.free / 2**30, 1)}
    if usage.free < _LOW_SHARE * usage.total:
        told = f"{root} has {usage.free / 2**30:.1f} GiB left, {usage.free / usage.total:.0%}"
        return Finding("lake", State.DEGRADED, told, "make room or move EMP_DATA_DIR", facts)
    return Finding("lake", State.OK, f"{root} can be written and read", facts=facts)
