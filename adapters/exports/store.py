"""The folder of an export: who writes it, what counts, what goes.

What belongs here: staging, the commit, manifests, retention. What does not: making the files
(engines), reading them (files.py).

    <root>/spark_bars_1d/
        manifest.json                what counts
        manifests/00000007.json      former ones, for as long as they are kept
        data/<number>-<run>/year=2024/*.parquet
        _staging/<number>-<run>/...  of a run that is at work, or was killed

A run writes below `_staging`, moves its folder to `data` when all of it is on the disk, and
replaces the manifest last, in one step. Killed before that, it leaves a folder that no manifest
names, which the next run removes. One run at a time writes an export; the system frees the lock
with the process.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from adapters.disk import writing_to
from market_data.errors import CopyMismatchError, DatasetMissingError, StoreConflictError
from market_data.exports.jobs import ExportJob
from market_data.exports.manifest import Manifest, from_text, to_text

MANIFEST = "manifest.json"
FORMER = "manifests"
DATA, STAGING = "data", "_staging"
_DRAFT = f".{MANIFEST}.new"


@dataclass(frozen=True)
class Turn:
    """The turn of a run to write an export.

    Attributes:
        before: the manifest that counts; None where there is none.
        number: of the manifest that comes next.
        staging: folder for what the run writes.
        folder: what that folder is called below that of the export when it counts.
    """

    before: Manifest | None
    number: int
    staging: Path
    folder: str


class ExportStore:
    """The folders of all exports.

    Args:
        root: of the exports; every worker of a Spark cluster sees it under the same path.
        keep: for how long the files of a former manifest stay for those who still read them.
    """

    def __init__(self, root: Path, keep: timedelta) -> None:
        self.root = root
        self._keep = keep

    def folder(self, job: ExportJob) -> Path:
        """The folder of an export."""
        return self.root / job.name

    def newest(self, job: ExportJob) -> Manifest | None:
        """The manifest that counts; None where nothing was exported yet.

        Raises:
            CopyMismatchError: it is damaged.
        """
        file = self.folder(job) / MANIFEST
        try:
            text = file.read_text()
        except FileNotFoundError:
            return None
        return from_text(text, str(file))

    def manifest(self, job: ExportJob) -> Manifest:
        """The manifest that counts.

        Raises:
            DatasetMissingError: nothing was exported yet.
            CopyMismatchError: it is damaged.
        """
        found = self.newest(job)
        if found is None:
            raise DatasetMissingError(
                f"{job.name} was not exported to {self.root} yet: 'emp export run {job.name}'"
            )
        return found

    @contextmanager
    def writing(self, job: ExportJob, run: str, *, anew: bool = False) -> Iterator[Turn]:
        """Be alone in the folder of an export; what killed runs left goes first.

        Args:
            job: which export.
            run: id of the run.
            anew: what was exported before does not count, and may be damaged.

        Raises:
            StoreConflictError: another run is at work on it.
            CopyMismatchError: the manifest is damaged.
            StorageError: the disk takes no more.
        """
        from filelock import FileLock, Timeout

        folder = self.folder(job)
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / ".lock", timeout=0)
            try:
                lock.acquire()
            except Timeout:
                raise StoreConflictError(
                    f"another run writes {job.name} in {self.root}: let it end"
                ) from None
        try:
            before = _read(folder / MANIFEST) if anew else self.newest(job)
            with writing_to(folder):
                _remove(folder / STAGING)
                (folder / _DRAFT).unlink(missing_ok=True)
                if before is not None or not (folder / MANIFEST).exists():
                    # What a damaged manifest names is all there is until the next one counts.
                    self._sweep(folder, [before] if before else [])
                number = 1 + max([before.number if before else 0, *_numbers(folder)])
                name = f"{number:08d}-{run[:8]}"
                staging = folder / STAGING / name
                staging.mkdir(parents=True)
            try:
                yield Turn(None if anew else before, number, staging, f"{DATA}/{name}")
            finally:
                _remove(folder / STAGING)
        finally:
            lock.release()

    def commit(self, job: ExportJob, turn: Turn, manifest: Manifest, now: datetime) -> None:
        """Let a manifest count, and the files of its run with it.

        Args:
            job: which export.
            turn: of the run; its staging folder holds what the manifest names below turn.folder.
            manifest: the next one.
            now: the moment, aware; what is older than `keep` goes.

        Raises:
            StorageError: the disk takes no more; the manifest before still counts.
        """
        folder = self.folder(job)
        with writing_to(folder):
            for file in _files(turn.staging):
                _on_disk(file)
            (folder / DATA).mkdir(exist_ok=True)
            turn.staging.rename(folder / turn.folder)
            _on_disk(folder / DATA)
            self._keep_former(folder)
            _replace(folder / MANIFEST, to_text(manifest), folder / _DRAFT)
        with writing_to(folder):
            self._forget(folder, manifest, now)
            self._sweep(folder, [manifest])

    def _keep_former(self, folder: Path) -> None:
        before = _read(folder / MANIFEST)
        if before is None:
            return
        (folder / FORMER).mkdir(exist_ok=True)
        former = folder / FORMER / f"{before.number:08d}.json"
        _replace(former, to_text(before), former.with_suffix(".new"))

    def _forget(self, folder: Path, newest: Manifest, now: datetime) -> None:
        """Remove manifests that ceased to count longer ago than files are kept for."""
        replaced_at = newest.written_at
        for file in sorted((folder / FORMER).glob("*.json"), reverse=True):
            former = _read(file)
            if former is None or now - replaced_at > self._keep:
                file.unlink()
            if former is not None:
                replaced_at = former.written_at

    def former(self, job: ExportJob) -> list[Manifest]:
        """Manifests that no longer count, and whose files are kept for those who read them."""
        return _former(self.folder(job))

    def unnamed(self, job: ExportJob) -> list[Path]:
        """Files of an export that no manifest names."""
        newest = self.newest(job)
        return _unnamed(self.folder(job), [newest] if newest else [])

    def _sweep(self, folder: Path, counting: list[Manifest]) -> None:
        """Remove files that no manifest names."""
        for file in _unnamed(folder, counting):
            file.unlink()
        for empty in sorted((folder / DATA).rglob("*"), reverse=True):
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()


def _former(folder: Path) -> list[Manifest]:
    found = (_read(file) for file in sorted((folder / FORMER).glob("*.json")))
    return [manifest for manifest in found if manifest is not None]


def _unnamed(folder: Path, counting: list[Manifest]) -> list[Path]:
    named = {file.path for one in [*counting, *_former(folder)] for file in one.files}
    return [f for f in _files(folder / DATA) if f.relative_to(folder).as_posix() not in named]


def _read(file: Path) -> Manifest | None:
    """A manifest; None where it is absent or damaged."""
    try:
        return from_text(file.read_text(), str(file))
    except (FileNotFoundError, CopyMismatchError):
        return None


def _numbers(folder: Path) -> list[int]:
    """Of former manifests, and of what lies there for one that may be damaged."""
    former = [file.stem for file in (folder / FORMER).glob("*.json")]
    there = [below.name.partition("-")[0] for below in (folder / DATA).glob("*-*")]
    after = [int(name) + 1 for name in former if name.isdigit()]
    return after + [int(name) for name in there if name.isdigit()]


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _replace(file: Path, text: str, draft: Path) -> None:
    """Write a file in one step that survives a loss of power."""
    with draft.open("w") as writing:
        writing.write(text)
        writing.flush()
        os.fsync(writing.fileno())
    draft.replace(file)
    _on_disk(file.parent)


def _on_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
