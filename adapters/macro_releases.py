"""Reads config/reference/macro_releases.yaml.

What belongs here: the file to the parsed table. What does not: its meaning
(market_data/macro/releases.py).
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from adapters.configuration import problems, read_yaml
from adapters.settings import Settings
from market_data.errors import ConfigurationError
from market_data.macro.releases import MacroTable


def macro_releases_path(settings: Settings) -> Path:
    """Where the table lies, if there is one."""
    return (settings.reference_dir or settings.config_dir / "reference") / "macro_releases.yaml"


def load_macro_releases(settings: Settings) -> MacroTable:
    """The reviewed table of macro releases: reference/macro_releases.yaml of the configuration.

    An installation whose folder has no such file has no macro releases.

    Raises:
        ConfigurationError: naming the file, the entry and what is wrong with it.
    """
    path = macro_releases_path(settings)
    if not path.exists():
        return MacroTable()
    try:
        return MacroTable.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {problems(error)}") from error
