"""Every template through the whole system, behind the guard: no fact is missed, no false positive found.

A day takes a third of the templates, `make nightly` all of them, in five variants each (`DRYRUN_SEEDS=5`).
The seed is chosen anew each time and printed.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml
from canaries import found_in
from inert_report import faults_of
from local_stack import ROOT
from todays_share import todays_share

from dryrun_contract.session import MAX_SEED

pytestmark = [pytest.mark.engine, pytest.mark.long(180), pytest.mark.timeout(900)]

PROGRAM = str(ROOT / ".venv" / "bin" / "dryrun-local")
POOL = random.choice(list(ip_network("10.213.128.0/18").subnets(new_prefix=24)))
"""Another checkout's tests may run on this engine."""
SEEDS = int(os.environ.get("DRYRUN_SEEDS", "1"))
TEMPLATES = sorted(path.stem for path in (ROOT / "templates").glob("*.yml"))


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("templates")
    shutil.copy(ROOT / ".dryrun" / "allowlist.json", folder)
    return folder


@pytest.fixture
def rehearse(state, engine, capsys):
    def run(template: str, seed: int) -> dict:
        """Return the report of one session, from a demo that ended well and left nothing."""
        with capsys.disabled():
            sys.stdout.write(f"\ntemplate {template}, seed {seed} ")
        demo = subprocess.run(
            [PROGRAM, "demo", "--json", "--template", template, "--seed", str(seed)],
            env=os.environ | {"DRYRUN_LOCAL_STATE": str(state), "ORCHESTRATOR_SUBNET_POOL": str(POOL)},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert demo.returncode == 0, f"template {template}, seed {seed}: {demo.stderr}"
        last = json.loads(demo.stdout.splitlines()[-1])
        assert (last["outcome"], last["left"]) == ("completed", [])
        # Whatever its targets said, and whatever stood in them, in journal, database, logs and reports.
        for path in map(Path, last["files"]):
            assert faults_of(path.suffix, path.read_text(encoding="utf-8")) == [], path
        assert found_in(state) == []
        return last["report"]

    return run


def places_of(facts) -> list[tuple[str, ...]]:
    return [
        tuple(str(fact[name]) for name in ("kind", "key", "attribute") if fact.get(name)) for fact in facts
    ]


def assert_all_is_found_and_nothing_else(report, where: str) -> None:
    """Say all that is wrong at once: a session takes long."""
    scores = report["scores"]
    wrong = {
        "missed": places_of(each for each in scores["false_negatives"] if each["hard"] is None),
        "wrong": [
            (*place, each["expected"], each["found"])
            for each in scores["wrong_values"]
            if each["hard"] is None
            for place in places_of([each])
        ],
        "closed": places_of(each for each in scores["not_evaluable"] if each["hard"] is None),
        "not looked for": scores["not_looked_for"],
        "false positives": places_of(scores["false_positives"]),
        "incomplete": [each["reason"] for each in report["collectors"] if not each["complete"]],
    }
    assert not any(wrong.values()), f"{where}: {json.dumps(wrong, indent=1, ensure_ascii=False)}"
    assert scores["overall_without_hard"]["recall"] == 1.0


def assert_each_hard_case_is_judged(report, where: str) -> None:
    scores = report["scores"]
    judged = {(case["kind"], case["key"]): case["judgement"] for case in scores["hard_cases"]}
    lists = ("found", "false_negatives", "wrong_values", "not_evaluable")
    hard = {(fact["kind"], fact["key"]) for name in lists for fact in scores[name] if fact["hard"]}
    assert judged, f"{where} has no hard case"
    assert set(judged) == hard
    assert all(judged.values())


@pytest.mark.parametrize("template", todays_share(TEMPLATES, 3))
@pytest.mark.parametrize("number", range(SEEDS))
def test_a_template_is_found_whole_and_its_hard_cases_are_judged(rehearse, template, number):
    seed = random.randrange(MAX_SEED + 1)
    where = f"template {template}, seed {seed}"
    report = rehearse(template, seed)
    assert (report["template"]["id"], report["template"]["seed"]) == (template, seed)
    assert_all_is_found_and_nothing_else(report, where)
    assert_each_hard_case_is_judged(report, where)
    collectors = {each["collector"] for each in report["collectors"]}
    written = yaml.safe_load((ROOT / "templates" / f"{template}.yml").read_text())["x-dryrun"]
    assert collectors == set(written.get("collectors", collectors - {"nmap"}))
    if "nmap" in collectors:
        columns = {each["collector"]: each["rows"] for each in report["collector_scores"]}
        assert {row["kind"] for row in columns["nmap"]} == {"host", "service"}
        assert {"network", "database"} <= columns.keys()
        # It is there for comparison: in a column of its own, and nowhere else.
        scores = report["scores"]
        counted = [*scores["found"], *scores["false_positives"]]
        assert not any("nmap" in each["collectors"] for each in counted)
