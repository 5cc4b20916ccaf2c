"""`emp migrate`: every database and topic of the installation, made and brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from emp.invocation import settings_of
from emp.output import print_line
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.modes import Installation, Servers

EXAMPLES = """
Examples:\n
  emp migrate\n
  emp migrate --dry-run --env-file production.env
"""
_OPERATIONS = "operations database"
_TIMESCALE = "TimescaleDB"


def migrate(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what is there and what would be migrated.")
    ] = False,
) -> None:
    """Make or migrate the operations database, TimescaleDB, topics and Dagster's records."""
    from adapters.operations import open_database
    from emp.instance import open_instance
    from emp.parts import installed

    found = installed(settings_of(context))
    if dry_run:
        _tell(found)
        return
    open_database(found.operations_url).dispose()
    print_line(f"{_OPERATIONS}: up to date")
    if found.servers is not None:
        from adapters.kafka.topics import provision
        from adapters.timescale.factory import open_connections

        open_connections(found.servers.timescale).close()
        print_line(f"{_TIMESCALE}: up to date")
        if found.servers.kafka.streaming:
            for topic in provision(found.servers.kafka):
                print_line(f"topic {topic.name}: {topic.state}")
    with open_instance(found.settings) as instance:
        instance.upgrade()
    print_line("Dagster's records: up to date")


def _tell(found: Installation) -> None:
    """What is there; changes nothing.

    Raises:
        ConfigurationError: tables are newer than this program, which cannot migrate them.
        MarketDataError: a server cannot be looked at.
    """
    from adapters.operations.database import existing_revision
    from adapters.operations.migration import HEAD, SCRIPTS
    from adapters.probes.revisions import Age, age_of, told
    from emp.parts import dagster_records

    revisions = {_OPERATIONS: (existing_revision(found.operations_url), HEAD, SCRIPTS)}
    if found.servers is not None:
        from adapters.probes.timescale import existing_revision as timescale_revision
        from adapters.timescale import migration

        stored = timescale_revision(found.servers.timescale)
        revisions[_TIMESCALE] = (stored, migration.HEAD, migration.SCRIPTS)
    ages = {name: age_of(*stated) for name, stated in revisions.items()}
    for name, (stored, head, _) in revisions.items():
        behind = ages[name] is Age.BEHIND
        outcome = "would be migrated" if behind else str(ages[name])
        print_line(f"{name}: {told(stored, head)}: {outcome}")
    if found.servers is not None:
        _tell_topics(found.servers)
    (where,) = dagster_records(found).values()
    print_line(f"Dagster's records: {where}: would be migrated where they are behind")
    if newer := [name for name, age in ages.items() if age is Age.NEWER]:
        raise ConfigurationError(
            f"a newer version made the tables of {', '.join(newer)}: update this program"
        )


def _tell_topics(servers: Servers) -> None:
    from adapters.kafka.topics import provision

    if not servers.kafka.streaming:
        print_line("topics: none, KAFKA_INGEST_ENABLE_STREAMING is false")
        return
    for topic in provision(servers.kafka, dry_run=True):
        print_line(f"topic {topic.name}: {topic.state}")
