"""Putting a backup in place of an installation.

What belongs here: what stands in the way, the order of the parts, going on with a restore that was
killed, reading back. What does not: whether the backup is whole (verifying.py).

The lake comes first, as whole folders that take their names when all files are there; then the
operations database, and what is curated last: at no time is there a row whose origin is not there.
A file in the data folder names the backup that is being put in place, until all of it is.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from adapters.backup.creating import NoReceipts
from adapters.backup.manifest import LAKE, SNAPSHOTS, Manifest, PartRecord
from adapters.backup.parts import PARTS, held, installation_side
from adapters.backup.tree import checksum, copy_file, walked
from adapters.backup.verifying import opened, verify
from adapters.disk import writing_to
from adapters.modes import Installation
from adapters.settings import Settings
from adapters.sides import OPERATIONS, Side, copying_alone
from market_data.errors import ConfigurationError, CopyMismatchError, CopyRefusedError
from market_data.pipeline.migration import Tell

_MARK = "restoring.json"
_DRAFT = ".restoring"


@dataclass(frozen=True)
class Restored:
    """What a restore did, or would do.

    Attributes:
        manifest: of the backup.
        replaced: what the installation held: rows by part, and "lake" by files.
        aside: folders that were there and lie beside now.
        rows: that were put in place, or would be.
    """

    manifest: Manifest
    replaced: dict[str, int]
    aside: tuple[str, ...]
    rows: int


def restore(
    found: Installation,
    folder: Path,
    at: datetime,
    tell: Tell,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Restored:
    """Put a backup in place; what a killed one left is finished by the same again.

    Args:
        found: the installation with its mode decided.
        folder: of the backup.
        at: the moment, aware.
        tell: hears of progress.
        overwrite: what the installation holds may go: rows are replaced, folders are laid aside.
        dry_run: only verify, and say what would be done.

    Raises:
        ConfigurationError: it is no whole backup, or one of a newer program.
        CopyMismatchError: the backup is damaged, or what was read back is not what was written.
        CopyRefusedError: the installation holds something.
        StorageError: a disk takes no more.
        StoreConflictError: another copy is at work.
        StoreUnavailableError: a server does not answer.
    """
    folder, settings = folder.resolve(), found.settings
    _not_within(folder, settings)
    checked = verify(folder, tell)
    checked.demand_whole()
    manifest = checked.manifest
    # A dry run leaves no folder where there is no installation.
    alone: AbstractContextManager[None] = nullcontext() if dry_run else copying_alone(settings)
    with alone:
        begun = _begun(settings)
        replaced = _held(found, making=not dry_run)
        going_on = begun == manifest.name
        if dry_run:
            return Restored(manifest, replaced, (), manifest.rows)
        if replaced and not (overwrite or going_on):
            raise CopyRefusedError(_refusal(found, replaced, begun))
        with writing_to(settings.data_dir):
            aside = _put(found, folder, manifest, at, tell)
    return Restored(manifest, replaced, aside, manifest.rows)


def _not_within(folder: Path, settings: Settings) -> None:
    for own in (settings.lake_root, settings.data_dir.resolve() / SNAPSHOTS):
        if own in (folder, *folder.parents):
            raise ConfigurationError(
                f"{folder} lies within what it would replace: move it to another place first"
            )


def _refusal(found: Installation, replaced: dict[str, int], begun: str) -> str:
    listed = ", ".join(f"{count} {'files' if name == LAKE else 'rows'} of {name}"
                       for name, count in list(replaced.items())[:5])  # fmt: skip
    more = f" and {len(replaced) - 5} more" if len(replaced) > 5 else ""
    left = f" The restore of {begun} was not finished: repeat that one." if begun else ""
    return (
        f"the {found.mode} installation of EMP_DATA_DIR={found.settings.data_dir} holds {listed}"
        f"{more}; nothing was written.{left} Name another with --into, or repeat with --overwrite: "
        "its rows are replaced, and its lake is laid aside"
    )


def _begun(settings: Settings) -> str:
    """The backup that a killed restore was putting in place; empty where there is none."""
    try:
        return str(json.loads((settings.data_dir / _MARK).read_text())["backup"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError):
        return "another backup"


def _held(found: Installation, *, making: bool) -> dict[str, int]:
    """What an installation holds: rows by part, files of its lake."""
    rows: dict[str, int] = {}
    try:
        with installation_side(found, making=making) as side:
            rows = held(side)
    except ConfigurationError:
        # Nothing is there; where it was to be made, that is the error.
        if making:
            raise
    files = sum(1 for _ in walked(found.settings.lake_root))
    return rows | ({LAKE: files} if files else {})


def _put(
    found: Installation, folder: Path, manifest: Manifest, at: datetime, tell: Tell
) -> tuple[str, ...]:
    settings = found.settings
    mark = settings.data_dir.resolve() / _MARK
    going_on = _begun(settings) == manifest.name
    if not going_on:
        _note(mark, {"backup": manifest.name, "lake": False})
    aside: list[str] = []
    for name in (LAKE, SNAPSHOTS):
        if _is_done(mark, name):
            continue
        aside += _put_folder(settings, folder, manifest, name, at, tell)
        _note(mark, json.loads(mark.read_text()) | {name: True})
    aside += _put_universe(settings, folder, manifest, at)
    with ExitStack() as stack:
        source = stack.enter_context(opened(folder))
        target = stack.enter_context(installation_side(found, making=True))
        known = {part.name: part for part in manifest.parts}
        for name in _in_order(PARTS):
            if name in known:
                _put_part(source, target, known[name], tell)
    mark.unlink()
    return tuple(aside)


def _in_order(names: Sequence[str]) -> list[str]:
    """What is referred to before what refers: tables, then bars, then what stands on bars."""
    tables = [name for name in names if name.startswith(OPERATIONS)]
    return [*tables, *reversed([name for name in names if not name.startswith(OPERATIONS)])]


def _put_part(source: Side, target: Side, record: PartRecord, tell: Tell) -> None:
    part = source.part(record.name, target, NoReceipts(), overwrite=True)
    outcome = part.copy(tell)
    different = [piece.piece or record.name for piece in outcome.pieces if not piece.equal]
    rows = sum(piece.target_rows for piece in outcome.pieces)
    if different or rows != record.rows:
        raise CopyMismatchError(
            f"{record.name}: {rows} rows are in place, {record.rows} were to be: is another writer "
            "at work on the installation? Let it end, and repeat the same"
        )


def _put_folder(
    settings: Settings, folder: Path, manifest: Manifest, name: str, at: datetime, tell: Tell
) -> list[str]:
    """Put the files of a folder in place in one step; names what was laid aside."""
    target = settings.data_dir.resolve() / name
    draft = target.with_name(name + _DRAFT)
    if draft.exists():
        shutil.rmtree(draft)
    wanted = [path for path in manifest.files if path.startswith(f"{name}/")]
    tell(f"{name}: putting {len(wanted)} files in place")
    draft.mkdir(parents=True)
    for path in wanted:
        copy = draft / path.removeprefix(f"{name}/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        _, digest = copy_file(folder / path, copy)
        if digest != manifest.files[path].sha256:
            raise CopyMismatchError(f"{folder / path} is not what was written: use another backup")
        shutil.copystat(folder / path, copy)
    aside: list[str] = []
    if target.exists():
        if any(walked(target)):
            kept = target.with_name(f"{name}.replaced-{at:%Y%m%dT%H%M%SZ}")
            target.rename(kept)
            aside.append(str(kept))
        else:
            shutil.rmtree(target)
    draft.rename(target)
    return aside


def _put_universe(settings: Settings, folder: Path, manifest: Manifest, at: datetime) -> list[str]:
    """What command lines registered; another one is laid aside, and named."""
    target = settings.registered_universe
    source = folder / target.name
    wanted = manifest.files.get(target.name)
    if target.exists() and wanted is not None and checksum(target) == wanted.sha256:
        return []
    aside: list[str] = []
    if target.exists():
        kept = target.with_name(f"{target.name}.replaced-{at:%Y%m%dT%H%M%SZ}")
        target.rename(kept)
        aside.append(str(kept))
    if wanted is not None:
        draft = target.with_name(f".{target.name}{_DRAFT}")
        copy_file(source, draft)
        draft.replace(target)
    return aside


def _is_done(mark: Path, name: str) -> bool:
    return bool(json.loads(mark.read_text()).get(name))


def _note(mark: Path, content: dict[str, object]) -> None:
    mark.parent.mkdir(parents=True, exist_ok=True)
    draft = mark.with_name(f".{mark.name}")
    draft.write_text(json.dumps(content))
    draft.replace(mark)
