"""What the options before a command's name say, and the settings that follow.

What belongs here: --env-file and --debug. What does not: options of commands.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.settings import Settings


@dataclass
class Invocation:
    """One call of the command line."""

    env_file: Path | None = None
    debug: bool = False

    def load_environment(self) -> None:
        """Take over the variables of the file; what the environment already says stays.

        Raises:
            ConfigurationError: there is no such file.
        """
        if self.env_file is None:
            return
        from dotenv import dotenv_values

        if not self.env_file.is_file():
            raise ConfigurationError(f"--env-file: there is no file {self.env_file}")
        for name, value in dotenv_values(self.env_file).items():
            if value is not None:
                os.environ.setdefault(name, value)


def invocation(context: typer.Context) -> Invocation:
    """The call that a command belongs to."""
    return context.ensure_object(Invocation)


def settings_of(_context: typer.Context) -> Settings:
    """The settings of the environment.

    Raises:
        ConfigurationError: a variable has a value that does not fit.
    """
    from emp.platforms import installation

    return installation(None)
