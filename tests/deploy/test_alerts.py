"""Alerts of Prometheus: promtool plays figures to each, and the services have every figure asked for."""

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployment import DEPLOY, Deployment, run

GUIDE = DEPLOY.parent / "docs" / "operations.md"
RULES = DEPLOY / "monitoring" / "alerts.yml"
METRIC = re.compile(r"\b((?:dryrun|docker_guard|approval)_[a-z_]+)\b")
PROMTOOL = """
FROM discovery/base:13
RUN apt-get update && apt-get install --assume-yes --no-install-recommends prometheus
USER nobody
"""


@dataclass(frozen=True)
class Case:
    """Figures, one for every 15 s in promtool's notation: an alert fires under some, and not under others."""

    fires: dict[str, str]
    at: str
    silent: dict[str, str]
    labels: dict[str, str] = field(default_factory=dict)


def down(job: str) -> Case:
    series = f'up{{job="{job}", instance="one"}}'
    return Case({series: "1x3 0x20"}, "4m", {series: "1x3 0x6 1x20"}, {"job": job, "instance": "one"})


def is_zero(metric: str, at: str = "4m", **labels: str) -> Case:
    return Case({metric: "0x40"}, at, {metric: "1x40"}, labels)


def above(metric: str, figure: float, at: str = "1m", **labels: str) -> Case:
    return Case({metric: f"{figure}x40"}, at, {metric: "0x40"}, labels)


def grows(metric: str, by: int, enough: int, at: str = "5m", **labels: str) -> Case:
    """A counter that goes from zero to `enough`, and one that stays under it."""
    return Case({metric: f"0x4 {enough}x40"}, at, {metric: f"0x4 {by}x40"}, labels)


