"""`docs/extending.md`, followed to the letter in a copy of the project."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import httpx2
import pytest
from local_stack import ROOT

GUIDE = ROOT / "docs" / "extending.md"
STEP = re.compile(
    r"^(?:`(?P<new>\S+)`|In `(?P<old>\S+)`, (?P<how>before|after|instead of) `(?P<line>[^`]+)`):\n\n"
    r"```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
ADDED_IMAGES = {"bmc": "1.0", "collector-ipmi": "1.0", "collector-ping-sweep": "7.95"}
KEPT_IMAGES = {
    *("base", "healthy", "python", "probe", "quiet", "collector-nmap", "collector-network"),
    *ADDED_IMAGES,
}
KEPT_FILES = {"machine-room", "network", "nmap", "ipmi", "ping-sweep"}
"""Templates and manifests."""
COLLECTOR_FOLDERS = (
    "collectors/src/discovery_collectors/collectors/ipmi/",
    "images/collector-ipmi/",
    "collectors/manifests/ipmi.yml",
)
POOL = random.choice(list(ip_network("10.213.64.0/18").subnets(new_prefix=24)))
"""Another checkout's tests may run on this engine."""


@dataclass(frozen=True)
class Step:
    """One block of the guide: a new file, or lines for an old one."""

    section: str
    path: str
    text: str
    how: str = ""
    line: str = ""

    def follow(self, tree: Path) -> None:
        path = tree / self.path
        if not self.how:
            assert not path.exists(), f"{self.path} exists already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text, encoding="utf-8")
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        (at,) = [number for number, line in enumerate(lines) if line.startswith(self.line)]
        first, last = {"before": (at, at), "after": (at + 1, at + 1), "instead of": (at, at + 1)}[self.how]
        lines[first:last] = [self.text]
        path.write_text("".join(lines), encoding="utf-8")


def steps() -> list[Step]:
    found = []
    for section in GUIDE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title = section.partition("\n")[0]
        found += [
            Step(title, step["new"] or step["old"], step["text"], step["how"] or "", step["line"] or "")
            for step in STEP.finditer(section)
        ]
    return found


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    """A copy of the project as the guide leaves it, in a folder of a short name: sockets have 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="dt-"))
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in map(os.fsdecode, filter(None, listed.split(b"\0"))):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
        for name in (".venv", ".uv"):
            (folder / name).symlink_to(ROOT / name)
        for step in steps():
            step.follow(folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def environment(tree: Path, **more: str) -> dict[str, str]:
    """Return an environment in which every program of the copy runs the copy's code."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("DRYRUN_")}
    return inherited | {"PYTHONPATH": os.pathsep.join(map(str, tree.glob("*/src")))} | more


