"""Foreign containers and networks, by every word that may name them."""

from typing import Final

from vectors.row import ALLOWED, Vector

CLASS: Final = "Foreign containers and networks"
OWNERSHIP: Final = "what does not carry the session label does not exist: 404, as for an unknown id"
NOT_FOUND: Final = frozenset({404})
NO_NAME: Final = frozenset({400, 403, 404})

_CONTAINERS: Final = (
    ("plain by id", "VICTIM_ID"),
    ("plain by short id", "VICTIM_SHORT"),
    ("plain by 4 digits", "VICTIM_PREFIX"),
    ("plain by name", "VICTIM_NAME"),
    ("longer session value by id", "LONGER_ID"),
    ("longer session value by name", "LONGER_NAME"),
    ("upper-case label by id", "UPPER_ID"),
    ("upper-case label by name", "UPPER_NAME"),
    ("no value by id", "EMPTY_ID"),
    ("named like a session's, unlabelled, by id", "ALIKE_ID"),
    ("named like a session's, unlabelled, by name", "ALIKE_NAME"),
    ("on the session's own network, unlabelled, by id", "GUEST_ID"),
    ("on the session's own network, unlabelled, by name", "GUEST_NAME"),
)
_CALLS: Final = (
    ("inspect", "GET", "/json"),
    ("logs", "GET", "/logs?stdout=1&stderr=1"),
    ("stats", "GET", "/stats?stream=false&one-shot=true"),
    ("start", "POST", "/start"),
    ("stop", "POST", "/stop?t=0"),
    ("wait", "POST", "/wait"),
    ("remove", "DELETE", "?force=1&v=1"),
)
_NETWORKS: Final = (
    ("plain by name", "VICTIM_NETWORK"),
    ("plain by id", "VICTIM_NETWORK_ID"),
    ("plain by short id", "VICTIM_NETWORK_SHORT"),
    ("named like a session's, unlabelled", "LOOKALIKE_NETWORK"),
    ("named like a session's, unlabelled, by id", "LOOKALIKE_NETWORK_ID"),
)


def _slug(text: str) -> str:
    return text.replace("'", "").replace(",", "").replace(" ", "-")


VECTORS: Final = (
    *(
        Vector(
            f"victim-{call}-{_slug(whose)}",
            f"{call} a container: {whose}",
            OWNERSHIP,
            method=method,
            path=f"/v1.45/containers/@{word}@{rest}",
            answers=NOT_FOUND,
        )
        for whose, word in _CONTAINERS
        for call, method, rest in _CALLS
    ),
    *(
        Vector(
            f"victim-network-{call}-{_slug(whose)}",
            f"{call} a network: {whose}",
            OWNERSHIP,
            method=method,
            path=f"/v1.45/networks/@{word}@",
            answers=NOT_FOUND,
        )
        for whose, word in _NETWORKS
        for call, method in (("inspect", "GET"), ("remove", "DELETE"))
    ),
    *(
        Vector(
            f"victim-network-{call}-{name}",
            f"{call} the engine's own network {name}",
            OWNERSHIP,
            method=method,
            path=f"/v1.45/networks/{name}",
            answers=NOT_FOUND,
        )
        for name in ("bridge", "host", "none")
        for call, method in (("inspect", "GET"), ("remove", "DELETE"))
    ),
    Vector(
        "victim-name-with-slash",
        "inspect a victim by /name",
        OWNERSHIP,
        method="GET",
        path="/v1.45/containers//@VICTIM_NAME@/json",
        answers=NO_NAME,
    ),
    Vector(
        "victim-link-name",
        "inspect a victim by another's name and its own",
        OWNERSHIP,
        method="GET",
        path="/v1.45/containers/@TARGET_NAME@/@VICTIM_NAME@/json",
        answers=NO_NAME,
    ),
    Vector(
        "victim-network-guests",
        "the session's network must not show the guest on it",
        OWNERSHIP,
        method="GET",
        path="/v1.45/networks/@NETWORK@",
        answers=frozenset({200}),
    ),
    Vector(
        "victim-ambiguous-prefix",
        "one hex digit of a victim's id: at most what is one's own may answer",
        OWNERSHIP,
        method="GET",
        path="/v1.45/containers/@VICTIM_DIGIT@/json",
        answers=NO_NAME | ALLOWED,
    ),
    Vector(
        "victim-network-start",
        "remove the session's network while a foreign guest stands on it",
        OWNERSHIP,
        method="DELETE",
        path="/v1.45/networks/@NETWORK@",
        answers=frozenset({403, 409, 500}),
    ),
)
