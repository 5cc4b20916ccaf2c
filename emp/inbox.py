"""Drop folders as the command line shows them.

What belongs here: what lies in each, and what became of its newest batches. What does not: showing
(emp/commands/inbox.py), taking files in (jobs/take_in_files.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.automation import load_automation
from adapters.dropped_files import look_into, place_of
from adapters.modes import decide
from adapters.operations_opening import open_operations
from adapters.settings import Settings

REPORT = "dropped_files"
_LOOKED = 200


@dataclass(frozen=True)
class FolderStatus:
    """How a drop folder fares.

    Attributes:
        name: of the folder.
        folder: where it is.
        exists: whether it is there.
        vendor: for whom its files speak.
        spec: their format.
        files: that lie in it, taken in or not.
        bytes: of these.
        oldest: when the oldest of them was changed, UTC.
        newest: the newest batch, as its report says; empty where none is known.
        failed: files that lie in it and could not be taken in, with the reason.
    """

    name: str
    folder: str
    exists: bool
    vendor: str
    spec: str
    files: int
    bytes: int
    oldest: str | None
    newest: Mapping[str, Any] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


def folders(settings: Settings) -> list[FolderStatus]:
    """Every drop folder of an installation, in the order of the file.

    Raises:
        ConfigurationError: config/automation.yaml is wrong.
    """
    configured = load_automation(settings).drop
    if not configured:
        return []
    reports = open_operations(decide(settings).operations_url).reports.newest(REPORT, _LOOKED)
    found = []
    for folder in configured:
        place = place_of(settings, folder)
        files = look_into(place, folder)
        own = [r for r in reports if r.body["folder"] == folder.name]
        changed = min((file.changed for file in files.values()), default=None)
        failed: dict[str, str] = {}
        for report in reversed(own):
            failed |= report.body["failed"]
            failed = {n: why for n, why in failed.items() if n not in report.body["taken"]}
        found.append(
            FolderStatus(
                name=folder.name,
                folder=str(place),
                exists=place.is_dir(),
                vendor=folder.vendor,
                spec=folder.spec,
                files=len(files),
                bytes=sum(file.size for file in files.values()),
                oldest=None
                if changed is None
                else f"{datetime.fromtimestamp(changed / 1e9, UTC):%Y-%m-%d %H:%M}",
                newest={"at": f"{own[0].at:%Y-%m-%d %H:%M}", **own[0].body} if own else {},
                failed={name: why for name, why in failed.items() if name in files},
            )
        )
    return found