def run(tree: Path, *command: str, **more: str) -> str:
    done = subprocess.run(
        command,
        cwd=tree,
        env=environment(tree, **more),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def python(tree: Path, *arguments: str) -> str:
    return run(tree, str(tree / ".venv" / "bin" / "python"), *arguments)


def test_a_collector_is_one_folder_one_image_folder_and_one_manifest():
    touched = {step.path for step in steps() if step.section == "A collector"}
    assert {next(each for each in COLLECTOR_FOLDERS if path.startswith(each)) for path in touched} == set(
        COLLECTOR_FOLDERS
    )


def test_a_kind_is_two_rows_beside_those_who_report_it():
    touched = [step.path for step in steps() if step.section == "A kind"]
    of_collectors = [
        [
            *["contract/src/dryrun_contract/kinds.py"] * 2,
            f"collectors/src/discovery_collectors/collectors/{collector}/descriptor.py",
            f"collectors/src/discovery_collectors/collectors/{collector}/collector.py",
            f"collectors/manifests/{collector}.yml",
            f"images/{image}/image.yml",
        ]
        for collector, image in (("ipmi", "bmc"), ("snmp", "snmp"))
    ]
    assert touched == [*of_collectors[0], *of_collectors[1], "collectors/tests/collectors/snmp/test_snmp.py"]


def test_what_the_guide_says_to_copy_exists():
    table = GUIDE.read_text(encoding="utf-8").partition("\n## ")[0]
    copied = re.findall(r"\| `([a-z][\w./-]*)` \|$", table, re.MULTILINE)
    assert len(copied) == len({step.section for step in steps()})
    assert [path for path in copied if not (ROOT / path).exists()] == []


RECIPE = """
from pathlib import Path
from dryrun_replica.building.shared_root import shared_root
from dryrun_replica.inventory.model import Service
from dryrun_replica.recipes.loading import load_recipes
from dryrun_replica.recipes.matching import Matcher
book = load_recipes(Path("images/recipes"))
print(Matcher(book).match(Service(port=10809, name="nbd", product="nbdkit")).recipe)
print(" nbdkit " in shared_root(book, Path("images/recipes")).files["Dockerfile"].decode())
"""


def test_a_recipe_is_one_file_by_which_the_product_is_found_and_installed(tree):
    assert [step.path for step in steps() if step.section == "A recipe"] == ["images/recipes/nbdkit.yml"]
    assert python(tree, "-c", RECIPE).split() == ["nbdkit", "True"]


def test_its_code_is_in_the_projects_style(tree):
    written = [step.path for step in steps() if step.path.endswith(".py")]
    run(tree, ".venv/bin/ruff", "check", "--no-cache", *written)
    run(tree, ".venv/bin/ruff", "format", "--no-cache", "--check", *written)


def test_the_collector_is_described_by_its_descriptor(tree):
    listed = " ".join(python(tree, "-m", "discovery_collectors", "--help").split())
    assert "ipmi IPMI version and anonymous users of management boards found before" in listed
    options = python(tree, "-m", "discovery_collectors", "ipmi", "--help")
    assert "--from" in options
    assert "--credentials" not in options
    ports = "from discovery_collectors.installed import *; print([probe.port for probe in udp_probes()])"
    assert "623" in python(tree, "-c", ports)


def test_documentation_and_words_follow_the_kind(tree):
    assert "| `management_board` | `:623/udp` | `anonymous` |" in python(tree, "-m", "dryrun_contract.kinds")
    title = "from dryrun_contract.kinds import title_of; print(title_of('management_board'))"
    assert python(tree, "-c", title) == "management board\n"


def test_the_rows_of_the_kinds_are_what_the_tests_of_kinds_require(tree):
    written = python(tree, "-m", "dryrun_contract.kinds")
    (tree / "docs" / "kinds.md").write_text(written, encoding="utf-8")
    assert "`device_model.object_id` | sysObjectID, as numbers with dots" in written
    assert "passed" in run_tests(tree, "contract/tests/test_kinds.py")


def test_a_collector_that_exists_reports_the_kind(tree):
    assert "passed" in run_tests(tree, "collectors/tests/collectors/snmp/test_snmp.py")


METRIC = """
import asyncio
from types import SimpleNamespace
from prometheus_client import generate_latest
from approval_api.identity.person import Proof
from approval_api.pages.kinds import routes
from approval_api.telemetry.metrics import Metrics
routes.page = lambda *_, **__: None
metrics = Metrics()
request = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(metrics=metrics)))
asyncio.run(routes.show_kinds(request, SimpleNamespace(proof=Proof.TOKEN)))
print(generate_latest(metrics.registry).decode())
"""


def test_a_metric_counts_and_its_label_is_listed(tree):
    assert 'approval_kinds_shown_total{proof="token"} 1.0' in python(tree, "-c", METRIC)
    assert "passed" in run_tests(tree, "tests/documents/test_metric_labels.py")


def test_a_label_that_is_not_listed_is_noticed(tree):
    path = tree / "tests" / "documents" / "test_metric_labels.py"
    listed = path.read_text(encoding="utf-8")
    path.write_text(listed.replace('"approval_kinds_shown": {"proof": Proof},', ""), encoding="utf-8")
    try:
        with pytest.raises(AssertionError, match="approval_kinds_shown"):
            run_tests(tree, "tests/documents/test_metric_labels.py")
    finally:
        path.write_text(listed, encoding="utf-8")


PORT = """
from discovery_collectors.collectors.network.listening_ports import rarer_ports
print(33050 in rarer_ports(()))
"""


def test_a_port_of_quick_is_one_row(tree):
    assert len([step for step in steps() if step.section == "A port of `quick`"]) == 1
    assert python(tree, "-c", PORT) == "True\n"
    assert "passed" in run_tests(tree, "collectors/tests/collectors/network/test_listening_ports.py")


def run_tests(tree: Path, tests: str) -> str:
    return python(tree, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", tests)


@contextmanager
def services(tree: Path) -> Iterator[Mapping[str, str]]:
    """Run all services of the copy; yields the variables that its command line needs."""
    pool = {"ORCHESTRATOR_SUBNET_POOL": str(POOL)}
    with subprocess.Popen(
        [str(tree / ".venv" / "bin" / "dryrun-local"), "up"],
        cwd=tree,
        env=environment(tree, **pool),
        stdout=subprocess.PIPE,
        text=True,
    ) as up:
        try:
            exports = {}
            for line in up.stdout:
                sys.stdout.write(line)
                exports |= re.findall(r"export (DRYRUN_API_\w+)=(\S+)", line)
                if len(exports) == 2:
                    yield exports
                    break
            else:
                pytest.fail("the services did not start")
        finally:
            up.terminate()
            up.communicate(timeout=120)


@pytest.fixture
def own_images(tree, docker):
    """Keep what the example needs, and let no image of the copy take the name of one of the project's."""
    for folder in (tree / "images").iterdir():
        if folder.is_dir() and folder.name not in KEPT_IMAGES:
            shutil.rmtree(folder)
    for path in (*(tree / "collectors" / "manifests").glob("*.yml"), *(tree / "templates").glob("*.yml")):
        if path.stem not in KEPT_FILES:
            path.unlink()
    for path in ("images/collector-network/image.yml", "collectors/manifests/network.yml"):
        text = (tree / path).read_text(encoding="utf-8")
        (tree / path).write_text(text.replace("collector-network:1.0", "collector-network:extended"))
    yield
    for folder, tag in {**ADDED_IMAGES, "collector-network": "extended"}.items():
        docker("image", "rm", f"discovery/test-{folder}:{tag}")


# Its images take packages from the registry, which an engine of one's own does not reach.
@pytest.mark.machine
@pytest.mark.engine
@pytest.mark.timeout(500)
def test_what_the_guide_adds_runs_is_scored_and_shown(tree, engine, own_images):
    dryrun = str(tree / ".venv" / "bin" / "dryrun")
    with services(tree) as client:
        output = run(tree, dryrun, "start", "machine-room", "--watch", **client)
        report = json.loads(run(tree, dryrun, "report", "last", "--format", "json", **client))
        (template,) = json.loads(run(tree, dryrun, "--json", "templates", **client))
        token = (tree / client["DRYRUN_API_TOKEN_FILE"]).read_text(encoding="utf-8").strip()
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/html"}
        with httpx2.Client(base_url=client["DRYRUN_API_URL"], headers=headers, trust_env=False) as http:
            card = http.get("/dryrun/templates").raise_for_status().text
            page = http.get("/kinds").raise_for_status().text

    assert sorted(template["collectors"]) == ["ipmi", "network", "ping-sweep"]
    assert "Machine room" in card
    assert "ipmi" in card
    assert "<dt>management board</dt><dd>anonymous</dd>" in page
    assert "board:623/udp" in output
    assert "admitted" in output

    scores = report["scores"]
    rows = {(row["kind"], row["attribute"]): row for row in scores["rows"]}
    for row in (("service", "product"), ("service", "version"), ("management_board", "anonymous")):
        assert (rows[row]["true_positives"], rows[row]["recall"], rows[row]["precision"]) == (1, 1, 1), row
    assert scores["false_positives"] == scores["false_negatives"] == scores["wrong_values"] == []
    alone = {one["collector"]: {row["kind"] for row in one["rows"]} for one in report["collector_scores"]}
    assert alone["ipmi"] == {"service", "management_board"}
    assert alone["ping-sweep"] == {"host"}
