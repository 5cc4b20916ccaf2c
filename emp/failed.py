"""The standing inventory of failed sessions, for the command line.

What belongs here: putting together what the platform and Dagster's records know. What does not:
what counts as failed (market_data/operations/failed_sessions.py), showing (emp/commands/failed.py).
"""

from __future__ import annotations

from adapters.backend import open_platform
from adapters.settings import Settings
from emp.platforms import lake_instead
from emp.run import quiet_dagster
from market_data.errors import StoreUnavailableError
from market_data.operations.failed_sessions import Failed


def failed(settings: Settings, *, days: int) -> list[Failed]:
    """What is failed now.

    Args:
        settings: of the installation.
        days: scores of the sessions of so many days count.

    Raises:
        ConfigurationError: a setting or a configuration file is wrong.
        StoreUnavailableError: the warehouse does not answer, and does not count as away.

    Warns:
        StoreAwayWarning: it is away: the lake's bars were scored now.
    """
    quiet_dagster()
    from definitions import build_definitions
    from emp.instance import open_instance
    from market_data.pipeline.failed_now import failed_now
    from resources.partition_states import failed_sessions

    graph = build_definitions(settings).resolve_asset_graph()
    keys = [node.key for node in graph.asset_nodes if node.partitions_def is not None]
    with open_instance(settings) as instance:
        attempts = failed_sessions(instance, keys)
    platform = open_platform(settings)
    try:
        return failed_now(platform, attempts, days=days)
    except StoreUnavailableError as error:
        return failed_now(lake_instead(platform, settings, error), attempts, days=days)
