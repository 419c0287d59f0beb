"""The tables of schema `gateway` as queries see them; migrations make them (`approval_api.migrations`)."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID

metadata = MetaData(schema="gateway")

_TIME = TIMESTAMP(timezone=True)

dryrun_sessions = Table(
    "dryrun_sessions",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("template", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("keep", Boolean, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", _TIME, nullable=False),
    Column("accepted_at", _TIME),
    Column("phase", Text, nullable=False),
    Column("outcome", Text),
    Column("reason", Text),
    Column("expires_at", _TIME),
    Column("ended_at", _TIME),
    Column("template_snapshot", JSONB(none_as_null=True)),
    Column("history_complete", Boolean, nullable=False),
)
"""`template_snapshot` is the template as it was at the start, ground truth included; null when this API
learned of the session from the orchestrator. `history_complete` is false when a snapshot took the place of
events."""

dryrun_events = Table(
    "dryrun_events",
    metadata,
    Column("journal", UUID(as_uuid=True), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("session_id", UUID(as_uuid=True), nullable=False),
    Column("at", _TIME, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", JSONB, nullable=False),
)

dryrun_discoveries = Table(
    "dryrun_discoveries",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("dryrun_session_id", UUID(as_uuid=True), nullable=False),
    Column("is_dryrun", Boolean, nullable=False),
    Column("collector", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("key_sha256", LargeBinary, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("found_at", _TIME, nullable=False),
)

discoveries = Table(
    "discoveries",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("is_dryrun", Boolean, nullable=False),
    Column("collector", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("key_sha256", LargeBinary, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("found_at", _TIME, nullable=False),
)
"""Production. Nothing of a dry-run ever reaches it; the table refuses it by a check of its own."""

follower_position = Table(
    "follower_position",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("journal", UUID(as_uuid=True)),
    Column("seq", BigInteger, nullable=False),
    Column("moved_at", _TIME, nullable=False),
)
"""One row: how far the orchestrator's events are stored. `journal` is null before the first page."""
