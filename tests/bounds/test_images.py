"""Every target image runs within a session's limits, on the real engine, started by the docker CLI."""

import json
import time
from collections.abc import Iterator

import pytest
from target_container import (
    REPOSITORY,
    TargetContainer,
    allowed,
    docker,
    internal_network,
    read_yaml,
    run_options,
    running,
    template,
)
from todays_share import todays_share

pytestmark = [pytest.mark.engine, pytest.mark.long(150)]

TARGETS = sorted(
    image
    for path in (REPOSITORY / "images").glob("*/image.yml")
    if (image := read_yaml(path)["image"]).startswith("discovery/test-")
    and not image.startswith("discovery/test-collector-")
)

_SECONDS_TO_HEALTH = 60
"""Measured 0.4 to 4 s, RabbitMQ 7 s, on an idle machine with two processors; the rest is for a busy one."""
_ENGINES_OWN = {"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"}
"""Kernel interfaces and memory that the engine mounts into every container."""


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    with internal_network() as name:
        yield name


@pytest.fixture(scope="module", params=todays_share(TARGETS, 2))
def image(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def target(image: str, network: str) -> Iterator[TargetContainer]:
    with running(image, network) as container:
        container.wait_until_healthy(_SECONDS_TO_HEALTH)
        yield container


def test_there_are_targets() -> None:
    assert len(TARGETS) >= 18
    used = {
        service["image"]
        for path in (REPOSITORY / "templates").glob("*.yml")
        for service in template(path.stem)["services"].values()
    }
    assert used <= set(TARGETS)


def test_no_process_belongs_to_root(image: str, target: TargetContainer) -> None:
    if "SETUID" in allowed(image)["capabilities"]:
        pytest.skip("it changes to the user who logs in, or for whom a part works, which takes root")
    users = docker("top", target.id, "-eo", "uid,pid,comm").splitlines()[1:]
    assert users
    assert [line for line in users if line.split()[0] == "0"] == []


def test_declares_no_volume_and_mounts_nothing_from_the_host(target: TargetContainer) -> None:
    found = target.inspect()
    assert not found["Config"].get("Volumes")
    assert found["Mounts"] == []


def test_nothing_on_disk_is_writable(image: str, target: TargetContainer) -> None:
    mounts = [line.split() for line in target.execute("cat", "/proc/mounts").splitlines()]
    writable = {place for _, place, _, options, *_ in mounts if "rw" in options.split(",")}
    # Places under /proc are masks over files of the kernel.
    disks = {place for place in writable - _ENGINES_OWN if not place.startswith("/proc/")}
    assert disks <= set(allowed(image)["tmpfs"])
    folders = "/ /etc /srv /tmp /usr/local/bin /var/tmp /var/log"
    attempt = f"for each in {folders}; do touch $each/new 2> /dev/null && echo $each; done; true"
    assert target.execute("sh", "-c", attempt).split() == [], "can be written"


def test_a_tmpfs_ends_at_its_size(image: str, target: TargetContainer) -> None:
    for path, place in allowed(image)["tmpfs"].items():
        fill = (
            f"dd if=/dev/zero of={path}/fill bs=1M count={place['size'] // 1024**2 + 1} 2>&1; rm {path}/fill"
        )
        assert "No space left on device" in target.execute("sh", "-c", fill)


def test_stays_far_below_its_memory(target: TargetContainer) -> None:
    usage = json.loads(docker("stats", "--no-stream", "--format={{json .}}", target.id))["MemPerc"]
    assert float(usage.rstrip("%")) < 50


def test_stops_at_once_and_in_order(target: TargetContainer) -> None:
    # The last of those that share the container.
    begun = time.monotonic()
    docker("stop", "--time=10", target.id)
    # Measured 0.1 to 1.2 s; not asking at all takes the whole grace of 10 s.
    assert time.monotonic() - begun < 8
    assert target.inspect()["State"]["ExitCode"] == 0


def test_the_django_site_shows_its_data_and_an_admin(network: str) -> None:
    (image,) = [name for name in TARGETS if "django" in name]
    with running(image, network) as site:
        site.wait_until_healthy()
        ask = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
        equipment = json.loads(
            site.execute("python3", "-c", ask, "http://127.0.0.1:8000/api/equipment.json")
        )["equipment"]
        assert len(equipment) == 60
        assert equipment[0]["tag"] in site.execute("python3", "-c", ask, "http://127.0.0.1:8000/")
        assert "csrfmiddlewaretoken" in site.execute("python3", "-c", ask, "http://127.0.0.1:8000/admin/")


def test_is_not_healthy_without_its_service(image: str) -> None:
    entry = allowed(image)
    if entry["ground_truth"] and not any(fact["kind"] == "service" for fact in entry["ground_truth"]):
        pytest.skip("it offers no service")
    probe = json.loads(docker("image", "inspect", entry["id"]))[0]["Config"]["Healthcheck"]["Test"]
    assert probe[0] == "CMD"
    container = docker(
        "run", "--detach", "--network=none", *run_options(entry), entry["id"], "sleep", "60"
    ).strip()
    try:
        docker("exec", container, "true")
        with pytest.raises(AssertionError, match="exit code"):
            docker("exec", container, *probe[1:], "0")  # asks once
    finally:
        docker("rm", "--force", container)
