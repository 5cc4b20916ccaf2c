"""`emp backup`: make, list, verify and restore backups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emp.commands.options import JsonOption
from emp.invocation import invocation, settings_of
from emp.output import print_json, print_line

if TYPE_CHECKING:
    from adapters.modes import Installation

app = typer.Typer(help="Backups: create, list, verify, restore.", rich_markup_mode=None)

CREATE_EXAMPLES = """
Held: curated datasets, scores, reference tables, the operations database, raw logs, payloads,
snapshots of backfills, registrations. Left out: configuration files and settings, Dagster's own
records (the history of runs and materialisations), caches, and events that wait for Kafka.

Ingestion may go on. The folder takes its name when all of it is on the disk and was read back.

Examples:\n
  emp backup create\n
  emp backup create --to /mnt/backups --name before-upgrade --json\n
  emp backup create --keep 8
"""
VERIFY_EXAMPLES = """
Every file is read and compared with its checksum, every table with the digest of its rows. Exit
status 1 where anything differs.

Examples:\n
  emp backup verify 20260302T051000.000000Z\n
  emp backup verify /mnt/backups/before-upgrade --json
"""
RESTORE_EXAMPLES = """
Goes into the mode and the servers that the settings name, whichever mode the backup was made in.
The backup is verified first. An installation that holds anything is refused without --overwrite;
then rows are replaced, and the lake is laid aside, not removed. A restore that was killed is
finished by the same command again. Let runs and schedules stand still meanwhile.

With --into nothing of the installation is touched, nor are its servers: a second one is made there,
of files alone, to look at with EMP_MODE=bootstrap and EMP_DATA_DIR=DATA_DIR.

Examples:\n
  emp backup restore 20260302T051000.000000Z --dry-run\n
  emp backup restore /mnt/backups/before-upgrade --into /srv/emp\n
  emp backup restore 20260302T051000.000000Z --overwrite
"""

ToOption = Annotated[
    Path | None, typer.Option("--to", metavar="FOLDER", help="Of backups; else EMP_BACKUP_DIR.")
]
BackupArgument = Annotated[
    Path, typer.Argument(metavar="BACKUP", help="Its folder, or its name below EMP_BACKUP_DIR.")
]


@app.command("create", epilog=CREATE_EXAMPLES)
def create(
    context: typer.Context,
    *,
    to: ToOption = None,
    name: Annotated[str | None, typer.Option(help="Of the backup; else the time.")] = None,
    keep: Annotated[
        int | None, typer.Option(min=0, help="So many of the newest stay; 0 keeps all.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be copied.")
    ] = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Do not read it back; it does not count then.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy an installation into a folder of its own, and read that back."""
    from adapters.backup.creating import Wanted, backup_folder, planned
    from adapters.backup.keeping import back_up
    from adapters.backup.manifest import name_of
    from adapters.clock import SystemClock
    from emp.narration import Narrator

    found, clock = _installation(context), SystemClock()
    at = clock.now()
    wanted = Wanted(backup_folder(found.settings, to), name or name_of(at), at)
    stays = found.settings.backup_keep if keep is None else keep
    with Narrator(debug=invocation(context).debug) as narrator:
        if dry_run:
            rows = planned(found, narrator.step)
        else:
            kept = back_up(
                found, wanted, clock, narrator.step, keep=stays, reading_back=not no_verify
            )
    if dry_run:
        _tell({"path": str(wanted.root / wanted.name), "rows": rows}, as_json=as_json)
        return
    told = {"path": str(wanted.root / wanted.name), **kept.manifest.summary()}
    told |= {"verified": kept.verified, "removed": list(kept.removed)}
    _tell(told, as_json=as_json)


@app.command("list")
def list_(context: typer.Context, *, to: ToOption = None, as_json: JsonOption = False) -> None:
    """List the backups of a folder, newest first."""
    from adapters.backup.creating import backup_folder
    from adapters.backup.manifest import read_manifest, unfinished, whole_backups
    from market_data.errors import CopyMismatchError

    root = backup_folder(settings_of(context), to)
    told: list[dict[str, Any]] = []
    for folder in whole_backups(root):
        try:
            told.append({"path": str(folder), **read_manifest(folder).summary()})
        except CopyMismatchError as error:
            told.append({"path": str(folder), "name": folder.name, "damaged": str(error)})
    left = [{"path": str(f), "name": f.name, "damaged": "never finished"} for f in unfinished(root)]
    if as_json:
        print_json(told + left)
        return
    for one in told + left:
        print_line(f"{one['name']}: {one['damaged']}" if "damaged" in one else _line(one))
    if not told + left:
        print_line(f"no backup in {root} yet")


