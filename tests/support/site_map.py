"""Every page that a person can look at, for tests that have to see all of them."""

from dataclasses import dataclass

from approval_api.people.roles import Role

EVERYBODY = tuple(Role)


@dataclass(frozen=True)
class Place:
    """A page: its name, its path with `{ended}`, `{running}` and the like, and who may see it."""

    name: str
    path: str
    roles: tuple[Role, ...] = EVERYBODY
    route: str = ""
    """The route's own path where it is not `path`."""


PLACES = (
    Place("overview", "/"),
    Place("templates", "/dryrun/templates"),
    Place("sessions", "/dryrun/sessions"),
    Place("session-running", "/dryrun/sessions/{running}", route="/dryrun/sessions/{session_id}"),
    Place("session-record", "/dryrun/sessions/{ended}", route="/dryrun/sessions/{session_id}"),
    Place("session-failed", "/dryrun/sessions/{failed}", route="/dryrun/sessions/{session_id}"),
)
DOORS = (
    Place("sign-in", "/sign-in", ()),
    Place("invitation", "/invitation?secret=nobodys", (), route="/invitation"),
)
"""Pages of those who are not signed in."""
