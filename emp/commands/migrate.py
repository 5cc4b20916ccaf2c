"""`emp migrate`: every database and topic of the installation, made and brought up to date."""

from __future__ import annotations

from typing import Annotated

import typer

from emp.invocation import settings_of
from emp.output import print_line

EXAMPLES = """
Examples:\n
  emp migrate\n
  emp migrate --dry-run --env-file production.env
"""


def migrate(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be migrated.")
    ] = False,
) -> None:
    """Make or migrate the operations database, TimescaleDB, topics and Dagster's records."""
    from adapters.operations import open_database
    from emp.instance import open_instance
    from emp.parts import installed

    found = installed(settings_of(context))
    parts = ["operations database", "Dagster's records"]
    if found.servers is not None:
        parts = [*parts, "TimescaleDB", "Kafka's topics"]
    if dry_run:
        for part in parts:
            print_line(f"{part}: would be migrated where it is behind")
        return
    open_database(found.operations_url).dispose()
    print_line("operations database: up to date")
    if found.servers is not None:
        from adapters.kafka.topics import provision
        from adapters.timescale.factory import open_connections

        open_connections(found.servers.timescale).close()
        print_line("TimescaleDB: up to date")
        if found.servers.kafka.streaming:
            for topic in provision(found.servers.kafka):
                print_line(f"topic {topic.name}: {topic.state}")
    with open_instance(found.settings) as instance:
        instance.upgrade()
    print_line("Dagster's records: up to date")
