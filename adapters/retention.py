"""Reads config/retention.yaml: how much history has to be there, and what of it may go.

What belongs here: the file to a policy, with an error that names the key. What does not: its
meaning (market_data/retention).
"""

from __future__ import annotations

from adapters.configuration import load_rules
from adapters.settings import Settings
from market_data.retention.policy import DataRetention


def load_data_retention(settings: Settings) -> DataRetention:
    """The policy of an installation.

    Raises:
        ConfigurationError: naming the file, the key, and what is wrong.
    """
    return load_rules(settings, "retention.yaml", DataRetention)
