"""`emp dev`: the Dagster UI, webserver and daemon, on localhost."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from emp.invocation import settings_of

EXAMPLES = """
Examples:\n
  emp dev\n
  EMP_DATA_DIR=/data/emp emp dev --port 3100
"""


def dev(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port on 127.0.0.1; else EMP_UI_PORT.")
    ] = None,
) -> None:
    """Open the UI; Ctrl-C ends it. Runs of 'emp ingest' and 'emp demo' appear in it."""
    from emp.instance import WORKSPACE_FILE, open_instance, prepare_home
    from resources.event_batches import SIZE, VARIABLE

    settings = settings_of(context)
    # Webserver and daemon start at once, and must find the databases of the instance made.
    with open_instance(settings):
        pass
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(prepare_home(settings)),
        # The processes that load the graph run in another folder.
        "EMP_DATA_DIR": str(settings.data_dir.resolve()),
        "EMP_CONFIG_DIR": str(settings.config_dir.resolve()),
    }
    environment.setdefault(VARIABLE, SIZE)
    chosen = port or settings.ui_port
    sys.stderr.write(f"opening http://127.0.0.1:{chosen}, data in {settings.data_dir.resolve()}\n")
    sys.stderr.flush()
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(WORKSPACE_FILE)]
    command += ["-h", "127.0.0.1", "-p", str(chosen)]
    # The UI takes the place of this process, so that signals reach it.
    os.execve(sys.executable, command, environment)  # noqa: S606  no shell is wanted
