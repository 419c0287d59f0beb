"""An item refers to its delivery and destination at once: one look for each row, where there were two."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Replace the two references; an item is of its delivery's destination, which nothing demanded."""
    for statement in (
        "ALTER TABLE gateway.deliveries ADD UNIQUE (id, destination_id)",
        (
            "ALTER TABLE gateway.delivery_items "
            "DROP CONSTRAINT delivery_items_delivery_id_fkey, "
            "DROP CONSTRAINT delivery_items_destination_id_fkey, "
            "ADD FOREIGN KEY (delivery_id, destination_id) "
            "REFERENCES gateway.deliveries (id, destination_id) ON DELETE CASCADE"
        ),
    ):
        op.execute(statement)
