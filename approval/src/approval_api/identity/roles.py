"""Who may do what: four roles, and the permissions that routes require. This is the only such table."""

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """What a route requires. A token's scopes are permissions too."""

    READ = "read"
    """Read everything but people, audit log and settings."""
    RUN = "run"
    """Start and stop dry-runs; experiments, schedules, checks, stored criteria."""
    DECIDE = "decide"
    """Approve and reject discoveries."""
    COLLECT = "collect"
    """Report discoveries to production: the scope of a collector's token."""
    ADMINISTER = "administer"
    """Read people, audit log, settings and retention; remove others' tokens; add, check and remove
    destinations; publish badges."""
    MANAGE_PEOPLE = "manage_people"
    """Add people, change their roles, make invitations."""
    OWN_ACCOUNT = "own_account"
    """One's own password and tokens."""


class Role(StrEnum):
    """A person's role. Operator and approver are two, so that nobody has to decide on their own runs."""

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
"""Permissions of logins only: each yields a password, a token or a role, which is more than a token and
outlives it. No token has them, whoever owns it and whatever its scopes are."""

SCOPES = frozenset(Permission) - LOGIN_ONLY
"""The scopes that a token can have."""


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Return the permissions of all `roles` together.

    >>> sorted(permissions_of([Role.VIEWER, Role.APPROVER]))
    [<Permission.DECIDE: 'decide'>, <Permission.OWN_ACCOUNT: 'own_account'>, <Permission.READ: 'read'>]
    """
    return frozenset().union(*(PERMISSIONS[role] for role in roles))
