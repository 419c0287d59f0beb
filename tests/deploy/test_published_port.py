"""The published port, from this host, from behind a proxy on it, and from the next machine on the wire."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from deployment import Deployment, Json, needs_root, prepared, run

pytestmark = pytest.mark.deploy

PUBLIC = "https://approval.example"
NEXT_MACHINE = ("10.212.252.1", "10.212.252.2")
PASSWORD = "three words that nobody guesses"


@pytest.fixture(scope="module")
def production(deployment: Deployment, folder: Path) -> Iterator[Deployment]:
    """Production alone, behind a reverse proxy on this host."""
    place = folder / "proxied"
    place.mkdir()
    with prepared(place, dryrun=False, options=("--public-url", PUBLIC)) as made:
        made.up()
        yield made


@pytest.fixture
def next_machine() -> Iterator[str]:
    """A network namespace whose only way anywhere is this host."""
    name = f"dt-{secrets.token_hex(3)}"
    ours, theirs = f"{name}-a", f"{name}-b"
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        run("ip", "address", "add", f"{NEXT_MACHINE[0]}/30", "dev", ours)
        run("ip", "link", "set", ours, "up")
        run("ip", "-n", name, "address", "add", f"{NEXT_MACHINE[1]}/30", "dev", theirs)
        run("ip", "-n", name, "link", "set", theirs, "up")
        run("ip", "-n", name, "route", "add", "default", "via", NEXT_MACHINE[0])
        yield name
    finally:
        run("ip", "netns", "delete", name)


def from_next_machine(name: str, address: str, port: int) -> str:
    """Return what curl says: a status, or 000 and why."""
    done = subprocess.run(
        ["ip", "netns", "exec", name, "curl", "--silent", "--max-time", "3", "--output", "/dev/null",
         "--write-out", "%{http_code}", f"http://{address}:{port}/livez"],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    return done.stdout


def addresses_of(inspected: Json) -> list[str]:
    return [each["IPAddress"] for each in inspected["NetworkSettings"]["Networks"].values()]


@needs_root
def test_the_next_machine_does_not_reach_a_container_past_the_publication(
    production: Deployment, next_machine: str
):
    """moby#45610: packets that are routed straight to the container."""
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1"
    assert httpx2.get(f"{production.url}/livez", trust_env=False).status_code == httpx2.codes.OK
    api, postgres = production.inspect("approval-api"), production.inspect("postgres")
    wanted = [(address, 8470) for address in addresses_of(api)]
    wanted += [(address, 9323) for address in addresses_of(api)]
    wanted += [(address, 5432) for address in addresses_of(postgres)]
    assert {place: from_next_machine(next_machine, *place) for place in wanted} == dict.fromkeys(
        wanted, "000"
    )
    # Nor by the host's own address, as it is published on 127.0.0.1.
    assert from_next_machine(next_machine, NEXT_MACHINE[0], production.port) == "000"


@needs_root
def test_the_next_machine_reaches_a_port_that_is_published_to_it(production: Deployment, next_machine: str):
    env = production.env_file.read_text()
    everywhere = env.replace("DRYRUN_PUBLISH=127.0.0.1", "DRYRUN_PUBLISH=0.0.0.0")
    production.env_file.write_text(everywhere)
    try:
        production.up()
        assert from_next_machine(next_machine, NEXT_MACHINE[0], production.port) == "200"
        (edge, *_) = [
            each["IPAddress"]
            for name, each in production.inspect("approval-api")["NetworkSettings"]["Networks"].items()
            if name.endswith("_edge")
        ]
        assert from_next_machine(next_machine, edge, 8470) == "000"
    finally:
        production.env_file.write_text(env)
        production.up()


def test_cookies_are_secure_and_client_addresses_come_from_the_proxy(production: Deployment):
    link = production.compose(
        "run", "--rm", "--no-TTY", "migrate", "invite", "ada", "--first", "--url", PUBLIC
    ).splitlines()[-1]
    proxied = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Origin": PUBLIC}
    proxied["Host"] = "approval.example"
    with httpx2.Client(base_url=production.url, headers=proxied, trust_env=False) as browser:
        secret = link.partition("secret=")[2]
        accepted = browser.post("/invitation", data={"secret": secret, "password": PASSWORD})
        assert accepted.status_code == httpx2.codes.SEE_OTHER, accepted.text
        cookies = accepted.headers.get_list("set-cookie")
        names = {cookie.partition("=")[0] for cookie in cookies}
        assert names == {"__Host-approval", "__Host-approval-browser"}
        assert all("; Secure" in cookie for cookie in cookies)
        assert accepted.headers.get("strict-transport-security")
    output = production.inside(
        "postgres", "psql", "--host=/run/postgresql", "--username=owner", "--dbname=dryrun", "--tuples-only",
        "--no-align", "--command", "SELECT json_agg(DISTINCT address) FROM gateway.logins",
    )  # fmt: skip
    assert json.loads(output) == ["203.0.113.9"]