HOST = {"instance": "one", "host": "east"}
OF_HOST = '{instance="one", host="east"}'
EXPIRES = "docker_guard_certificate_expires_seconds"
CASES = {
    "ApprovalApiDown": Case({}, "4m", {'up{job="approval-api"}': "1x40"}),
    "ApprovalDeliveryDown": down("approval-delivery"),
    "DryrunOrchestratorDown": down("dryrun-orchestrator"),
    "DryrunGuardDown": down("docker-proxy"),
    "DryrunNotIsolated": is_zero("dryrun_isolated"),
    "DryrunCleanupFails": grows("dryrun_cleanup_failures_total", 2, 5),
    "DryrunGuardRemovedForOrchestrator": grows(
        'docker_guard_expired_removed_total{kind="container"}', 0, 1, kind="container"
    ),
    "DryrunGuardOverdue": above("docker_guard_overdue_seconds", 4),
    "DryrunGuardDoesNotLook": above("docker_guard_sweep_age_seconds", 16),
    "DryrunHostAway": Case(
        {f"dryrun_host_up{OF_HOST}": "0x40", f"dryrun_host_drained{OF_HOST}": "0x40"},
        "4m",
        {f"dryrun_host_up{OF_HOST}": "0x40", f"dryrun_host_drained{OF_HOST}": "1x40"},
        HOST,
    ),
    "DryrunNoSwarm": Case(
        {
            'dryrun_host_manages{instance="one", host="a"}': "0x40",
            'dryrun_host_manages{instance="one", host="b"}': "0x40",
        },
        "4m",
        {
            'dryrun_host_manages{instance="one", host="a"}': "0x40",
            'dryrun_host_manages{instance="one", host="b"}': "1x40",
        },
        {"instance": "one"},
    ),
    "DryrunHostStaysDrained": Case(
        {f"dryrun_host_drained{OF_HOST}": "1x6000"},
        "25h",
        {f"dryrun_host_drained{OF_HOST}": "1x5000 0x8 1x1000"},
        HOST,
    ),
    "DryrunFleetFull": Case(
        {f"dryrun_host_places{OF_HOST}": "20x80", 'dryrun_sessions{phase="queued"}': "1x80"},
        "17m",
        {f"dryrun_host_places{OF_HOST}": "20x80", 'dryrun_sessions{phase="queued"}': "1x40 0x8 1x40"},
    ),
    "DryrunEngineAway": is_zero("docker_guard_engine_up"),
    # An attacker may go to each host's guard in turn.
    "DryrunCommandsRefused": Case(
        {f'docker_guard_refused_total{{instance="{host}"}}': "0x4 4x40" for host in ("a", "b")},
        "5m",
        {f'docker_guard_refused_total{{instance="{host}"}}': "0x4 2x40" for host in ("a", "b")},
    ),
    "DryrunGuardCannotRecord": above("docker_guard_audit_waiting_bytes", 1, "2m"),
    "DryrunCertificateEnds": Case({EXPIRES: f"{29 * 86400}x8"}, "1m", {EXPIRES: f"{31 * 86400}x8"}),
    "DryrunReaperFails": grows("dryrun_reaper_failures_total", 2, 5),
    "DryrunSessionsFail": grows('dryrun_sessions_ended_total{outcome="failed"}', 2, 5, outcome="failed"),
    "DryrunPoolStaysEmpty": Case(
        {"dryrun_pool_wanted": "2x80", 'dryrun_pool_sessions{state="ready"}': "0x80"},
        "17m",
        {"dryrun_pool_wanted": "2x80", 'dryrun_pool_sessions{state="ready"}': "0x40 1x8 0x40"},
    ),
    "DryrunInstalledFilesFaulty": is_zero("dryrun_installed_files_valid"),
    "DryrunJournalNotWritable": is_zero("dryrun_journal_writable"),
    "DryrunAuditLogNotWritable": is_zero("dryrun_audit_log_writable"),
    "ApprovalDatabaseAway": is_zero("approval_database_up"),
    "ApprovalDoesNotFollow": is_zero("approval_follower_up"),
    "ApprovalEventsLost": grows("approval_follower_snapshots_total", 0, 1),
    "ApprovalEventsRefused": grows("approval_events_refused_total", 0, 1),
    "ApprovalErrors": Case(
        {'approval_http_requests_total{status="500"}': "0+3x80"},
        "11m",
        {'approval_http_requests_total{status="200"}': "0+3x80"},
    ),
    "ApprovalReportsRefused": grows("approval_reports_refused_total", 0, 1),
    "ApprovalCriteriaNotMet": Case(
        {'approval_sessions_judged_total{verdict="failed", origin="schedule"}': "0x4 1x20"},
        "5m",
        {'approval_sessions_judged_total{verdict="failed", origin="person"}': "0x4 1x20"},
    ),
    "ApprovalDeliveryDoesNotWork": Case(
        {"approval_delivery_last_round_seconds": "0+15x8 120x40"},
        "8m",
        {"approval_delivery_last_round_seconds": "0x3 45+15x40"},
    ),
    "ApprovalDeliveriesGivenUp": Case(
        {'approval_delivery_items{state="dead"}': "2x80"},
        "12m",
        {'approval_delivery_items{state="waiting"}': "2x80"},
    ),
    "ApprovalSessionsUnaccepted": above("approval_sessions_unaccepted", 1, "7m"),
}


AT_THE_START = {
    "DryrunGuardRemovedForOrchestrator": ("docker_guard_expired_removed", {"kind": "network"}, "31m"),
    "ApprovalEventsLost": ("approval_follower_snapshots", {}, "61m"),
    "ApprovalEventsRefused": ("approval_events_refused", {}, "61m"),
    "ApprovalReportsRefused": ("approval_reports_refused", {"limit": "bytes"}, "61m"),
    "ApprovalCriteriaNotMet": (
        "approval_sessions_judged",
        {"verdict": "failed", "origin": "schedule"},
        "61m",
    ),
}
"""Of alerts on the first of something: the counter, its labels, and when it is over."""


PROMETHEUS = """
import sys, urllib.request as r
for target in sys.argv[1:]:
    print(r.urlopen(f"http://{target}/metrics", timeout=10).read().decode())
"""


def scraped() -> dict[str, list[str]]:
    """Return the targets of each job that the scrape configuration names."""
    jobs = yaml.safe_load((DEPLOY / "monitoring" / "scrape.yml").read_text())["scrape_configs"]
    return {job["job_name"]: [at for each in job["static_configs"] for at in each["targets"]] for job in jobs}


def rules_of_alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def promtool() -> str:
    """Return the image of Debian's Prometheus."""
    name = "discovery/test-promtool:13"
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", name, "-"],
        input=PROMTOOL.encode(),
        check=True,
        capture_output=True,
        timeout=300,
    )
    return name


def test_every_alert_has_a_case():
    assert list(CASES) == [rule["alert"] for rule in rules_of_alerts()]


