"""Reads config/operations.yaml: from when on the installation itself counts as in trouble.

What belongs here: the file to limits, with an error that names the key. What does not: their
meaning (market_data/operations/limits.py).
"""

from __future__ import annotations

from adapters.configuration import load_rules
from adapters.settings import Settings
from market_data.operations.limits import OperationsLimits


def load_operations_limits(settings: Settings) -> OperationsLimits:
    """The limits of an installation.

    Raises:
        ConfigurationError: naming the file, the key, and what is wrong.
    """
    return load_rules(settings, "operations.yaml", OperationsLimits)
