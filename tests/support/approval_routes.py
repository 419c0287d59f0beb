"""Every route of the approval API, the permission it asks for, and a body it takes."""

from typing import Any

from approval_api.people.roles import Permission

OPEN = None
READ, RUN, DECIDE, COLLECT, ADMINISTER, OWN_ACCOUNT = (
    Permission.READ,
    Permission.RUN,
    Permission.DECIDE,
    Permission.COLLECT,
    Permission.ADMINISTER,
    Permission.OWN_ACCOUNT,
)
DRYRUN = "/api/v1/dryrun"
PRODUCTION = "/api/v1/production/discoveries"

ROUTES: dict[tuple[str, str], Permission | None] = {
    ("GET", "/livez"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/metrics"): OPEN,
    ("POST", "/api/v1/login"): OPEN,
    ("POST", "/api/v1/invitations/taken"): OPEN,
    ("POST", "/api/v1/logout"): OWN_ACCOUNT,
    ("GET", "/api/v1/me"): READ,
    ("PUT", "/api/v1/me/password"): OWN_ACCOUNT,
    ("GET", "/api/v1/me/tokens"): OWN_ACCOUNT,
    ("POST", "/api/v1/me/tokens"): OWN_ACCOUNT,
    ("DELETE", "/api/v1/me/tokens/{token_id}"): OWN_ACCOUNT,
    ("GET", "/api/v1/people"): ADMINISTER,
    ("POST", "/api/v1/people"): ADMINISTER,
    ("GET", "/api/v1/people/{person_id}"): ADMINISTER,
    ("PATCH", "/api/v1/people/{person_id}"): ADMINISTER,
    ("POST", "/api/v1/people/{person_id}/invitation"): ADMINISTER,
    ("GET", "/api/v1/people/{person_id}/tokens"): ADMINISTER,
    ("DELETE", "/api/v1/people/{person_id}/tokens/{token_id}"): ADMINISTER,
    ("GET", "/api/v1/audit"): ADMINISTER,
    ("POST", PRODUCTION): COLLECT,
    ("GET", PRODUCTION): READ,
    ("POST", f"{PRODUCTION}/decisions"): DECIDE,
    ("GET", PRODUCTION + "/{discovery_id}"): READ,
    ("GET", PRODUCTION + "/{discovery_id}/changes"): READ,
    ("GET", f"{DRYRUN}/templates"): READ,
    ("GET", DRYRUN + "/templates/{template_id}"): READ,
    ("POST", f"{DRYRUN}/sessions"): RUN,
    ("GET", f"{DRYRUN}/sessions"): READ,
    ("GET", DRYRUN + "/sessions/{session_id}"): READ,
    ("POST", DRYRUN + "/sessions/{session_id}/stop"): RUN,
    ("GET", DRYRUN + "/sessions/{session_id}/events"): READ,
    ("GET", DRYRUN + "/sessions/{session_id}/discoveries"): READ,
    ("GET", DRYRUN + "/sessions/{session_id}/report"): READ,
    ("POST", DRYRUN + "/sessions/{session_id}/report"): READ,
    ("GET", f"{DRYRUN}/discoveries"): READ,
    ("POST", f"{DRYRUN}/discoveries/decisions"): DECIDE,
    ("GET", DRYRUN + "/discoveries/{discovery_id}"): READ,
    ("GET", f"{DRYRUN}/criteria"): READ,
    # Pages.
    ("GET", "/assets/{version}/{name:path}"): OPEN,
    ("GET", "/sign-in"): OPEN,
    ("POST", "/sign-in"): OPEN,
    ("GET", "/sign-in/openid"): OPEN,
    ("GET", "/sign-in/openid/callback"): OPEN,
    ("POST", "/sign-out"): OWN_ACCOUNT,
    ("GET", "/invitation"): OPEN,
    ("POST", "/invitation"): OPEN,
    ("GET", "/"): READ,
    ("GET", "/dryrun/templates"): READ,
    ("GET", "/dryrun/sessions"): READ,
    ("POST", "/dryrun/sessions"): RUN,
    ("GET", "/dryrun/sessions/{session_id}"): READ,
    ("POST", "/dryrun/sessions/{session_id}/stop"): RUN,
    ("GET", "/dryrun/sessions/{session_id}/live"): READ,
}
"""A route that is not here fails the first test: say who may use it."""

DECISION = {"decision": "approved", "discoveries": [{"id": 1, "revision": 1}]}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/v1/login"): {"name": "nobody", "password": "x"},
    ("POST", "/api/v1/invitations/taken"): {"secret": "x", "password": "x"},
    ("PUT", "/api/v1/me/password"): {"current": "not the right one", "new": "whatever it may be"},
    ("POST", "/api/v1/me/tokens"): {"label": "x", "scopes": ["read"]},
    ("POST", "/api/v1/people"): {"name": "victim", "roles": ["viewer"]},
    ("PATCH", "/api/v1/people/{person_id}"): {"roles": ["viewer"]},
    ("POST", PRODUCTION): {"collector": "network", "discoveries": [{"kind": "host", "key": "192.0.2.1"}]},
    ("POST", f"{PRODUCTION}/decisions"): DECISION,
    ("POST", f"{DRYRUN}/sessions"): {"template": "small"},
    ("POST", DRYRUN + "/sessions/{session_id}/report"): {},
    ("POST", f"{DRYRUN}/discoveries/decisions"): DECISION,
}
