"""Reads config/automation.yaml: what runs by itself, and when.

What belongs here: the file to a policy, with an error that names the key. What does not: its
meaning (market_data/automation/policy.py).
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from adapters.configuration import read_yaml
from adapters.settings import PROJECT, Settings
from market_data.automation.policy import AutomationPolicy
from market_data.errors import ConfigurationError


def automation_path(settings: Settings) -> Path:
    """The file: that of the configuration folder, or the shipped one where it has none."""
    own = settings.config_dir / "automation.yaml"
    return own if own.exists() else PROJECT / "config" / "automation.yaml"


def load_automation(settings: Settings) -> AutomationPolicy:
    """The policy of an installation.

    Raises:
        ConfigurationError: naming the file, the key, and what is wrong.
    """
    path = automation_path(settings)
    try:
        return AutomationPolicy.model_validate(read_yaml(path))
    except ValidationError as error:
        found = error.errors(include_url=False)
        told = "; ".join(
            f"{'.'.join(str(part) for part in e['loc']) or 'file'}: "
            f"{e['msg'].removeprefix('Value error, ')}"
            for e in found
        )
        raise ConfigurationError(f"{path}: {told}") from error
