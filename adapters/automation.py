"""Reads config/automation.yaml: what runs by itself, and when.

What belongs here: the file to a policy, with an error that names the key. What does not: its
meaning (market_data/automation/policy.py).
"""

from __future__ import annotations

from adapters.configuration import load_rules
from adapters.settings import Settings
from market_data.automation.policy import AutomationPolicy


def load_automation(settings: Settings) -> AutomationPolicy:
    """The policy of an installation.

    Raises:
        ConfigurationError: naming the file, the key, and what is wrong.
    """
    return load_rules(settings, "automation.yaml", AutomationPolicy)
