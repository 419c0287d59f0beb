"""The guard's rules in the threat model's words, and their names in the guard's audit log.

A refusal for another reason than the one a row is about proves nothing about that rule: the suite compares.
"""

from typing import Final

STOPPED_BY: Final[dict[str, frozenset[str]]] = {
    rule: frozenset(names.split())
    for rule, names in {
        # bodies
        "closed body model: a field that is not in it is refused": "body network",
        "closed body model: HostConfig's fields at the top level (honoured by Engines up to 26)": "body",
        "fixed value: the field may only say what the guard sets anyway": "body privileges",
        "strict types": "body json limits",
        "bounded sizes": "body json framing environment",
        "keys in one case: Go matches keys without regard to case": "body",
        "no duplicate keys: Go takes the last": "json",
        "one JSON value in UTF-8, nothing before or after it": "json",
        "one media type": "body framing",
        "no body where none belongs": "body",
        # containers
        "no mounts but the allowlist's sized tmpfs": "body disk",
        "capabilities from the image's list only": "privileges",
        "root read-only as the allowlist says": "disk",
        "no namespace shared with host or another container": "body session",
        "limits present and within the ceilings": "limits body",
        "log driver and size": "limits body",
        "command, entrypoint, user, working directory and health check are the image's": "body",
        "a command is one of the row's, with this session's addresses and a rate up to the row's": "body",
        "environment keys of the image's list only": "environment",
        "allowlisted image ID, or a name whose current ID is the allowlist's": "image body",
        "labels of the design; session, owner and deadline are the network's": "labels session",
        "plain names": "labels session",
        # networks
        "exactly one network: that session's own": "session body",
        "an address for a container in the session's subnet": "session body",
        "internal, IPv4 only, no address of the host on the bridge": "network body",
        "overlays are made by the guard of a fleet's manager alone, in the one form": "network",
        "name and bridge follow from the session's id": "network session",
        "subnet inside the configured pool, nothing beside it": "network body",
        "deadline at most 30 minutes from now, on the network": "deadline labels",
        "labels of the design and no others": "labels",
        # requests
        "one canonical path: plain ASCII, no empty or dotted segment, nothing encoded": "framing route",
        "API versions the guard was tested with": "version route framing",
        "origin-form targets only": "framing",
        "routes are a table: what is not in it is refused": "route framing",
        "query parameters are in the route's table, once each, in one form": "query framing",
        "the client's filters are added to the guard's own and cannot widen them": "query json",
        "filters are literal: the engine takes names and ids for regular expressions": "query",
        "names of containers are plain, and nobody's id": "query framing",
        "headers are not forwarded": "framing route",
        "nothing hijacks a connection, but for the input of a collector that has one": "framing query input",
        "plain header fields": "framing",
        "one unambiguous length": "framing body",
        "plain HTTP/1.1": "framing",
        "bounded sizes and times": "framing route slow",
        "requests are rebuilt, so nothing a client sends reaches the engine as bytes": (
            "framing route ownership"
        ),
        # ownership
        "what does not carry the session label does not exist: 404, as for an unknown id": (
            "ownership absent framing route"
        ),
    }.items()
}
