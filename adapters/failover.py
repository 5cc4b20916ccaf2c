"""Reads config/failover.yaml: when the warehouse counts as away, and what then.

What belongs here: the file to a policy, with an error that names the key. What does not: its
meaning (market_data/failover/policy.py).
"""

from __future__ import annotations

from adapters.configuration import load_rules
from adapters.settings import Settings
from market_data.failover.policy import FailoverPolicy


def load_failover(settings: Settings) -> FailoverPolicy:
    """The policy of an installation.

    Raises:
        ConfigurationError: naming the file, the key, and what is wrong.
    """
    return load_rules(settings, "failover.yaml", FailoverPolicy)
