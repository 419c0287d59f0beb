import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_orchestrator.catalog.allowlist import AllowedImage, Allowlist
from dryrun_orchestrator.catalog.compose import Dependency, read_services, unescape
from dryrun_orchestrator.catalog.variants import Alternative
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import FaultList

IMAGES = (
    AllowedImage("discovery/test-nginx:1.26", f"sha256:{'1' * 64}", frozenset({"SITE", "TITLE"})),
    AllowedImage("discovery/test-postgres:17", f"sha256:{'2' * 64}"),
    AllowedImage("discovery/test-collector-network:1", f"sha256:{'3' * 64}"),
)
ALLOWLIST = Allowlist("allowlist.json", {image.name: image for image in IMAGES})
NGINX = "image: discovery/test-nginx:1.26"


def read(text):
    report = FaultList("small.yml")
    node = read_yaml(text.encode(), report, unescape=unescape)
    return read_services(node, ALLOWLIST), [f"{fault.where}: {fault.what}" for fault in report.faults]


def test_a_service_comes_with_its_image_as_the_allowlist_has_it():
    [web], faults = read(f"web:\n  {NGINX}\n  environment: {{SITE: a, TITLE: ''}}\n")
    assert faults == []
    assert web.name == "web"
    assert web.alternatives == (Alternative(IMAGES[0], {"SITE": "a", "TITLE": ""}, ()),)


def test_environment_as_a_list_means_the_same():
    [web], faults = read(f"web:\n  {NGINX}\n  environment: ['SITE=a=b', 'TITLE=']\n")
    assert faults == []
    assert web.alternatives[0].environment == {"SITE": "a=b", "TITLE": ""}


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        ("{NOPE: a}", ".NOPE: the key 'NOPE' cannot be set: discovery/test-nginx:1.26 allows SITE, TITLE"),
        ("['NOPE=a']", "[0]: the key 'NOPE' cannot be set: discovery/test-nginx:1.26 allows SITE, TITLE"),
        ("{SITE: 80}", ".SITE: is a number; expected a text; write it in quotes"),
        ("{SITE: on}", ".SITE: is yes or no; expected a text; write it in quotes"),
        ("{SITE: }", ".SITE: is empty; expected a text"),
        ("[SITE]", "[0]: has no '=': a value from the loader's own environment is not taken"),
        ("['SITE=a', 'SITE=b']", "[1]: sets 'SITE' a second time"),
        ("SITE", ": is a text; expected a map"),
        ("{SITE: '${HOME}'}", ".SITE: holds a single '$'"),
    ],
)
def test_refuses_environment_that_the_image_or_the_subset_does_not_allow(environment, fault):
    _, faults = read(f"web:\n  {NGINX}\n  environment: {environment}\n")
    assert len(faults) == 1
    assert faults[0].startswith(f"small.yml:3: web.environment{fault}")


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("malicious/image:latest", "only images under discovery/test- can be started"),
        ("discovery/test-nginx:1.27", "it is not in the allowlist"),
        ("discovery/test-collector-network:1", "is a collector; a template names targets"),
        ("[]", "is a list; expected a text"),
    ],
)
def test_refuses_an_image_that_is_no_approved_target(image, why):
    services, faults = read(f"web:\n  image: {image}\n")
    assert services == ()
    assert len(faults) == 1
    assert faults[0].startswith("small.yml:2: web.image: ")
    assert why in faults[0]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("privileged: true", "isolation is the same for every container"),
        ("volumes: ['/:/host']", "containers get nothing of the host"),
        ("ports: ['80:80']", "nothing is published"),
        ("build: .", "images are built before"),
        ("command: [sh]", "it is the image's own"),
        ("cap_add: [SYS_ADMIN]", "the allowlist says what an image is granted"),
        ("network_mode: host", "every session has one network of its own"),
        ("mem_limit: 8g", "limits are the same for every container"),
        ("container_name: db", "names are chosen by the orchestrator"),
        ("env_file: /etc/passwd", "a template is one file"),
        ("whatever: x", "known here are image, environment, depends_on, x-ground-truth"),
    ],
)
def test_refuses_every_other_key_of_compose_and_says_why(key, why):
    _, faults = read(f"web:\n  {NGINX}\n  {key}\n")
    name = key.partition(":")[0]
    assert len(faults) == 1
    assert faults[0].startswith(f"small.yml:3: web.{name}: the key '{name}' is outside the subset: {why}")


def test_services_come_after_what_they_depend_on_and_in_the_files_order_otherwise():
    services, faults = read(
        f"web: {{{NGINX}, depends_on: [app]}}\n"
        f"app: {{{NGINX}, depends_on: {{db: {{condition: service_healthy}}}}}}\n"
        f"db: {{{NGINX}}}\ncache: {{{NGINX}}}\n"
    )
    assert faults == []
    assert [service.name for service in services] == ["db", "cache", "app", "web"]
    assert services[3].depends_on == (Dependency("app", "service_started"),)
    assert services[2].depends_on == (Dependency("db", "service_healthy"),)


