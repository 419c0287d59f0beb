"""Labels of metrics are closed sets: each is listed here with what its values come from.

Where an alert asks how much a counter grew, all its labels are there from the start: the first figure of a
series is no growth to Prometheus.
"""

import re
import subprocess
import sys
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from approval_api.deliveries.sending.figures import Figures
from approval_api.telemetry.metrics import Metrics
from docker_guard.audit import metrics as guard_metrics
from docker_guard.calls.routes import ROUTES
from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import metrics as orchestrator_metrics
from dryrun_orchestrator.api import door as orchestrator_door
from dryrun_orchestrator.journal.prepared_sessions import Claim
from dryrun_orchestrator.journal.records import DropCause, PoolState
from dryrun_serving import door

THE_FLEET_FILE = ("the operator's fleet file",)
ROUTES_OF_THE_API = ("the path of a route, or `unknown`",)
STATUSES = ("a status of an answer of this service",)
RULES = ("a rule that this program names",)
CLOSED = {
    "approval_http_requests": {
        "method": (*door.METHODS, "other"),
        "route": ROUTES_OF_THE_API,
        "status": STATUSES,
    },
    "approval_http_request_seconds": {"route": ROUTES_OF_THE_API},
    "approval_sessions_judged": {
        "verdict": ("passed", "failed"),
        "origin": ("person", "experiment", "schedule"),
    },
    "approval_reports_refused": {"limit": ("reports", "bytes")},
    "approval_delivery_items": {"state": ("waiting", "dead")},
    "dryrun_sessions": {"phase": Phase},
    "dryrun_sessions_ended": {"outcome": Outcome},
    "dryrun_reaped": {"kind": ("container", "network")},
    **{
        f"dryrun_host_{what}": {"host": THE_FLEET_FILE}
        for what in ("up", "manages", "isolated", "containers", "sessions", "drained", "places")
    },
    "dryrun_host_label": dict.fromkeys(("host", "label", "value"), THE_FLEET_FILE),
    "dryrun_pool_sessions": {"state": PoolState},
    "dryrun_pool_claims": {"start": get_args(Claim.__value__)},
    "dryrun_pool_dropped": {"cause": DropCause},
    "dryrun_commands": {
        "command": tuple(method.lower() for method in orchestrator_door.METHODS),
        "outcome": ("accepted", "refused"),
    },
    "docker_guard_decisions": {
        "route": (*(route.name for route in ROUTES), "-"),
        "verdict": ("allowed", "absent", "refused", "failed"),
        "rule": RULES,
    },
    "docker_guard_seconds": {"route": (*(route.name for route in ROUTES), "-")},
    "docker_guard_expired_removed": {"kind": ("container", "network")},
}


def metrics_of(*holders):
    """Return the metrics among what modules and objects hold, by name."""
    held = [each for holder in holders for each in vars(holder).values()]
    return {each._name: each for each in held if isinstance(each, MetricWrapperBase)}


METRICS = metrics_of(Metrics(), Figures(None), orchestrator_metrics, guard_metrics)


def test_every_label_comes_from_a_closed_set():
    labels = {name: set(metric._labelnames) for name, metric in METRICS.items() if metric._labelnames}

    assert {name: set(sets) for name, sets in CLOSED.items()} == labels


@pytest.mark.parametrize("name", CLOSED)
def test_a_set_has_values_and_few(name):
    for values in CLOSED[name].values():
        found = [*values] if isinstance(values, tuple) else [*values.__members__]
        assert isinstance(values, tuple) or issubclass(values, StrEnum)
        assert 1 <= len(found) <= 50


def test_metrics_of_every_service_are_seen():
    assert {
        "approval_event_streams",
        "approval_delivery_items",
        "dryrun_isolated",
        "docker_guard_sessions",
    } <= set(METRICS)


ALERTS = Path(__file__).parents[2] / "deploy" / "monitoring" / "alerts.yml"
GROWTH = re.compile(r"(?:increase|rate)\((\w+)_total(?:{(.*?)})?\[")
GROWS_FROM_NOTHING = {
    "approval_http_requests": "30 errors in 5 minutes: the first one of each route may be missed"
}
NEW_PROCESS = """
from prometheus_client import REGISTRY, generate_latest
import approval_api.telemetry.metrics, docker_guard.audit.metrics, dryrun_orchestrator.metrics
api = approval_api.telemetry.metrics.Metrics()
for registry in (REGISTRY, docker_guard.audit.metrics.REGISTRY, api.registry):
    print(generate_latest(registry).decode())
"""


def test_an_alert_sees_the_first_step_of_every_counter():
    page = subprocess.run(
        [sys.executable, "-c", NEW_PROCESS], capture_output=True, text=True, check=True
    ).stdout
    there = {
        (sample.name.removesuffix("_total"), frozenset(sample.labels.items()))
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    asked = GROWTH.findall(ALERTS.read_text())
    assert len(asked) > len(GROWS_FROM_NOTHING)
    for name, selector in asked:
        if name in GROWS_FROM_NOTHING:
            continue
        chosen = dict(re.findall(r'(\w+)="(\w+)"', selector))
        sets = {
            label: [chosen[label]] if label in chosen else [*values]
            for label, values in CLOSED.get(name, {}).items()
        }
        for values in product(*sets.values()):
            assert (name, frozenset(zip(sets, map(str, values), strict=True))) in there


def test_without_dryruns_no_figure_says_that_events_are_not_followed():
    names = {family.name for family in Metrics(dryrun=False).registry.collect()}

    assert "approval_http_requests" in names
    assert not any(name.startswith("approval_follower") for name in names)
