"""Everything that is wrong with an installation before it starts, and what is worth knowing.

What belongs here: going through all variables and configuration files without stopping at the
first fault; nothing is opened, nothing stays.
What does not: the rules of each class (with its adapter), those of the servers (modes.py).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches

from pydantic_settings import BaseSettings

from adapters.alerts.configuration import load_alert_rules
from adapters.automation import load_automation
from adapters.configuration import load_expectations, load_thresholds, load_universe
from adapters.dagster_storage import DagsterStorageSettings
from adapters.failover import load_failover
from adapters.modes import check, settings_classes
from adapters.operations_limits import load_operations_limits
from adapters.other_variables import OTHERS
from adapters.retention import load_data_retention
from adapters.settings import Mode, Settings
from adapters.variables import Problem, read_all, variables_of
from adapters.vendors.registry import VENDOR_SETTINGS
from market_data.calendars import check_calendars
from market_data.errors import ConfigurationError
from market_data.universe import Universe

_OF_TESTS = "EMP_TEST_"
_OF_OTHERS = ("AWS_", "SPARK_")
"""Other programs have many variables of these beginnings: one is noted where it nearly is one that
is read here."""


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes:
        mode: that was examined for; None where EMP_MODE is wrong, and all modes were.
        problems: that keep the installation from starting.
        lacks: what institutional mode lacks where auto does without it.
        notes: on variables that are odd, none of which keeps anything from starting.
    """

    mode: Mode | None
    problems: list[Problem] = field(default_factory=list)
    lacks: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


def examine(wanted: Mode | None = None) -> Examination:
    """All variables of the environment and the configuration files.

    Args:
        wanted: the mode to examine for; that of EMP_MODE where None.
    """
    reading = read_all(Settings)
    settings = reading.of(*(name for v in variables_of(Settings) for name in v.names))
    known = wanted is not None or reading.nothing_against("EMP_MODE")
    mode = (wanted or settings.mode) if known else None
    servers = [] if mode is Mode.BOOTSTRAP else check(settings)[0]
    vendors = [problem for kind in VENDOR_SETTINGS for problem in read_all(kind).problems]
    problems = [*reading.problems, *_data_folder(settings), *_files(settings), *vendors]
    if mode is Mode.AUTO:
        return Examination(mode, problems, servers, list(_notes(in_servers=not servers)))
    notes = _notes(in_servers=mode is Mode.INSTITUTIONAL)
    return Examination(mode, [*problems, *servers], notes=list(notes))


def _data_folder(settings: Settings) -> Iterator[Problem]:
    """Whether the folder of all data can be written, or made where it is not there."""
    folder = settings.data_dir.absolute()
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=".emp-check-", dir=nearest):
            pass
    except OSError as error:
        doing = "be written" if nearest == folder else "be made"
        told = f"{settings.data_dir} cannot {doing}: {error.strerror}; name another folder"
        yield Problem("EMP_DATA_DIR", told)


def _files(settings: Settings) -> Iterator[Problem]:
    files = (
        (_universe, "universe.yaml"),
        (load_thresholds, "quality.yaml"),
        (load_expectations, "expectations.yaml"),
        (load_alert_rules, "alerts.yaml"),
        (load_operations_limits, "operations.yaml"),
        (load_automation, "automation.yaml"),
        (load_failover, "failover.yaml"),
        (load_data_retention, "retention.yaml"),
    )
    for load, name in files:
        try:
            load(settings)
        except ConfigurationError as error:
            yield Problem(name, str(error))


def _universe(settings: Settings) -> Universe:
    """Instruments, vendors and calendars, each changed calendar with its sessions built."""
    universe = load_universe(settings, refresh=True)
    check_calendars(universe.calendars)
    return universe


def _notes(*, in_servers: bool) -> Iterator[Problem]:
    if in_servers:
        reading = read_all(DagsterStorageSettings)
        if reading.settings is not None and not reading.settings.configured:
            told = "not set: Dagster's own records lie in SQLite, below EMP_DATA_DIR or "
            told += "where DAGSTER_HOME says"
            yield Problem("DAGSTER_POSTGRES_HOST", told)
    yield from _unread(settings_classes())


def _unread(classes: list[type[BaseSettings]]) -> Iterator[Problem]:
    """Variables that are called like the platform's and that nothing reads."""
    prefixes = tuple(str(kind.model_config.get("env_prefix")) for kind in classes)
    read_here = {name for kind in classes for v in variables_of(kind) for name in v.names}
    known = read_here | set(OTHERS)
    for name in sorted(os.environ):
        if name.startswith(_OF_TESTS) or not name.startswith(prefixes):
            continue
        if name not in known:
            nearest = get_close_matches(name, sorted(known), n=1, cutoff=_cutoff(name))
            if name.startswith(_OF_OTHERS) and not nearest:
                continue
            meant = f"; is {nearest[0]} meant?" if nearest else ""
            yield Problem(name, f"nothing reads it{meant}")


def _cutoff(name: str) -> float:
    return 0.9 if name.startswith(_OF_OTHERS) else 0.6
