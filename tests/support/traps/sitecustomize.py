"""Holds a process of a test at one place of the program, until it is killed there.

What belongs here: the places. What does not: who is killed when (tests). A process that has this
folder in PYTHONPATH loads this file as it starts; EMP_TEST_TRAPS names another folder. Whoever
comes to a place for which a file of its name lies there writes one more, NAME.reached, and goes no
further.
"""

import functools
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

PLACES = {
    # What is called there, by the module that calls it; whether it is held after the call.
    "adapters.kafka.refresh": ("recorded", "RefreshReader.recorded", False),
    "dagster._core.instance.instance": ("submitted", "DagsterInstance.submit_run", True),
    "jobs.take_in_files": ("landed", "clear", False),
}
JOB = "take_in_files"


class Traps(MetaPathFinder):
    """Sets the trap of a module as soon as that is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's own, whose loader sets the trap; None for all others."""
        if fullname not in PLACES:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = functools.partial(_loaded, spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


def _loaded(load: Callable[[ModuleType], None], module: ModuleType) -> None:
    load(module)
    name, called, afterwards = PLACES[module.__name__]
    *above, last = called.split(".")
    owner: Any = functools.reduce(getattr, above, module)
    setattr(owner, last, _held(name, getattr(owner, last), afterwards=afterwards))


def _held(name: str, call: Callable[..., Any], *, afterwards: bool) -> Callable[..., Any]:
    @functools.wraps(call)
    def held(*positional: Any, **named: Any) -> Any:
        found = call(*positional, **named) if afterwards else None
        folder = Path(os.environ["EMP_TEST_TRAPS"])
        if (folder / name).exists() and getattr(found, "job_name", JOB) == JOB:
            (folder / f"{name}.reached").touch()
            time.sleep(3600)
        return found if afterwards else call(*positional, **named)

    return held


sys.meta_path.insert(0, Traps())
