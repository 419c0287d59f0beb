"""A small ground truth, and findings to score against it."""

from approval_api.scoring.merging import Finding
from dryrun_contract.discovery import Discovery
from dryrun_contract.ground_truth import Fact

ADDRESSES = {"10.0.0.2": "db", "10.0.0.3": "web", "10.0.0.4": "cache"}
BY_NAME = {name: address for address, name in ADDRESSES.items()}

TRUTH = (
    Fact(kind="host", key="db"),
    Fact(kind="host", key="web"),
    Fact(
        kind="service",
        key="db:5432/tcp",
        data={"product": ["PostgreSQL", "PostgreSQL DB"], "version": "17.2"},
    ),
    Fact(kind="service", key="web:80/tcp", data={"product": "nginx", "version": "1.26.3"}),
    Fact(kind="service", key="web:18734/tcp", data={"product": "nginx"}, hard="unusual port"),
    Fact(kind="database", key="db:5432/tcp/shop"),
    Fact(kind="table", key="db:5432/tcp/shop/public/orders", data={"columns": ["id", "total"]}),
)


def said(kind, key, *, collector="network", confidence=1.0, **data):
    return Finding(collector, Discovery(kind=kind, key=key, confidence=confidence, data=data))


def as_perfect(fact):
    """What a perfect collector says of a fact."""
    service, separator, rest = fact.key.partition(":")
    data = {
        name: value[0] if name == "product" and isinstance(value, list) else value
        for name, value in fact.data.items()
    }
    return said(fact.kind, BY_NAME[service] + separator + rest, **data)


PERFECT = [as_perfect(fact) for fact in TRUTH]


def row(scores, name):
    return next(row for row in scores.rows if row.name == name)
