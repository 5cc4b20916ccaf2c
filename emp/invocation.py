"""What the options before a command's name say, and the settings and the platform that follow.

What belongs here: --env-file, --extra and --debug. What does not: options of commands.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.settings import Settings
    from market_data.pipeline.platform import Platform

COMMON = ("--env-file", "--extra")
"""Options with a value that every command takes, before its name or after it."""
COMMON_FLAGS = ("--debug",)
"""The same for options without one."""


@dataclass
class Invocation:
    """One call of the command line."""

    env_file: Path | None = None
    extra: Sequence[str] = ()
    debug: bool = False

    def load_environment(self) -> None:
        """Take over the variables that the options give.

        --extra goes before the environment, and the environment before the file.

        Raises:
            ConfigurationError: there is no such file, or an --extra is not NAME=VALUE.
        """
        for pair in self.extra:
            name, given, value = pair.partition("=")
            if not given or not name.isidentifier():
                # Not repeated: it may be a secret whose name was forgotten.
                raise ConfigurationError("--extra takes NAME=VALUE, for instance EMP_MODE=auto")
            os.environ[name] = value
        if self.env_file is None:
            return
        from dotenv import dotenv_values

        if not self.env_file.is_file():
            raise ConfigurationError(f"--env-file: there is no file {self.env_file}")
        for known, stated in dotenv_values(self.env_file).items():
            if stated is not None:
                os.environ.setdefault(known, stated)


def with_common_options_first(arguments: Sequence[str]) -> list[str]:
    """A command line whose common options may stand anywhere before a lone "--"."""
    first: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in COMMON:
            first += [word, *islice(words, 1)]
        elif word in COMMON_FLAGS or word.partition("=")[0] in COMMON:
            first.append(word)
        else:
            rest.append(word)
    return first + rest


def invocation(context: typer.Context) -> Invocation:
    """The call that a command belongs to."""
    return context.ensure_object(Invocation)


def settings_of(_context: typer.Context) -> Settings:
    """The settings of the environment.

    Warns:
        BootstrapModeWarning: EMP_MODE=auto comes to bootstrap mode, whatever the command goes on
            to open.

    Raises:
        ConfigurationError: a variable has a value that does not fit.
    """
    from adapters.modes import decide
    from adapters.settings import Mode
    from emp.platforms import installation

    found = installation(None)
    if found.mode is Mode.AUTO:
        decide(found)
    return found


def platform_for(context: typer.Context) -> Platform:
    """The platform of the environment's installation; warns and raises as `settings_of`."""
    from adapters.backend import open_platform

    return open_platform(settings_of(context))
