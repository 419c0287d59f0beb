"""Alembic's entrance: runs on the connection that `database.migration` hands over, in its transaction."""

from alembic import context

from approval_api.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=metadata.schema,
)
context.run_migrations()
