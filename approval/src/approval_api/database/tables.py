"""The tables of schema `gateway` as queries see them; `database.migrations` makes them."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Float, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, INET, JSON, JSONB, TIMESTAMP, UUID

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
    Column("scan", JSONB, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", _TIME, nullable=False),
    Column("admitted_at", _TIME),
    Column("accepted_at", _TIME),
    Column("phase", Text, nullable=False),
    Column("outcome", Text),
    Column("reason", Text),
    Column("expires_at", _TIME),
    Column("ended_at", _TIME),
    Column("prepared_at", _TIME),
    Column("template_snapshot", JSONB(none_as_null=True)),
    Column("history_complete", Boolean, nullable=False),
    Column("events_removed_at", _TIME),
    Column("criteria_name", Text),
    Column("criteria", JSON(none_as_null=True)),
)
"""`template_snapshot` is the template as it was at the start, ground truth included; null when this API
learned of the session from the orchestrator. `admitted_at` is null
while it waits for a free place, `prepared_at` when it started cold. `history_complete` is false when a
snapshot took the place of events, or when they were removed by policy at `events_removed_at`; the report
that was kept then stays. `criteria` are those it is judged by, as they were at its start; null for the
built-in ones."""

criteria_sets = Table(
    "criteria_sets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("criteria", JSON, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("stored_by", Text, nullable=False),
    Column("stored_at", _TIME, nullable=False),
)
"""What sessions are judged by. At most one is the default; without one, the built-in criteria are."""

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

dryrun_reports = Table(
    "dryrun_reports",
    metadata,
    Column("session_id", UUID(as_uuid=True), primary_key=True),
    Column("state", LargeBinary, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("computed_at", _TIME, nullable=False),
    Column("figures", JSONB(none_as_null=True)),
    Column("report", LargeBinary),
    Column("failure", Text),
)
"""One per session and state: JSON, compressed by zlib. `failure` says why there is none."""

experiments = Table(
    "experiments",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("request", JSON, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", _TIME, nullable=False),
    Column("stopped_at", _TIME),
    Column("results", JSONB(none_as_null=True)),
    Column("results_of", Integer, nullable=False),
    Column("criteria_name", Text),
    Column("criteria", JSON(none_as_null=True)),
)
"""`request` keeps the order of its keys: the first arm is the baseline. `results_of` counts the measured
runs that `results` sums up."""

experiment_runs = Table(
    "experiment_runs",
    metadata,
    Column("experiment_id", UUID(as_uuid=True), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("session_id", UUID(as_uuid=True)),
    Column("measured", JSONB(none_as_null=True)),
    Column("failure", Text),
)
"""One per session that an experiment needs; what it scans follows from its number and the request."""

forecast_checks = Table(
    "forecast_checks",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("session_id", UUID(as_uuid=True)),
    Column("template", Text, nullable=False),
    Column("checked_by", Text, nullable=False),
    Column("checked_at", _TIME, nullable=False),
    Column("source", Text, nullable=False),
    Column("comparison", JSONB, nullable=False),
)
"""Forecasts beside production runs, as counts: no key and no address is in them."""

schedules = Table(
    "schedules",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("request", JSON, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("resumed_at", _TIME, nullable=False),
    Column("next_at", _TIME),
    Column("paused_because", Text),
    Column("stopped_at", _TIME),
    Column("token_id", UUID(as_uuid=True)),
)
"""`next_at` is null while it is paused, `stopped_at` unless it paused by itself, `token_id` unless a person's
token made or resumed it; that token may be gone."""

schedule_firings = Table(
    "schedule_firings",
    metadata,
    Column("schedule_id", UUID(as_uuid=True), primary_key=True),
    Column("due_at", _TIME, primary_key=True),
    Column("tried_at", _TIME),
    Column("experiment_id", UUID(as_uuid=True)),
    Column("skipped", Text),
    Column("failure", Text),
)
"""One for each time that a schedule was due: open, or with an experiment, or skipped, or failed."""

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
    Column("revision", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("decided_as", Text),
    Column("decided_by", Text),
    Column("decided_at", _TIME),
    Column("note", Text),
)
"""Decisions here stay in dry-runs. `revision` counts its reports, so that nobody decides on what changed
meanwhile; `decided_as` stays when a change made it pending again."""

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
    Column("revision", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("decided_as", Text),
    Column("decided_by", Text),
    Column("decided_at", _TIME),
    Column("note", Text),
    Column("last_seen_at", _TIME, nullable=False),
    Column("times_seen", Integer, nullable=False),
    Column("changed_at", _TIME),
    Column("host", INET),
    Column("change", Text, nullable=False),
    Column("gone_at", _TIME),
    Column("missed_scans", Integer, nullable=False),
    Column("seen_by_quick", Boolean, nullable=False),
    Column("reported_by", Text),
    Column("decided_revision", Integer),
    Column("decided_sha256", LargeBinary),
    Column("missed_at", _TIME),
)
"""Production. No dry-run row can be stored here: the table has a check of its own.

