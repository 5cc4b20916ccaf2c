"""Reads config/operations.yaml: from when on the installation itself counts as in trouble.

What belongs here: the file to limits, with an error that names the key. What does not: their
meaning (market_data/operations/limits.py).
"""

from __future__ import annotations

from pydantic import ValidationError

from adapters.configuration import own_or_shipped, problems, read_yaml
from adapters.settings import Settings
from market_data.errors import ConfigurationError
from market_data.operations.limits import OperationsLimits


def load_operations_limits(settings: Settings) -> OperationsLimits:
    """The limits of an installation.

    Raises:
        ConfigurationError: naming the file, the key, and what is wrong.
    """
    path = own_or_shipped(settings, "operations.yaml")
    try:
        return OperationsLimits.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {problems(error)}") from error