@app.command("verify", epilog=VERIFY_EXAMPLES)
def verify(context: typer.Context, backup: BackupArgument, *, as_json: JsonOption = False) -> None:
    """Read a backup back, and compare it with what it says of itself."""
    from adapters.backup.keeping import look
    from adapters.clock import SystemClock
    from emp.narration import Narrator

    found = _installation(context)
    folder = _folder(found, backup)
    with Narrator(debug=invocation(context).debug) as narrator:
        checked = look(found, folder, SystemClock(), narrator.step)
    told = {"path": str(folder), "whole": not checked.problems, "problems": list(checked.problems)}
    if as_json:
        print_json(told | checked.manifest.summary())
    checked.demand_whole()
    if not as_json:
        print_line(f"whole: {_line(checked.manifest.summary())}")


@app.command("restore", epilog=RESTORE_EXAMPLES)
def restore(
    context: typer.Context,
    backup: BackupArgument,
    *,
    into: Annotated[
        Path | None,
        typer.Option(metavar="DATA_DIR", help="Make an installation of files in this folder."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "--yes", help="What the installation holds may go.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only verify, and say what would be done.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a backup in place of an installation."""
    from adapters.backup.keeping import put_back
    from adapters.backup.restoring import restore as put_in_place
    from adapters.clock import SystemClock
    from emp.narration import Narrator

    found, clock = _installation(context), SystemClock()
    folder = _folder(found, backup)
    if into is not None:
        found = _apart(found, into)
    with Narrator(debug=invocation(context).debug) as narrator:
        if dry_run:
            done = put_in_place(found, folder, clock.now(), narrator.step, dry_run=True)
        else:
            done = put_back(found, folder, clock, narrator.step, overwrite=overwrite)
    told: dict[str, Any] = {
        "action": "dry-run" if dry_run else "restore",
        "mode": str(found.mode),
        "into": str(found.settings.data_dir.resolve()),
        "replaced": done.replaced,
        "aside": list(done.aside),
        "backup": done.manifest.summary(),
    }
    if as_json:
        print_json(told)
        return
    did = "would be put in place of" if dry_run else "is in place of"
    print_line(f"{_line(told['backup'])} {did} the {found.mode} installation of {told['into']}")
    if done.replaced:
        print_line(f"  it held {', '.join(f'{n} of {name}' for name, n in done.replaced.items())}")
    for path in done.aside:
        print_line(f"  laid aside: {path}")


def _installation(context: typer.Context) -> Installation:
    from adapters.modes import decide

    return decide(settings_of(context))


def _apart(found: Installation, folder: Path) -> Installation:
    """An installation of files: one beside another must not share its servers or its bucket."""
    from adapters.modes import decide
    from adapters.settings import Mode

    apart = {"data_dir": folder, "mode": Mode.BOOTSTRAP, "lake_uri": None}
    return decide(found.settings.model_copy(update=apart))


def _folder(found: Installation, backup: Path) -> Path:
    """A folder as it was named, or the backup of that name."""
    root = found.settings.backup_dir
    named = root / backup if root is not None and len(backup.parts) == 1 else backup
    return (named if named.exists() else backup).resolve()


def _tell(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
    elif "name" in told:
        print_line(f"{_line(told)}: {told['path']}")
        if told["removed"]:
            print_line(f"  removed: {', '.join(told['removed'])}")
    else:
        print_line(f"{told['path']} would hold")
        for part, count in told["rows"].items():
            print_line(f"  {count:,} rows of {part}")


def _line(told: dict[str, Any]) -> str:
    from emp.backfills import size, span

    return (
        f"{told['name']} of {told['created_at'][:19]}: {told['rows']:,} rows, {told['payloads']:,} "
        f"payloads, {size(told['bytes'])} ({size(told['bytes_copied'])} new) in "
        f"{span(told['seconds'])}"
    )
