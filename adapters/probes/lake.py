"""The lake, a folder or an object store: can be written, read back, and has room."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from adapters.probes.probe import Facts, Finding, Probe, State
from adapters.stores.object_settings import options_of
from adapters.stores.objects import Objects, is_remote
from market_data.errors import MarketDataError

_LOW_SHARE = 0.05
_CURE = "name a folder that this user may write in EMP_DATA_DIR, and see that its disk is there"
_REMOTE_CURE = "see that bucket, AWS_ENDPOINT_URL and keys are right, and the network is there"


def lake_probe(place: str) -> Probe:
    """A look at the folder, or the URI, of the raw log and the payload archive."""
    if is_remote(place):
        return Probe("lake", lambda: look_at_store(place), _REMOTE_CURE)
    return Probe("lake", lambda: look_at(Path(place)), _CURE)


def look_at_store(uri: str) -> Finding:
    """Write an object, read it back, put it again where none may be, take it away."""
    name, written = f".probe-{uuid.uuid4().hex}", uuid.uuid4().hex.encode()
    try:
        objects = Objects(uri, options_of(uri))
        objects.put(name, written)
        same = objects.get(name) == written
        guarded = not objects.put_new(name, written)
        objects.remove([name])
    except MarketDataError as error:
        return Finding("lake", State.ERROR, str(error), _REMOTE_CURE)
    if not same:
        return Finding("lake", State.ERROR, f"{uri} gives back other bytes than written", _CURE)
    if not guarded:
        told = f"{uri} takes an object that is there already: it knows no conditional put, without "
        told += "which two writers of a table would lose each other's rows"
        return Finding("lake", State.ERROR, told, "name a store that knows If-None-Match")
    facts: Facts = {"uri": uri}
    return Finding("lake", State.OK, f"{uri} can be written and read", facts=facts)


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
