"""Makes rehearsals of networks of any shape, without a session."""

from dryrun_contract.census import Census, CensusClass, ClassService, ServiceCount
from dryrun_contract.observation import Observation, SeenService, SeenTarget
from dryrun_contract.scan_choice import NO_CHOICE

NETWORK = "n0123456789abcdef"


def service(place="443/tcp", level="same_version", product="nginx"):
    return ClassService(place=place, level=level, product=product)


def host_class(name, hosts, targets, *services):
    return CensusClass(
        name=name, hosts=hosts, targets=tuple(f"{name}-{n}" for n in range(1, targets + 1)), services=services
    )


def census(*classes, outside=(), beyond=0, network=NETWORK):
    """Return the census of these classes, and of `outside`: (hosts, service) that no class has."""
    counts: dict[tuple[str, str, str | None], int] = {}
    rows = [(each.hosts, service) for each in classes for service in each.services] + list(outside)
    for hosts, each in rows:
        name = each.place, each.level, each.product
        counts[name] = counts.get(name, 0) + hosts
    return Census(
        network=network,
        classes=classes,
        services=tuple(
            ServiceCount(place=place, level=level, product=product, count=count)
            for (place, level, product), count in counts.items()
        ),
        beyond=beyond,
    )


def seen(*places, missed=(), misnamed=(), called="nginx", **figures):
    """Return a target on which services at `places` were found, and those at `missed` were not."""
    services = {place: SeenService(found=True, identified=True, called=called) for place in places}
    services |= {place: SeenService(found=False, identified=False) for place in missed}
    services |= {place: SeenService(found=True, identified=False) for place in misnamed}
    return SeenTarget(found=True, services=services, **figures)


def rehearsal(counted, targets, *, hosts=None, **changes):
    """Return one rehearsal of the network that `counted` counts."""
    known = {
        "template": "acme",
        "census": counted,
        "hosts": hosts or sum(each.hosts for each in counted.classes),
        "scan": NO_CHOICE,
        "collectors": ("network",),
        "seconds": 20.0,
        "complete": True,
        "targets": targets,
    }
    return Observation(**known | changes)
