"""What Alembic runs: the versions, on the connection and in the transaction it is handed.

What belongs here: how Alembic compares and writes. What does not: opening a database, locking it
(adapters/operations/migration.py).
"""

from alembic import context

from adapters.operations.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_server_default=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
