"""Who may do what: four roles, and the permissions that routes ask for. This is the only such table."""

from collections.abc import Iterable
from enum import StrEnum


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
    """People and their roles, others' tokens, audit log, settings."""
    OWN_ACCOUNT = "own_account"
    """One's own password and tokens. No token may: it could make itself one that lives longer."""


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

SCOPES = frozenset(Permission) - {Permission.OWN_ACCOUNT}
"""What a token can be given."""


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Return what all of `roles` together may do.

    >>> sorted(permissions_of([Role.VIEWER, Role.APPROVER]))
    [<Permission.DECIDE: 'decide'>, <Permission.OWN_ACCOUNT: 'own_account'>, <Permission.READ: 'read'>]
    """
    return frozenset().union(*(PERMISSIONS[role] for role in roles))
