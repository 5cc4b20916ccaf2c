"""Asks for a run over files that appear in a drop folder, once they are complete.

A file is complete when it has stood still for `settle` and from one tick to the next, or when its
marker lies beside it; names that end in .tmp, .part or the like are never taken, so that a writer
may rename what is done. Up to 500 files of a folder become one run of take_in_files. A tick looks
at names, sizes and times alone, and opens nothing. What it remembers is in its cursor: a file that
was handed over is not asked for again unless it changes ('touch' is enough). `drop` in
config/automation.yaml names the folders.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from adapters.automation import load_automation
from adapters.dropped_files import look_into, place_of
from jobs.automation.limits import run_limits
from jobs.take_in_files import FOLDER_TAG, NAME, STEP
from market_data.automation.drop import DropFolder, Found, Known, complete
from resources.platform import PlatformResource

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
        after: dict[str, dict[str, Known]] = {}
        requests: list[dg.RunRequest] = []
        waiting = 0
        for folder in folders:
            found = look_into(place_of(settings, folder), folder)
            seen = known.get(folder.name, {})
            after[folder.name], ready = complete(folder, seen, found, now, AT_ONCE)
            waiting += sum(not file.handed for file in after[folder.name].values())
            if ready:
                limits = run_limits(load_automation(settings), again=1)
                requests.append(_request(folder, {n: found[n] for n in ready}, limits))
        # Dagster keeps the cursor after it has launched the runs: a tick that is repeated names
        # the same ones.
        told = f"{waiting} files are not complete yet" if waiting else "nothing new"
        reason = None if requests else told
        return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=_written(after))

    return dropped_files


def _request(
    folder: DropFolder, files: Mapping[str, Found], limits: Mapping[str, str]
) -> dg.RunRequest:
    listed = [{"name": n, "size": f.size, "changed": f.changed} for n, f in sorted(files.items())]
    batch = hashlib.sha256(json.dumps([folder.name, listed]).encode()).hexdigest()[:32]
    config: dict[str, Any] = {"folder": folder.name, "batch": batch, "files": listed}
    return dg.RunRequest(
        run_key=f"{folder.name} {batch}",
        run_config={"ops": {STEP: {"config": config}}},
        tags={FOLDER_TAG: folder.name, **limits},
    )


def _written(known: Mapping[str, Mapping[str, Known]]) -> str:
    folders = {
        name: {n: [f.size, f.changed, f.since, f.handed] for n, f in files.items()}
        for name, files in known.items()
    }
    return json.dumps({"version": VERSION, "folders": folders})


def _remembered(cursor: str | None) -> dict[str, dict[str, Known]]:
    """What is remembered of each folder.

    Of an older program nothing: the files are found anew, under the same names of runs.

    Raises:
        ValueError: a newer program has written the cursor.
    """
    kept = json.loads(cursor) if cursor else {}
    version = kept.get("version", 0)
    if version > VERSION:
        raise ValueError(f"the cursor has version {version}, this program reads {VERSION}")
    if version < VERSION:
        return {}
    return {
        name: {n: Known(*file) for n, file in files.items()}
        for name, files in kept["folders"].items()
    }