@pytest.mark.parametrize(
    ("depends_on", "fault"),
    [
        ("[nope]", "[0]: there is no service 'nope'; known are 'web', 'db'"),
        ("[db, db]", "[1]: names 'db' a second time"),
        ("{nope: {condition: service_healthy}}", ".nope: there is no service 'nope'"),
        ("{db: {}}", ".db: the key 'condition' is missing"),
        ("{db: {condition: service_completed_successfully}}", ".db.condition: is 'service_completed_suc"),
        ("{db: {condition: service_healthy, restart: x}}", ".db.restart: the key 'restart' is outside"),
        ("db", ": is a text; expected a map"),
        ("[web]", ": services wait for each other in a circle: web -> web"),
    ],
)
def test_refuses_a_dependency_that_cannot_be_met(depends_on, fault):
    _, faults = read(f"web:\n  {NGINX}\n  depends_on: {depends_on}\ndb:\n  {NGINX}\n")
    assert len(faults) == 1
    assert faults[0].startswith(f"small.yml:3: web.depends_on{fault}")


def test_every_cycle_is_reported_also_through_an_invalid_service():
    _, faults = read(
        f"a: {{{NGINX}, depends_on: [b]}}\nb: {{image: x, depends_on: [c]}}\n"
        f"c: {{{NGINX}, depends_on: [a]}}\n"
        f"d: {{{NGINX}, depends_on: [e]}}\ne: {{{NGINX}, depends_on: [d]}}\n"
    )
    circles = [fault for fault in faults if "circle" in fault]
    assert len(circles) == 2
    assert len(faults) == 3


def test_a_template_has_one_to_twenty_services():
    for count, refused in ((0, True), (1, False), (20, False), (21, True)):
        text = "\n".join(f"s{number}: {{{NGINX}}}" for number in range(count)) or "{}"
        _, faults = read(text)
        assert faults == ([f"small.yml:1: has {count} services; a template has 1 to 20"] if refused else [])


@pytest.mark.parametrize("name", ["10", "10.0.0.3", "Web", "a_b", "-a", "a-", "a" * 64, "1web", "fe80::1"])
def test_a_service_name_is_a_label_that_cannot_be_an_address(name):
    _, faults = read(f"'{name}': {{{NGINX}}}\n")
    assert len(faults) == 1
    assert "is not a service name" in faults[0]


def test_a_dollar_sign_is_written_twice():
    assert unescape("a$$b$$$$c") == "a$b$$c"


@pytest.mark.parametrize("text", ["$", "$x", "${x}", "${x:-y}", "$$$x", "a$$$", "$1"])
def test_nothing_is_interpolated(text):
    with pytest.raises(ValueError, match="single '\\$'"):
        unescape(text)


@given(st.text())
def test_any_text_can_be_written_with_doubled_dollar_signs(text):
    assert unescape(text.replace("$", "$$")) == text


def compose_works():
    docker = shutil.which("docker")
    return (
        docker
        and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0
    )


TEMPLATES = Path(__file__).parents[3] / "templates"


@pytest.mark.skipif(not compose_works(), reason="needs the docker command with its compose plug-in")
def test_compose_itself_reads_the_subset_as_we_do(tmp_path):
    text = (
        f"db:\n  {NGINX}\n  environment: ['SITE=a=$$b']\n"
        f"web:\n  {NGINX}\n  environment: {{SITE: '', TITLE: \"$$\"}}\n"
        "  depends_on: {db: {condition: service_healthy}}\n  x-ground-truth: [{kind: host, key: ''}]\n"
    )
    ours, faults = read(text)
    file = tmp_path / "small.yml"
    indented = "".join(f"  {line}\n" for line in text.splitlines())
    file.write_text(f"name: small\nx-dryrun: {{title: a, description: b}}\nservices:\n{indented}")
    theirs = json.loads(compose_config(file, "--format", "json"))["services"]
    assert faults == []
    for service in ours:
        other = theirs[service.name]
        [written] = service.alternatives
        assert other["image"] == written.image.name
        found = {key: value.replace("$$", "$") for key, value in other["environment"].items()}
        assert found == written.environment
        conditions = {name: what["condition"] for name, what in other.get("depends_on", {}).items()}
        assert conditions == {each.service: each.condition for each in service.depends_on}


@pytest.mark.skipif(not compose_works(), reason="needs the docker command with its compose plug-in")
@pytest.mark.parametrize("file", sorted(TEMPLATES.glob("*.yml")), ids=lambda file: file.stem)
def test_compose_accepts_every_template(file):
    assert "services:" in compose_config(file)


def compose_config(file, *options):
    done = subprocess.run(
        ["docker", "compose", "-f", file, "config", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
