"""What operators watch of the delivering process, read from its outbox whenever somebody asks."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.database.errors import DATABASE_ERRORS

_COUNTS = text("""
SELECT
    (SELECT count(*) FROM gateway.delivery_items WHERE state IN ('checking', 'waiting')) AS waiting,
    (SELECT count(*) FROM gateway.delivery_items i JOIN gateway.deliveries d ON d.id = i.delivery_id
     WHERE i.state = 'dead' AND d.approved_at IS NOT NULL) AS dead,
    (SELECT count(*) FROM gateway.notifications WHERE state = 'waiting') AS notifications
""")


class Figures:
    """The metrics of one process; labels are fixed words."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Count by `engine`."""
        self._engine = engine
        self._registry = CollectorRegistry()
        self._looked = Gauge(
            "approval_delivery_last_round_seconds",
            "When this process last looked into its outbox, as a Unix time; 0 before the first time.",
            registry=self._registry,
        )
        self._items = Gauge(
            "approval_delivery_items",
            "Items on their way, and those of approved deliveries that were given up and not sent again.",
            ("state",),
            registry=self._registry,
        )
        self._notifications = Gauge(
            "approval_notifications_waiting",
            "Events to send, including those that wait for the end of quiet hours.",
            registry=self._registry,
        )

    def looked(self) -> None:
        """Note that the outbox was read just now."""
        self._looked.set_to_current_time()

    async def page(self) -> bytes:
        """Return the metrics in Prometheus' text format; without a database, only what needs none."""
        try:
            async with self._engine.connect() as connection:
                counted = (await connection.execute(_COUNTS)).one()
        except DATABASE_ERRORS:
            # An old number would look like a new one.
            self._items.clear()
            self._notifications.set(float("nan"))
        else:
            self._items.labels("waiting").set(counted.waiting)
            self._items.labels("dead").set(counted.dead)
            self._notifications.set(counted.notifications)
        return generate_latest(self._registry)
