"""Reads config/operations.yaml: from when on the installation itself counts as in trouble.

What belongs here: the file to limits, with an error that names the key. What does not: their
meaning (market_data/operations/limits.py).
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from adapters.configuration import read_yaml
from adapters.settings import PROJECT, Settings
from market_data.errors import ConfigurationError
from market_data.operations.limits import OperationsLimits


def operations_path(settings: Settings) -> Path:
    """The file: that of the configuration folder, or the shipped one where it has none."""
    own = settings.config_dir / "operations.yaml"
    return own if own.exists() else PROJECT / "config" / "operations.yaml"


def load_operations_limits(settings: Settings) -> OperationsLimits:
    """The limits of an installation.

    Raises:
        ConfigurationError: naming the file, the key, and what is wrong.
    """
    path = operations_path(settings)
    try:
        return OperationsLimits.model_validate(read_yaml(path))
    except ValidationError as error:
        found = error.errors(include_url=False)
        told = "; ".join(
            f"{'.'.join(str(part) for part in e['loc']) or 'file'}: "
            f"{e['msg'].removeprefix('Value error, ')}"
            for e in found
        )
        raise ConfigurationError(f"{path}: {told}") from error
