"""The platform as notebooks and commands open it.

What belongs here: the settings of the environment, the ordinary platform, and the one of a
rehearsal, which leaves the data folder as it is.
What does not: which adapter stands behind which port (adapters/backend.py).
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from adapters.backend import assemble, open_platform
from adapters.macro_releases import macro_releases_path
from adapters.modes import decide
from adapters.operations_opening import open_operations
from adapters.reference_files import configuration_paths
from adapters.settings import Settings
from adapters.stores.opening import open_lake, open_warehouse
from adapters.variables import read
from market_data.errors import StoreAwayWarning, StoreUnavailableError
from market_data.failover.state import Standing
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe
from market_data.universe import Universe


def installation(settings: Settings | None) -> Settings:
    """The settings given, else those of the environment.

    Raises:
        ConfigurationError: a variable has a value that does not fit; the message names it.
    """
    return settings if settings is not None else read(Settings)


def platform_of(settings: Settings | None) -> Platform:
    """The platform of an installation, kept open until its configuration changes.

    Raises:
        ConfigurationError: naming the variable, or the file and the entry, that is wrong.
    """
    found = installation(settings)
    files = (
        found.config_dir / "quality.yaml",
        found.config_dir / "expectations.yaml",
        macro_releases_path(found),
        *configuration_paths(found),
    )
    return _opened(found, tuple(f.stat().st_mtime_ns if f.exists() else 0 for f in files))


@lru_cache(maxsize=4)
def _opened(settings: Settings, _written: tuple[int, ...]) -> Platform:
    """One platform per installation, opened again when its configuration was written."""
    return open_platform(settings)


def lake_instead(
    platform: Platform,
    settings: Settings | None,
    error: StoreUnavailableError,
    timeframes: Sequence[Timeframe] = tuple(Timeframe),
) -> Platform:
    """The platform to ask again after the warehouse did not answer: whoever reads it is told.

    Args:
        platform: that was asked.
        settings: of the installation.
        error: what was raised.
        timeframes: whose flags and scores the reader needs; fewer take less time.

    Returns:
        The same platform, which makes of the lake what the warehouse would tell.

    Raises:
        StoreUnavailableError: the warehouse does not count as away, or not yet.

    Warns:
        StoreAwayWarning: at who called the caller.
    """
    from adapters.retention import load_data_retention
    from market_data.pipeline.from_lake import LakeStore

    found = decide(installation(settings))
    decided = open_operations(found.operations_url, kept=True).failover.decisions(1)
    if not decided or decided[0].became is not Standing.AWAY:
        raise StoreUnavailableError(
            f"{error}; it does not count as away, as 'emp failover status' shows: until it does, "
            "the lake answers for bars as of a moment alone (--as-of, as_of=)"
        ) from error
    away = f"TimescaleDB is away since {decided[0].at:%Y-%m-%d %H:%M} UTC"
    warnings.warn(
        f"{away}: what it keeps was made anew from the lake, which takes longer; 'emp failover "
        "status' tells more",
        StoreAwayWarning,
        stacklevel=3,
    )
    why, retention = f"{away} ('emp failover status')", load_data_retention(installation(settings))
    return LakeStore(platform, why, timeframes, retention).platform


@contextmanager
def rehearsal(settings: Settings, universe: Universe) -> Iterator[Platform]:
    """A platform that knows the ledger and a given universe, and writes nothing.

    Where there is no operations database yet, an empty one elsewhere stands in for it.
    """
    found = decide(settings)
    if found.servers is not None:
        yield open_platform(settings, universe=universe)
        return
    database = Path(settings.local_operations_url.removeprefix("sqlite:///"))
    with tempfile.TemporaryDirectory(prefix="emp-rehearsal-") as elsewhere:
        url = (
            settings.local_operations_url
            if database.exists()
            else f"sqlite:///{Path(elsewhere) / database.name}"
        )
        yield assemble(
            settings,
            lake=open_lake(settings.lake_place),
            store=open_warehouse(settings.warehouse_place),
            operations=open_operations(url),
            universe=universe,
        )
