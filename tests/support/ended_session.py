"""A session that has ended, as reports and lists have it."""

SESSION = {
    "id": "c386e49b-0000-4000-8000-000000000000",
    "template": "small",
    "template_digest": "sha256:2",
    "seed": 0,
    "keep": False,
    "requested_by": "ada",
    "requested_at": "2026-01-31T09:30:00Z",
    "queue_position": None,
    "accepted_at": None,
    "phase": "ended",
    "outcome": "completed",
    "reason": None,
    "expires_at": None,
    "ended_at": None,
}
