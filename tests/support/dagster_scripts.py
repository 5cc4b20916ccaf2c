"""Alembic's list of Dagster's migrations, read once in a process.

What belongs here: that list alone, which Dagster reads for every instance and every database that a
test has. What does not: this project's migrations, which are read each time.
"""

from __future__ import annotations

from typing import Any

import pytest

DAGSTER = "dagster:"
"""What Dagster's places of migrations begin with."""


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Let Alembic give out again what it has read of Dagster's package."""
    from alembic.script.base import ScriptDirectory

    read = ScriptDirectory.from_config
    kept: dict[tuple[str | None, str], ScriptDirectory] = {}

    def from_config(config: Any) -> ScriptDirectory:
        place = str(config.get_main_option("script_location"))
        if not place.startswith(DAGSTER):
            return read(config)
        key = config.config_file_name, place
        if key not in kept:
            kept[key] = read(config)
        return kept[key]

    ScriptDirectory.from_config = from_config  # type: ignore[method-assign,assignment]
