"""Who may do what: four roles, and the permissions that routes ask for. This is the only such table."""

from collections.abc import Iterable
from enum import StrEnum

COLLECTOR_NAME = r"^[a-z][a-z0-9_-]{0,63}$"
"""What a collector may be called; tokens and reports to production name some."""


class Permission(StrEnum):
    """What a route asks for. A token's scopes are permissions too."""

    READ = "read"
    """Look at everything but people, audit log and settings."""
    RUN = "run"
    """Start and stop dry-runs."""
    DECIDE = "decide"
    """Approve and reject discoveries."""
    COLLECT = "collect"
    """Post discoveries of production: what a collector's token is for."""
    ADMINISTER = "administer"
    """Read people, audit log and settings; remove others' tokens."""
    MANAGE_PEOPLE = "manage_people"
    """Add people, change their roles, make invitations."""
    OWN_ACCOUNT = "own_account"
    """One's own password and tokens."""


class Role(StrEnum):
    """What a person is here. Operators and approvers are two, so that nobody decides on what they ran."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ, Permission.OWN_ACCOUNT}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.OWN_ACCOUNT, Permission.RUN, Permission.COLLECT}),
    Role.APPROVER: frozenset({Permission.READ, Permission.OWN_ACCOUNT, Permission.DECIDE}),
    Role.ADMIN: frozenset(Permission),
}

LOGIN_ONLY = frozenset({Permission.MANAGE_PEOPLE, Permission.OWN_ACCOUNT})
"""What only a login may: each yields a password, a token or a role, which is more than a token and outlives
it. No token has these, whoever it belongs to and whatever it was made for."""

SCOPES = frozenset(Permission) - LOGIN_ONLY
"""What a token can be given."""


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Return what all of `roles` together may do.

    >>> sorted(permissions_of([Role.VIEWER, Role.APPROVER]))
    [<Permission.DECIDE: 'decide'>, <Permission.OWN_ACCOUNT: 'own_account'>, <Permission.READ: 'read'>]
    """
    return frozenset().union(*(PERMISSIONS[role] for role in roles))
