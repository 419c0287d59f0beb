"""Every page that a person can look at, for tests that have to see all of them."""

from dataclasses import dataclass

from approval_api.identity.roles import Role

EVERYBODY = tuple(Role)
ADMINS = (Role.ADMIN,)


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
    Place("dryrun-discoveries", "/dryrun/discoveries?session={ended}", route="/dryrun/discoveries"),
    Place(
        "dryrun-discoveries-empty", "/dryrun/discoveries?search=nothing+like+it", route="/dryrun/discoveries"
    ),
    Place("report", "/dryrun/sessions/{ended}/report", route="/dryrun/sessions/{session_id}/report"),
    Place("report-failed", "/dryrun/sessions/{failed}/report", route="/dryrun/sessions/{session_id}/report"),
    Place("compare", "/dryrun/compare?a={earlier}&b={ended}", route="/dryrun/compare"),
    Place("experiments", "/dryrun/experiments"),
    Place("experiment", "/dryrun/experiments/{experiment}", route="/dryrun/experiments/{experiment_id}"),
    Place(
        "fact",
        "/dryrun/facts?template=small&kind=service&key=web:80/tcp",
        route="/dryrun/facts",
    ),
    Place("checks", "/dryrun/checks"),
    Place("check", "/dryrun/checks/{check}", route="/dryrun/checks/{check_id}"),
    Place("schedules", "/dryrun/schedules"),
    Place("criteria", "/dryrun/criteria"),
    Place("schedule", "/dryrun/schedules/{schedule}", route="/dryrun/schedules/{schedule_id}"),
    Place("trends", "/dryrun/trends?template=small", route="/dryrun/trends"),
    Place("trends-collector", "/dryrun/trends?template=small&collector=network", route="/dryrun/trends"),
    Place("production", "/production/discoveries"),
    Place(
        "production-one",
        "/production/discoveries/{production}",
        route="/production/discoveries/{discovery_id}",
    ),
    Place("production-scans", "/production/scans"),
    Place("rules", "/production/rules"),
    Place("rule", "/production/rules/{rule}", route="/production/rules/{rule_id}"),
    Place("deliveries", "/production/deliveries"),
    Place("delivery", "/production/deliveries/{delivery}", route="/production/deliveries/{delivery_id}"),
    Place("settings", "/settings"),
    Place("notifications", "/notifications"),
    Place("reference", "/reference?tag=production", route="/reference"),
    Place("account", "/account"),
    Place("people", "/people", ADMINS),
    Place("person", "/people/{person}", ADMINS, route="/people/{person_id}"),
    Place("audit", "/audit", ADMINS),
)
DOORS = (
    Place("sign-in", "/sign-in", ()),
    Place("invitation", "/invitation?secret=nobodys", (), route="/invitation"),
)
"""Pages of those who are not signed in."""
