"""The journal's tables."""

VERSION = 1
"""The format's number, as SCHEMA stores it. A journal with a greater one is not opened; additions do not
change it."""

LATER_COLUMNS = {
    "installed": "TEXT",
    "scan": "TEXT",
    "pool": "TEXT",
    "prepared_at": "TEXT",
    "ready_at": "TEXT",
    "drop_cause": "TEXT",
    "placement": "TEXT",
    "traceparent": "TEXT",
    "held_overlay": "TEXT",
}
"""Columns added to `sessions` since the first version, oldest first; missing ones are added on opening."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('version', '1') ON CONFLICT DO NOTHING;
INSERT INTO meta VALUES ('newest', '0') ON CONFLICT DO NOTHING;
INSERT INTO meta VALUES ('acknowledged', '0') ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,
    template TEXT NOT NULL,
    template_digest TEXT NOT NULL,
    seed INTEGER NOT NULL,
    keep INTEGER NOT NULL,
    actor TEXT NOT NULL,
    phase TEXT NOT NULL,
    phase_since TEXT NOT NULL,
    outcome TEXT,
    reason TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    ended_at TEXT,
    subnet TEXT,
    network_id TEXT,
    stop_requested_at TEXT,
    traffic_before TEXT,
    installed TEXT,
    scan TEXT,
    pool TEXT,
    prepared_at TEXT,
    ready_at TEXT,
    drop_cause TEXT,
    placement TEXT,
    traceparent TEXT,
    held_overlay TEXT
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS targets (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    service TEXT NOT NULL,
    image TEXT NOT NULL,
    image_id TEXT NOT NULL,
    container_id TEXT NOT NULL,
    address TEXT NOT NULL,
    state TEXT NOT NULL,
    harm TEXT,
    PRIMARY KEY (session_id, service)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS runs (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    collector TEXT NOT NULL,
    run TEXT NOT NULL,
    state TEXT NOT NULL,
    lines INTEGER NOT NULL,
    discoveries INTEGER NOT NULL,
    warnings INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    PRIMARY KEY (session_id, collector)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS readiness (
    image_id TEXT PRIMARY KEY,
    seconds REAL NOT NULL,
    measured_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    at TEXT NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS prepared_events (
    n INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS prepared_events_of_session ON prepared_events (session_id);
CREATE INDEX IF NOT EXISTS events_of_session ON events (session_id, type);
"""
