"""What Alembic runs: the versions, on the connection and in the transaction it is handed.

What belongs here: how Alembic runs. What does not: opening a database, locking it
(adapters/timescale/migration.py).
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=None,
    version_table_schema="emp",
)
with context.begin_transaction():
    context.run_migrations()
