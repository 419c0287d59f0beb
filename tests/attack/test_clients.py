"""Docker's own clients work with the guard, show its refusals, and never try to pull."""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import aclosing
from uuid import UUID

import docker
import docker.errors
import pytest
from guard_lab import Lab
from sessions_lab import LabSession, lab_session

from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.errors import ForbiddenError, ImageMissingError, NotFoundError
from dryrun_orchestrator.engine.protocol import ContainerSpec, NetworkSpec, Tmpfs

pytestmark = pytest.mark.engine


@pytest.fixture
def session(lab: Lab):
    with lab_session(lab) as made:
        yield made


@pytest.fixture(autouse=True)
def no_pull(lab: Lab):
    """Whatever a test does, no client gets as far as a pull, and none says that it tries one."""
    mark = lab.tap.mark()
    yield
    assert b"/images/create" not in lab.tap.heard_since(mark)


def cli(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    return subprocess.run(
        ["docker", "-H", lab.guard.url, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


def must(lab: Lab, *arguments: str) -> str:
    done = cli(lab, *arguments)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def create_flags(session: LabSession, image: str = "@IMAGE@") -> list[str]:
    """`docker create` with the flags that a target needs."""
    facts = session.facts
    labels = {
        "session_id": facts["SESSION"],
        "owner": facts["OWNER"],
        "service": "attacked",
        "role": "target",
        "template": "small",
        "image": facts["IMAGE_NAME"],
        "expires_at": facts["EXPIRES"],
    }
    flags = {
        "network": facts["NETWORK"],
        "network-alias": "attacked",
        "cap-drop": "ALL",
        "security-opt": "no-new-privileges:true",
        "memory": "512m",
        "memory-swap": "512m",
        "cpus": "0.5",
        "pids-limit": "100",
        "tmpfs": "/scratch:rw,noexec,nosuid,nodev,size=1048576,mode=0755,uid=33,gid=33",
        "log-driver": "json-file",
    }
    return [
        *(f"--{name}={value}" for name, value in flags.items()),
        "--read-only",
        "--log-opt=max-size=10485760",
        "--log-opt=max-file=1",
        *(f"--label=discovery.dryrun.{name}={value}" for name, value in labels.items()),
        session.facts.get(image.strip("@"), image),
    ]


def first_words[T](logs: Callable[[], T]) -> T:
    """Return what a container says as soon as it has spoken, which it has not at once."""
    deadline = time.monotonic() + 20
    while not (said := logs()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return said


def test_docker_cli_creates_starts_lists_reads_and_removes(lab: Lab, session: LabSession) -> None:
    name = f"dryrun-attack-{lab.nonce}-cli"
    made = must(lab, "create", f"--name={name}", *create_flags(session))
    assert must(lab, "start", name) == name
    assert must(lab, "ps", "--no-trunc", "--filter", f"label={session.label}", "--format", "{{.ID}}") == made
    assert must(lab, "inspect", "--format", "{{.Id}}", name) == made
    assert must(lab, "inspect", "--type=container", "--format", "{{.Id}}", made[:12]) == made
    assert first_words(lambda: must(lab, "logs", name)) == "ready"
    assert must(lab, "stop", "--time=1", name) == name
    assert must(lab, "wait", name) == "137"
    assert must(lab, "rm", "-f", name) == name
    assert not session.ids()


def test_docker_cli_sees_no_foreign_container(lab: Lab) -> None:
    seen = must(lab, "ps", "-a", "--no-trunc") + must(lab, "network", "ls", "--no-trunc")
    assert not [secret for secret in lab.secrets if secret.decode() in seen]
    for arguments in (("rm", "-f"), ("logs",), ("inspect",), ("stop",), ("start",)):
        done = cli(lab, *arguments, lab.facts["VICTIM_NAME"])
        # "docker rm -f" takes what is not there for removed.
        assert done.returncode != 0 or arguments == ("rm", "-f"), arguments
        assert "no such" in done.stderr.lower(), arguments


@pytest.mark.parametrize(
    "flag",
    [
        "--privileged",
        "--volume=/:/host",
        "--pid=host",
        "--cap-add=SYS_ADMIN",
        "--device=/dev/null",
        "--publish=80:80",
    ],
)
def test_docker_cli_shows_a_refusal(flag: str, lab: Lab, session: LabSession) -> None:
    done = cli(lab, "create", f"--name=dryrun-attack-{lab.nonce}-flag", flag, *create_flags(session))
    assert done.returncode != 0
    assert "Error response from daemon: " in done.stderr
    assert not session.ids()


@pytest.mark.parametrize(
    "image", ["@OUTSIDE_NAME@", "@MISSING_NAME@", "discovery/test-nothing:9", "@OUTSIDE_ID@"]
)
def test_docker_cli_does_not_pull_what_is_refused(image: str, lab: Lab, session: LabSession) -> None:
    done = cli(lab, "create", f"--name=dryrun-attack-{lab.nonce}-image", *create_flags(session, image))
    assert done.returncode != 0
    assert "Unable to find image" not in done.stderr
    assert "Error response from daemon: " in done.stderr


def test_docker_cli_shows_that_a_pull_is_refused(lab: Lab) -> None:
    done = cli(lab, "pull", lab.facts["IMAGE_NAME"])
    assert done.returncode != 0
    assert done.stderr.startswith("Error response from daemon: ")


def test_docker_py_works(lab: Lab, session: LabSession) -> None:
    answer = session.create(f"dryrun-attack-{lab.nonce}-py").json()["Id"]
    client = docker.DockerClient(base_url=lab.guard.url, version="auto")
    try:
        assert client.ping()
        container = client.containers.get(answer)
        container.start()
        assert first_words(container.logs) == b"ready\n"
        assert container.stats(stream=False)["name"] == f"/dryrun-attack-{lab.nonce}-py"
        listed = client.containers.list(all=True, filters={"label": session.label})
        assert [each.id for each in listed] == [answer]
        assert client.networks.get(session.facts["NETWORK"]).attrs["Internal"] is True
        container.stop(timeout=1)
        assert container.wait()["StatusCode"] == 137
        container.remove(force=True, v=True)
        with pytest.raises(docker.errors.NotFound):
            client.containers.get(lab.facts["VICTIM_NAME"])
        with pytest.raises(docker.errors.APIError) as refused:
            client.containers.create(lab.facts["IMAGE"], privileged=True)
        assert refused.value.status_code == 403
        assert refused.value.explanation
    finally:
        client.close()


@pytest.mark.parametrize("image", ["OUTSIDE_NAME", "MISSING_NAME"])
def test_docker_py_does_not_pull_what_is_refused(image: str, lab: Lab) -> None:
    client = docker.DockerClient(base_url=lab.guard.url, version="auto")
    try:
        with pytest.raises(docker.errors.APIError) as refused:
            client.containers.run(lab.facts[image])
        # ImageNotFound would have made it pull.
        assert not isinstance(refused.value, docker.errors.ImageNotFound)
    finally:
        client.close()


async def test_the_orchestrators_adapter_works(lab: Lab) -> None:
    session = LabSession(lab, lab.guard, 600)
    facts = session.facts
    engine = DockerEngine(lab.guard.url)
    common = {
        "discovery.dryrun.session_id": facts["SESSION"],
        "discovery.dryrun.owner": facts["OWNER"],
        "discovery.dryrun.template": "small",
        "discovery.dryrun.expires_at": facts["EXPIRES"],
    }
    spec = ContainerSpec(
        name=f"dryrun-attack-{lab.nonce}-adapter",
        image_id=facts["IMAGE"],
        image_name=facts["IMAGE_NAME"],
        network=facts["NETWORK"],
        address=facts["FIRST"],
        aliases=("db",),
        labels=common
        | {
            "discovery.dryrun.service": "db",
            "discovery.dryrun.role": "target",
            "discovery.dryrun.image": facts["IMAGE_NAME"],
        },
        environment={"GREETING": "hello"},
        tmpfs={"/scratch": Tmpfs(size=1048576, uid=33, gid=33)},
    )
    try:
        await engine.ping()
        network = await engine.create_network(
            NetworkSpec(facts["NETWORK"], facts["BRIDGE"], facts["SUBNET"], common)
        )
        async with engine.events() as events:
            made = await engine.create_container(spec)
            await engine.start_container(made)
            async with asyncio.timeout(10):
                while (await anext(events)).id != made:  # others' sessions are reported as well
                    pass
        assert [each.id for each in await engine.list_containers(session.label)] == [made]
        assert [each.id for each in await engine.list_networks(session.label)] == [network]
        detail = await engine.inspect_container(made)
        assert (detail.status, detail.address) == ("running", facts["FIRST"])
        assert (await engine.read_traffic(made)) is not None
        async with asyncio.timeout(20), aclosing(engine.read_log(made, follow=True)) as log:
            assert (await anext(log)).data == b"ready\n"
        await engine.remove_container(made)
        await engine.remove_network(network)
        await _refusals(engine, lab, spec)
    finally:
        await engine.close()
        session.remove()


async def _refusals(engine: DockerEngine, lab: Lab, spec: ContainerSpec) -> None:
    with pytest.raises(NotFoundError):
        await engine.inspect_container(lab.facts["VICTIM_ID"])
    with pytest.raises(ForbiddenError) as refused:
        await engine.create_container(
            ContainerSpec(
                name=spec.name,
                image_id=lab.facts["OUTSIDE_ID"],
                image_name=lab.facts["OUTSIDE_NAME"],
                network=lab.facts["NETWORK"],
                address=lab.facts["ADDRESS"],
                aliases=(),
                labels=spec.labels,
            )
        )
    assert not isinstance(refused.value, ImageMissingError)
    assert UUID(spec.labels["discovery.dryrun.session_id"])
