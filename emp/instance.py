"""Dagster's own records: the instance that runs of the command line and of the UI share.

What belongs here: its folder and its settings file.
What does not: running (emp/run.py), the UI's processes (emp/commands/dev.py).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.dagster_storage import DagsterStorageSettings
from adapters.migration_turn import TURN
from adapters.modes import decide
from adapters.settings import PROJECT, Mode, Settings
from adapters.variables import read
from market_data.errors import ConfigurationError, StorageError

if TYPE_CHECKING:
    import dagster as dg

INSTANCE_FILE = PROJECT / "dagster.yaml"
SERVER_INSTANCE_FILE = PROJECT / "docker" / "dagster.yaml"
WORKSPACE_FILE = PROJECT / "workspace.yaml"


def prepare_home(settings: Settings) -> Path:
    """The folder of the instance, there and with a dagster.yaml in it.

    A folder that DAGSTER_HOME names belongs to its owner: a dagster.yaml in it stays as it is. One
    below the data folder always carries one of the repository: in institutional mode that of
    PostgreSQL, where DAGSTER_POSTGRES_* name a server.

    Raises:
        ConfigurationError: a setting is missing or wrong; the message names it.
    """
    named = os.environ.get("DAGSTER_HOME")
    on_server = not named and _on_server(settings)
    home = Path(named).expanduser().resolve() if named else settings.dagster_home
    if on_server:
        # Beside the records of bootstrap mode, which stay what they are.
        home = home.with_name(f"{home.name}-postgresql")
        os.environ.setdefault("DAGSTER_COMPUTE_LOGS", str(home / "storage"))
    home.mkdir(parents=True, exist_ok=True)
    target = home / "dagster.yaml"
    wanted = (SERVER_INSTANCE_FILE if on_server else INSTANCE_FILE).read_bytes()
    if not target.exists() or (not named and target.read_bytes() != wanted):
        draft = home / f".dagster.yaml.{os.getpid()}"
        draft.write_bytes(wanted)
        draft.replace(target)
    return home


def _on_server(settings: Settings) -> bool:
    """Whether Dagster's own records lie in PostgreSQL."""
    if decide(settings).mode is not Mode.INSTITUTIONAL:
        return False
    return read(DagsterStorageSettings).configured


def _of_the_server(error: BaseException | None) -> str:
    """What a person is told where PostgreSQL is behind an error; empty where it is not.

    Dagster tries for a while, and then raises what names the server's own words as its cause. These
    hold a user and a host, and no password.
    """
    while error is not None:
        said = getattr(error, "orig", None)
        if type(said).__module__.startswith("psycopg"):
            words = " ".join(str(said).partition("\nLINE ")[0].split())
            return (
                f"Dagster's records in PostgreSQL cannot be used: {words}; look at the server, and "
                "at DAGSTER_POSTGRES_*"
            )
        error = error.__cause__ or error.__context__
    return ""


def _not_set(error: Exception, home: str) -> str:
    """What a person is told where dagster.yaml takes from the environment what is not there."""
    names = sorted(set(re.findall(r'environment variable "(\w+)" which is not set', str(error))))
    if not names:
        return ""
    return (
        f"{home}/dagster.yaml takes {', '.join(names)} from the environment, where nothing is: set "
        "it, or name the folder of another dagster.yaml by DAGSTER_HOME"
    )


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance of an installation; use it as a context manager.

    Of several processes that open a new one, the first makes its databases: Dagster's migrations
    of one SQLite file from two processes at once can leave it unusable for good.

    Raises:
        StorageError: the PostgreSQL server of the records is away, or refuses.
        ConfigurationError: dagster.yaml names variables that are not set.
    """
    import dagster as dg
    from filelock import FileLock

    home, named = str(prepare_home(settings)), os.environ.get("DAGSTER_HOME")
    # The event log of dagster.yaml finds its folder by this variable, while it is built.
    os.environ["DAGSTER_HOME"] = home
    try:
        # A folder that may only be read names servers, which are this installation's own.
        folder = Path(home) if os.access(home, os.W_OK) else settings.data_dir
        with FileLock(folder / ".opening.lock"), TURN:
            instance = dg.DagsterInstance.from_config(home)
            # Each makes its database when it is looked at first.
            _ = instance.run_storage, instance.event_log_storage, instance.schedule_storage
            return instance
    except dg.DagsterInvalidConfigError as error:
        if told := _not_set(error, home):
            raise ConfigurationError(told) from error
        raise
    except Exception as error:
        if told := _of_the_server(error):
            raise StorageError(told) from error
        raise
    finally:
        if named is None:
            del os.environ["DAGSTER_HOME"]
        else:
            os.environ["DAGSTER_HOME"] = named
