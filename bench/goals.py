"""What speed is to reach. A goal is met when the unfavourable end of the 95 % interval meets it.

With fewer than three measurements the value itself counts.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Goal:
    """One bound. `at_most`: of a ratio or of seconds; `at_least`: of a share of what is there."""

    id: str
    row: str
    kind: Literal["at most", "at least"]
    bound: float
    unit: str = ""
    long_only: bool = False
    """Plain nmap takes minutes for it: measured with `LONG=1` only."""


GOALS = (
    Goal("healthy-bare-small", "until healthy, to a bare parallel loop: `small`", "at most", 1.15),
    Goal("healthy-bare-large", "until healthy, to a bare parallel loop: `large`", "at most", 1.15),
    Goal("healthy-compose-small", "until healthy, to `docker compose up --wait`: `small`", "at most", 0.85),
    Goal("healthy-compose-large", "until healthy, to `docker compose up --wait`: `large`", "at most", 0.95),
    Goal(
        "network-bare-small",
        "on a prepared network until healthy, to the bare loop: `small`",
        "at most",
        1.15,
    ),
    Goal(
        "network-bare-large",
        "on a prepared network until healthy, to the bare loop: `large`",
        "at most",
        1.15,
    ),
    Goal(
        "network-compose-small", "on a prepared network until healthy, to Compose: `small`", "at most", 0.85
    ),
    Goal(
        "network-compose-large", "on a prepared network until healthy, to Compose: `large`", "at most", 0.95
    ),
    Goal(
        "pool-compose", "claimed from the warm pool, to `docker compose up --wait`: `small`", "at most", 0.10
    ),
    Goal("removal-small", "removal, to `docker compose down -t 0`: `small`", "at most", 0.75),
    Goal("removal-large", "removal, to `docker compose down -t 0`: `large`", "at most", 0.75),
    Goal("decision-small", "click to decision page, cleanup included: `small`", "at most", 8, "s"),
    Goal("decision-large", "click to decision page, cleanup included: `large`", "at most", 25, "s"),
    Goal("decision-pool-small", "click to decision page from the warm pool: `small`", "at most", 6, "s"),
    Goal("decision-pool-large", "click to decision page from the warm pool: `large`", "at most", 20, "s"),
    Goal("quick-small", "`quick` to plain `nmap -sV`: targets of `small`", "at most", 0.35),
    Goal("quick-large", "`quick` to plain `nmap -sV`: targets of `large`", "at most", 0.35, long_only=True),
    Goal("quick-odd-ports", "`quick` to plain `nmap -sV`: odd ports", "at most", 0.35),
    Goal("quick-default-ports", "`quick` to plain `nmap -sV`: default ports", "at most", 0.35),
    Goal("quick-odd-ports-ports", "ports found by `quick`: odd ports", "at least", 0.85),
    Goal("quick-odd-ports-products", "products found by `quick`: odd ports", "at least", 0.75),
    Goal("quick-default-ports-ports", "ports found by `quick`: default ports", "at least", 0.85),
    Goal("quick-default-ports-products", "products found by `quick`: default ports", "at least", 0.75),
    Goal("full-odd-ports", "`full` to `nmap -p- -sV -T4`: odd ports", "at most", 0.40),
    Goal("full-default-ports", "`full` to `nmap -p- -sV -T4`: default ports", "at most", 0.40),
    Goal("full-odd-ports-ports", "ports found by `full`: odd ports", "at least", 1.0),
    Goal("full-odd-ports-products", "products found by `full`: odd ports", "at least", 0.92),
    Goal("full-default-ports-ports", "ports found by `full`: default ports", "at least", 1.0),
    Goal("full-default-ports-products", "products found by `full`: default ports", "at least", 0.92),
    Goal("guard-session", "a whole session through the guard, to one without", "at most", 1.03),
)
