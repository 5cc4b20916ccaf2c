"""Files of the configuration folder: which one is read, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from adapters.configuration import own_or_shipped
from adapters.settings import PROJECT, Settings
from adapters.vendors.table import load_vendor_table
from market_data.errors import ConfigurationError


def test_a_file_of_its_own_goes_before_the_shipped_one(tmp_path: Path) -> None:
    settings = Settings(config_dir=tmp_path)
    assert own_or_shipped(settings, "alerts.yaml") == PROJECT / "config" / "alerts.yaml"
    (tmp_path / "alerts.yaml").touch()
    assert own_or_shipped(settings, "alerts.yaml") == tmp_path / "alerts.yaml"


def test_all_that_is_wrong_is_said_with_its_key_in_plain_words(tmp_path: Path) -> None:
    shipped = yaml.safe_load((PROJECT / "config" / "reference" / "vendors.yaml").read_text())
    entry = shipped["vendors"][0]
    path = tmp_path / "vendors.yaml"

    def refused(*entries: object) -> str:
        path.write_text(yaml.safe_dump({"vendors": list(entries)}))
        with pytest.raises(ConfigurationError) as caught:
            load_vendor_table(Settings(reference_dir=tmp_path))
        return str(caught.value)

    assert refused(entry, entry) == f"{path}: file: listed twice: {entry['name']}"
    first, second = refused({**entry, "tier": 7, "cost": ""}).removeprefix(f"{path}: ").split("; ")
    assert first.startswith("vendors.0.tier: ")
    assert second.startswith("vendors.0.cost: ")
