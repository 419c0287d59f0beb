"""What a perfect collector would report of a template; scores compare discoveries with it."""

from pydantic import Field, JsonValue

from dryrun_contract.base import Word


class Fact(Word):
    """One true statement. `key` starts with the service's name: `db:5432/tcp/shop/public/orders`."""

    kind: str
    key: str
    data: dict[str, JsonValue] = Field(default_factory=dict)
    """Scored attributes; an absent one is not scored. A list under `product` holds accepted spellings."""
    hard: str | None = None
    """Why a good collector may miss this one, e.g. `unusual port`; None for an ordinary fact."""


class GroundTruth(Word):
    """All facts of one template, with variables resolved."""

    facts: tuple[Fact, ...]