`change` is what there is to decide: `new` until the first decision, then what happened since. `host` is the
key's address, null for a name. `missed_scans` counts complete scans that covered it in a row and did not
report it, the last of which ended at `missed_at`; `reported_by` reported its data and saw it last, if one did
both. `decided_revision` is what somebody decided on last, also by taking a decision back, and
`decided_sha256` of its data as text."""

production_scans = Table(
    "production_scans",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("collector", Text, nullable=False),
    Column("targets", ARRAY(CIDR), nullable=False),
    Column("excluded", ARRAY(CIDR), nullable=False),
    Column("not_covered", ARRAY(CIDR), nullable=False),
    Column("profile", Text, nullable=False),
    Column("started_by", Text, nullable=False),
    Column("started_at", _TIME, nullable=False),
    Column("ended_at", _TIME),
    Column("complete", Boolean),
    Column("missed", Integer),
    Column("gone", Integer),
    Column("reported_at", _TIME, nullable=False),
)
"""What a collector covered. Only a complete scan proves anything absent. `excluded` holds a network, not its
halves; `not_covered` lies within `targets`. `started_at` is its reporter's word, if before `reported_at`."""

discovery_changes = Table(
    "discovery_changes",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("discovery_id", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("at", _TIME, nullable=False),
    Column("before", JSONB, nullable=False),
    Column("after", JSONB, nullable=False),
    Column("change", Text, nullable=False),
)
"""Production again: what changed in a later scan; also that it was gone, or returned."""

approval_rules = Table(
    "approval_rules",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("request", JSON, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", _TIME, nullable=False),
    Column("on_since", _TIME),
    Column("on_by", Text),
    Column("off_because", Text),
    Column("approved", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("approved_on_day", Integer, nullable=False),
)
"""`approved_on_day` counts what it approved on `day`."""

production_intake = Table(
    "production_intake",
    metadata,
    Column("reporter", Text, primary_key=True),
    Column("day", Date, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
"""What each person or program has reported to production on `day`, the newest on which it reported."""

published_badges = Table(
    "published_badges",
    metadata,
    Column("id", Text, primary_key=True),
    Column("template", Text),
    Column("schedule_id", UUID(as_uuid=True)),
    Column("published_by", Text, nullable=False),
    Column("published_at", _TIME, nullable=False),
)
"""The id is the secret part of an address that anybody may read: nobody guesses it."""

destinations = Table(
    "destinations",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("request", JSONB, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("not_before", _TIME),
    Column("unanswered", Integer, nullable=False),
    Column("check_requested_at", _TIME),
    Column("check_lease_until", _TIME),
    Column("check_answered_at", _TIME),
    Column("check_passed", Boolean),
    Column("check_answer", Text),
)
"""`not_before` is when it may be asked again; `unanswered` says how often in a row nothing came of it. The
columns `check_…` are its newest check."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("destination_id", UUID(as_uuid=True), nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", _TIME, nullable=False),
    Column("approved_by", Text),
    Column("approved_at", _TIME),
    Column("discarded_at", _TIME),
    Column("unchanged", Integer, nullable=False),
    Column("more", Boolean, nullable=False),
)

delivery_items = Table(
    "delivery_items",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("delivery_id", UUID(as_uuid=True), nullable=False),
    Column("destination_id", UUID(as_uuid=True), nullable=False),
    Column("discovery_id", BigInteger, nullable=False),
    Column("host", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("content", JSONB, nullable=False),
    Column("action", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("message_id", UUID(as_uuid=True), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", _TIME, nullable=False),
    Column("lease", UUID(as_uuid=True)),
    Column("answer", Text),
    Column("answered_at", _TIME),
    Column("reference", Text),
)
"""The outbox. `content` is what was previewed and all that is sent; `message_id` makes repeats harmless."""

delivered = Table(
    "delivered",
    metadata,
    Column("destination_id", UUID(as_uuid=True), primary_key=True),
    Column("discovery_id", BigInteger, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("reference", Text),
    Column("delivered_at", _TIME, nullable=False),
    Column("removed", Boolean, nullable=False),
)
"""What a destination has of each discovery, or its removal: the next preview compares with it."""

channels = Table(
    "channels",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("request", JSONB, nullable=False),
    Column("signing_key", Text),
    Column("created_at", _TIME, nullable=False),
    Column("answer", Text),
    Column("answered_at", _TIME),
)
"""Where people are notified of which occasions. `signing_key` signs a webhook's messages."""

notifications = Table(
    "notifications",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("channel_id", UUID(as_uuid=True), nullable=False),
    Column("occasion", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("noticed_at", _TIME, nullable=False),
    Column("state", Text, nullable=False),
    Column("message_id", UUID(as_uuid=True)),
    Column("attempts", Integer, nullable=False),
    Column("next_at", _TIME, nullable=False),
)
"""What is to be sent on a channel; rows with the same `message_id` are sent together."""

follower_position = Table(
    "follower_position",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("journal", UUID(as_uuid=True)),
    Column("seq", BigInteger, nullable=False),
    Column("moved_at", _TIME, nullable=False),
)
"""One row: how far the orchestrator's events are stored. `journal` is null before the first page."""

people = Table(
    "people",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("password_hash", Text),
    Column("issuer", Text),
    Column("subject", Text),
    Column("confirmed_at", _TIME),
    Column("created_at", _TIME, nullable=False),
    Column("created_by", Text, nullable=False),
)
"""`password_hash` is null until an invitation was taken, and for who signs in by OpenID Connect; `issuer` and
`subject` name those, and `confirmed_at` is when the provider last vouched for them and their roles."""

logins = Table(
    "logins",
    metadata,
    Column("id_sha256", LargeBinary, primary_key=True),
    Column("person_id", UUID(as_uuid=True), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("seen_at", _TIME, nullable=False),
    Column("address", Text, nullable=False),
)
"""A browser in which somebody is signed in. The cookie holds the secret, this its digest."""

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("person_id", UUID(as_uuid=True), nullable=False),
    Column("label", Text, nullable=False),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("collectors", ARRAY(Text), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("expires_at", _TIME, nullable=False),
    Column("last_used_at", _TIME),
)

"""`collectors`: under whose names it may report to production."""

known_browsers = Table(
    "known_browsers",
    metadata,
    Column("secret_sha256", LargeBinary, primary_key=True),
    Column("person_id", UUID(as_uuid=True), nullable=False),
    Column("seen_at", _TIME, nullable=False),
)
"""Browsers in which a person signed in by password before: strangers' attempts do not count against them."""

invitations = Table(
    "invitations",
    metadata,
    Column("secret_sha256", LargeBinary, primary_key=True),
    Column("person_id", UUID(as_uuid=True), nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("expires_at", _TIME, nullable=False),
)
"""At most one per person: a newer link replaces the older one."""

login_throttle = Table(
    "login_throttle",
    metadata,
    Column("subject_sha256", LargeBinary, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", _TIME, nullable=False),
)
"""Failed sign-ins by account and by address. Digests, since people type passwords where names belong."""

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("at", _TIME, nullable=False),
    Column("actor", Text),
    Column("proof", Text),
    Column("action", Text, nullable=False),
    Column("object", Text),
    Column("address", Text),
    Column("request_id", Text),
    Column("outcome", Text, nullable=False),
    Column("detail", Text),
)
"""The application may add and read rows; the database refuses everything else."""
