"""The `emp` command line, assembled.

What belongs here: which commands there are, the options before them, how an error leaves.
What does not: what a command does; each has a file in emp/commands, which loads what is heavy only
when it runs.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, TyperException

from emp.commands import (
    actions,
    alerts,
    annotate,
    automation,
    backfill,
    backup,
    bars,
    budget,
    config,
    connectors,
    coverage,
    demo,
    dev,
    doctor,
    export,
    export_status,
    failed,
    failover,
    features,
    files,
    health,
    inbox,
    ingest,
    ingest_once,
    kafka,
    lake,
    macro,
    messages,
    migrate,
    migrate_store,
    outages,
    purge,
    quality,
    quarantine,
    readiness,
    reference,
    rehearse,
    report,
    retention,
    summary,
    vendors,
)
from emp.commands import run as run_slices
from emp.invocation import Invocation, with_common_options_first
from market_data.errors import (
    BootstrapModeWarning,
    MarketDataError,
    MissingFeaturesWarning,
    NoVersionsWarning,
    StoreAwayWarning,
    UnjudgedBarsWarning,
    UnknownActionsWarning,
    WithheldBarsWarning,
)

TOLD = (
    UnknownActionsWarning,
    WithheldBarsWarning,
    BootstrapModeWarning,
    StoreAwayWarning,
    UnjudgedBarsWarning,
    MissingFeaturesWarning,
    NoVersionsWarning,
)
"""Warnings that a person at a command line is told."""

EPILOG = """
Environment: EMP_DATA_DIR folder of all data (default: data/ in the repository) |
EMP_LAKE_URI s3://bucket/prefix: lake and files of the warehouse lie there |
EMP_CONFIG_DIR folder of universe.yaml, quality.yaml, formats/ (default: config/) |
EMP_REFERENCE_DIR folder of calendars and instruments (default: reference/ in EMP_CONFIG_DIR) |
EMP_UI_PORT port of the UI (default: 3000) |
EMP_WARM_RUNS 0: runs of a code server begin in a Python of their own (default: 1) |
EMP_MODE bootstrap: files, no server (the default); institutional: servers; auto |
EMP_OPERATIONS_URL PostgreSQL of institutional mode |
EMP_BACKUP_DIR folder of backups, best on another disk |
EMP_BACKUP_KEEP how many of the newest backups stay (default: all) |
EMP_EXPORT_ENGINE spark (the default) or polars, which needs no Java |
EMP_EXPORT_DIR folder of exports (default: exports/ below EMP_DATA_DIR) |
EMP_EXPORT_KEEP_HOURS hours for which replaced files of an export stay (default: 48) |
EMP_YAHOO_URL replaces Yahoo's address, for a proxy or a test |
EMP_REQUEST_PATIENCE seconds that a request to a vendor waits for its turn (default: 90) |
EMP_REQUEST_MARGIN seconds that a request may be on its way to a vendor (default: 150) |
DAGSTER_HOME folder of Dagster's records (default: dagster/ below EMP_DATA_DIR).

--env-file, --extra and --debug may stand before a command's name or after it.

