"""Reads config/automation.yaml: what runs by itself, and when.

What belongs here: the file to a policy, with an error that names the key. What does not: its
meaning (market_data/automation/policy.py).
"""

from __future__ import annotations

from pydantic import ValidationError

from adapters.configuration import own_or_shipped, problems, read_yaml
from adapters.settings import Settings
from market_data.automation.policy import AutomationPolicy
from market_data.errors import ConfigurationError


def load_automation(settings: Settings) -> AutomationPolicy:
    """The policy of an installation.

    Raises:
        ConfigurationError: naming the file, the key, and what is wrong.
    """
    path = own_or_shipped(settings, "automation.yaml")
    try:
        return AutomationPolicy.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {problems(error)}") from error
