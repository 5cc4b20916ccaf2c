"""Reads config/automation.yaml: what runs by itself, and when.

What belongs here: the file to a policy, with an error that names the key. What does not: its
meaning (market_data/automation/policy.py).
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from adapters.configuration import load_rules, own_or_shipped
from adapters.kept_open import place_of
from adapters.settings import Settings
from market_data.automation.policy import AutomationPolicy

NAME = "automation.yaml"


def load_automation(settings: Settings) -> AutomationPolicy:
    """The policy of an installation; a file that has not changed is not read again.

    Raises:
        ConfigurationError: naming the file, the key, and what is wrong.
    """
    file = own_or_shipped(settings, NAME)
    if not file.exists():
        return load_rules(settings, NAME, AutomationPolicy)
    found = file.stat()
    return _read(settings, (place_of(file), found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=8)
def _read(settings: Settings, state: Hashable) -> AutomationPolicy:  # noqa: ARG001  it is the key
    return load_rules(settings, NAME, AutomationPolicy)
