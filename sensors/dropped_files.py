"""Asks for a run over files that appear in a drop folder, once they are complete.

A file is complete when it has stood still for `settle` and from one tick to the next, or when its
marker lies beside it; names that end in .tmp, .part or the like are never taken, so that a writer
may rename what is done. Up to 500 files of a folder become one run of take_in_files. A tick looks
at names, sizes and times alone, and opens nothing. What it remembers is in its cursor: a file that
was handed over is not asked for again unless it changes ('touch' is enough), or no store answered
when it was taken: then it is, after 1, 2, 4 minutes and so on, half an hour at most. `drop` in
config/automation.yaml names the folders.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from adapters.automation import load_automation
from adapters.dropped_again import Again, to_take_again
from adapters.dropped_files import look_into, place_of
from jobs.automation.limits import run_limits
from jobs.take_in_files import FOLDER_TAG, NAME, STEP
from market_data.automation.drop import DropFolder, Found, Known, complete
from resources.platform import PlatformResource
from sensors.cursors import remembered

EVERY_SECONDS = 20
AT_ONCE = 500
VERSION = 1


def dropped_files_sensor(folders: Sequence[DropFolder]) -> dg.SensorDefinition:
    """The sensor over some folders."""

    @dg.sensor(
        name="dropped_files",
        job_name=NAME,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=__doc__,
    )
    def dropped_files(
        context: dg.SensorEvaluationContext, platform: PlatformResource
    ) -> dg.SensorResult:
        known, settings = _remembered(context.cursor), platform.settings()
        now = datetime.now(UTC).timestamp()
        asked = _asked_again(context.cursor)
        after: dict[str, dict[str, Known]] = {}
        requests: list[dg.RunRequest] = []
        waiting = 0
        for folder in folders:
            found = look_into(place_of(settings, folder), folder)
            seen = known.get(folder.name, {})
            again = _due(to_take_again(settings, folder), found, asked.get(folder.name, {}), now)
            seen |= {n: replace(seen[n], handed=False) for n in again if n in seen}
            after[folder.name], ready = complete(folder, seen, found, now, AT_ONCE)
            waiting += sum(not file.handed for file in after[folder.name].values())
            if ready:
                limits = run_limits(load_automation(settings), again=1)
                counts = {n: again[n] for n in ready if n in again}
                asked[folder.name] = asked.get(folder.name, {}) | counts
                files = {n: found[n] for n in ready}
                requests.append(_request(folder, files, limits, sum(counts.values())))
        # Dagster keeps the cursor after it has launched the runs: a tick that is repeated names
        # the same ones.
        told = f"{waiting} files are not complete yet" if waiting else "nothing new"
        reason = None if requests else told
        return dg.SensorResult(
            run_requests=requests, skip_reason=reason, cursor=_written(after, asked)
        )

    return dropped_files


def _due(
    again: Mapping[str, Again],
    found: Mapping[str, Found],
    asked: Mapping[str, int],
    now: float,
) -> dict[str, int]:
    """Files to be asked for once more, each with how often it has failed.

    Args:
        again: what the last attempts left, by name.
        found: what lies in the folder.
        asked: after how many failures each was asked for last.
        now: seconds since 1970.
    """
    return {
        name: file.count
        for name, file in again.items()
        if file.at <= now
        and asked.get(name) != file.count
        and name in found
        and (found[name].size, found[name].changed) == (file.size, file.changed)
    }


def _request(
    folder: DropFolder, files: Mapping[str, Found], limits: Mapping[str, str], failures: int
) -> dg.RunRequest:
    listed = [{"name": n, "size": f.size, "changed": f.changed} for n, f in sorted(files.items())]
    batch = hashlib.sha256(json.dumps([folder.name, listed]).encode()).hexdigest()[:32]
    config: dict[str, Any] = {"folder": folder.name, "batch": batch, "files": listed}
    return dg.RunRequest(
        run_key=f"{folder.name} {batch}" + (f" again {failures}" if failures else ""),
        run_config={"ops": {STEP: {"config": config}}},
        tags={FOLDER_TAG: folder.name, **limits},
    )


def _written(
    known: Mapping[str, Mapping[str, Known]], asked: Mapping[str, Mapping[str, int]]
) -> str:
    folders = {
        name: {n: [f.size, f.changed, f.since, f.handed] for n, f in files.items()}
        for name, files in known.items()
    }
    kept = {
        folder: {name: count for name, count in names.items() if name in known.get(folder, {})}
        for folder, names in asked.items()
    }
    again = {folder: names for folder, names in kept.items() if names}
    return json.dumps({"version": VERSION, "folders": folders, "again": again})


def _asked_again(cursor: str | None) -> dict[str, dict[str, int]]:
    """By folder and file, after how many failures it was asked for last."""
    kept = remembered(cursor, VERSION)
    return {folder: dict(names) for folder, names in kept.get("again", {}).items()}


def _remembered(cursor: str | None) -> dict[str, dict[str, Known]]:
    """What is remembered of each folder.

    Raises:
        ValueError: a newer program has written the cursor.
    """
    folders = remembered(cursor, VERSION).get("folders", {})
    return {name: {n: Known(*file) for n, file in files.items()} for name, files in folders.items()}