@pytest.mark.deploy
def test_each_alert_fires_when_it_should_and_not_before(promtool: str, tmp_path: Path):
    play(
        promtool,
        tmp_path,
        [played(rule, fires=fires) for rule in rules_of_alerts() for fires in (True, False)],
    )


@pytest.mark.deploy
def test_what_was_counted_before_a_service_was_first_scraped_is_seen(promtool: str, tmp_path: Path):
    """The API that was down for a week has lost its events when Prometheus sees it for the first time."""
    tests = []
    for rule in rules_of_alerts():
        if rule["alert"] in AT_THE_START:
            counter, labels, over = AT_THE_START[rule["alert"]]
            shown = ", ".join(f'{name}="{value}"' for name, value in labels.items())
            series = {f"{counter}_total{{{shown}}}": "1x400", f"{counter}_created{{{shown}}}": "0x400"}
            kept = {} if rule["expr"].startswith("sum(") else labels
            tests += [
                played(rule, fires=True, case=Case(series, "1m", {}, kept)),
                played(rule, fires=False, case=Case({}, over, series)),
            ]
    assert len(tests) == 2 * len(AT_THE_START)
    play(promtool, tmp_path, tests)


def play(promtool: str, tmp_path: Path, tests: list[dict[str, Any]]) -> None:
    """Have promtool play the tests. AssertionError with what it says when one fails."""
    (tmp_path / "alerts.yml").write_bytes(RULES.read_bytes())
    (tmp_path / "cases.yml").write_text(json.dumps({"rule_files": ["alerts.yml"], "tests": tests}))
    tmp_path.chmod(0o755)
    run(
        "docker", "run", "--rm", "--network=none", "--cap-drop=ALL", "--read-only", "--tmpfs=/tmp",
        f"--volume={tmp_path}:/rules:ro",
        "--entrypoint=promtool", promtool, "test", "rules", "/rules/cases.yml",
    )  # fmt: skip


def played(rule: dict[str, Any], *, fires: bool, case: Case | None = None) -> dict[str, Any]:
    """Return promtool's test of one alert."""
    case = case or CASES[rule["alert"]]
    expected = {
        "exp_labels": {**rule["labels"], **case.labels},
        "exp_annotations": {
            name: re.sub(r"{{ \$labels\.(\w+) }}", lambda found: case.labels[found[1]], text)
            for name, text in rule["annotations"].items()
        },
    }
    series = case.fires if fires else case.silent
    return {
        "name": f"{rule['alert']} {'fires' if fires else 'is silent'}",
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": case.at, "alertname": rule["alert"], "exp_alerts": [expected] if fires else []}
        ],
    }


def test_an_alert_tells_of_each_service_that_is_scraped_when_it_is_gone():
    gone = [rule["expr"] for rule in rules_of_alerts() if re.search(r"\bup\{", rule["expr"])]
    watched = [job for expression in gone for job in re.findall(r'\bup\{job="([^"]+)"\}', expression)]
    assert sorted(watched) == sorted(scraped())


@pytest.mark.deploy
def test_alerts_and_dashboard_ask_for_figures_that_the_services_have(deployment: Deployment):
    page = run(
        "docker", "run", "--rm", f"--network={deployment.project}_metrics", "--cap-drop=ALL",
        "--entrypoint=python3", "discovery/docker-guard:0.1.0", "-c", PROMETHEUS,
        *[target for targets in scraped().values() for target in targets],
    )  # fmt: skip
    exported = set(METRIC.findall(page))
    expressions = [rule["expr"] for rule in rules_of_alerts()]
    board = json.loads((DEPLOY / "monitoring" / "dashboard.json").read_text())
    targets = [
        target
        for panel in board["panels"]
        if panel["datasource"]["type"] != "tempo"  # it asks for spans
        for target in panel["targets"]
    ]
    expressions += [target["expr"] for target in targets]
    asked = {name for expression in expressions for name in METRIC.findall(expression)}
    assert asked - exported == set()


def test_every_alert_has_its_runbook():
    guide = GUIDE.read_text()
    anchors = {
        "#" + re.sub(r"[^a-z0-9 -]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", guide, re.MULTILINE)
    }
    named = {rule["annotations"]["runbook"] for rule in rules_of_alerts()}
    assert named - anchors == set()