Exit status: 0 fine, 1 a failure or a wrong option, 2 only with --fail-on-quality.
"""

app = typer.Typer(
    name="emp",
    help="Ingest, curate, check and read market data.",
    epilog=EPILOG,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def options(
    context: typer.Context,
    env_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File of NAME=value lines; the environment goes first."),
    ] = None,
    extra: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A variable; goes before the environment."),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show Dagster's log and whole tracebacks.")
    ] = False,
) -> None:
    """Ingest, curate, check and read market data."""
    called = context.ensure_object(Invocation)
    called.env_file = env_file
    called.extra = extra or ()
    called.debug = debug
    called.load_environment()


app.command("ingest", epilog=ingest.EXAMPLES)(ingest.ingest)
app.command("bars", epilog=bars.EXAMPLES)(bars.bars)
app.add_typer(quality.app, name="quality")
app.command("health", epilog=health.EXAMPLES)(health.health)
app.command("coverage", epilog=coverage.EXAMPLES)(coverage.coverage)
app.command("outages", epilog=outages.EXAMPLES)(outages.outages)
app.command("failed", epilog=failed.EXAMPLES)(failed.failed)
app.command("purge", epilog=purge.EXAMPLES)(purge.purge)
app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("dev", epilog=dev.EXAMPLES)(dev.dev)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.command("migrate", epilog=migrate.EXAMPLES)(migrate.migrate)
app.command("migrate-store", epilog=migrate_store.EXAMPLES)(migrate_store.migrate_store)
app.command("connectors", epilog=connectors.EXAMPLES)(connectors.connectors)
app.command("readiness", epilog=readiness.EXAMPLES)(readiness.readiness)
app.command("ingest-once", epilog=ingest_once.EXAMPLES)(ingest_once.ingest_once)
app.command("rehearse", epilog=rehearse.EXAMPLES)(rehearse.rehearse)
app.command("summary", epilog=summary.EXAMPLES)(summary.summary)
app.command("export-status", epilog=export_status.EXAMPLES)(export_status.export_status)
app.command("run", epilog=run_slices.EXAMPLES)(run_slices.run)
app.command("vendors", epilog=vendors.EXAMPLES)(vendors.vendors)
app.add_typer(budget.app, name="budget")
app.add_typer(config.app, name="config")
app.add_typer(features.app, name="features")
app.add_typer(files.app, name="files")
app.add_typer(kafka.app, name="kafka")
app.add_typer(lake.app, name="lake")
app.add_typer(actions.app, name="actions")
app.add_typer(alerts.app, name="alerts")
app.add_typer(annotate.app, name="annotate")
app.add_typer(automation.app, name="automation")
app.add_typer(backfill.app, name="backfill")
app.add_typer(backup.app, name="backup")
app.add_typer(export.app, name="export")
app.add_typer(failover.app, name="failover")
app.add_typer(inbox.app, name="inbox")
app.add_typer(messages.app, name="messages")
app.add_typer(reference.app, name="reference")
app.add_typer(macro.app, name="macro")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(report.app, name="report")
app.add_typer(retention.app, name="retention")


@cache
def command() -> Any:
    """All commands as Typer runs them, made once in a process: they keep nothing of a call."""
    return typer.main.get_command(app)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit status.

    An error that the platform raises on purpose, or a wrong option, becomes one line on stderr and
    status 1, so that 2 can only mean what --fail-on-quality says.
    """
    called = Invocation()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warned
            status = command().main(
                args=with_common_options_first(arguments) or ["--help"],
                prog_name="emp",
                standalone_mode=False,
                obj=called,
            )
    except MarketDataError as error:
        if called.debug:
            raise
        return _complain(str(error))
    except TyperException as error:
        return _complain(f"{error.format_message()} ('emp --help' lists commands and options)")
    except (Abort, KeyboardInterrupt):
        return _complain("stopped") + 129
    except BrokenPipeError:
        # The reader, `head` for instance, has seen enough.
        sys.stderr.close()
        return 0
    except Exception as error:
        told = None if called.debug else _of_a_disk(error)
        if told is None:
            raise
        return _complain(told)
    return status if isinstance(status, int) else 0


def _of_a_disk(error: Exception) -> str | None:
    """What a person is told of a disk that takes no more; Dagster's own files lie on one, too."""
    from adapters.disk import told_of_a_disk

    return told_of_a_disk(error)


def _warned(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """A warning of the platform in one line; those of libraries are not for users of commands."""
    if issubclass(category, TOLD):
        sys.stderr.write(f"emp: note: {' '.join(str(message).split())}\n")


def _complain(message: str) -> int:
    sys.stderr.write(f"emp: {' '.join(message.split())}\n")
    return 1


def main() -> None:
    """The `emp` program."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As on stderr: names of files may be no text, and whoever prints one must not die of it.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))
