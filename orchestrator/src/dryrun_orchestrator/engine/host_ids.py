"""Ids in a fleet: `HOST/ID`, so that each says where its network or container is, also in the journal."""

_SEPARATOR = "/"


def joined(host: str, identity: str) -> str:
    """Return an id of the fleet.

    >>> joined("beta", "3f1c")
    'beta/3f1c'
    """
    return f"{host}{_SEPARATOR}{identity}"


def split(identity: str) -> tuple[str | None, str]:
    """Return the host, None where there is no fleet, and the engine's own id.

    >>> split("beta/3f1c"), split("3f1c")
    (('beta', '3f1c'), (None, '3f1c'))
    """
    host, separator, own = identity.rpartition(_SEPARATOR)
    return (host if separator else None), own
