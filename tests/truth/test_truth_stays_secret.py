"""Scores come from scanning: a different ground truth ruins them, and none of it reaches a collector."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from local_stack import ROOT, Stack
from log_cutter import LogCutter, open_log_cutter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

pytestmark = pytest.mark.engine

SMALL: dict[str, Any] = yaml.safe_load((ROOT / "templates" / "small.yml").read_text(encoding="utf-8"))

INSIDE = """
import concurrent.futures, ipaddress, json, pathlib, socket, struct, sys

def name_of(address):
    labels = [*reversed(address.split(".")), "in-addr", "arpa"]
    question = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\\0\\0\\x0c\\0\\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(3)
        try:
            asking.sendto(struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + question, ("127.0.0.11", 53))
            answer = asking.recv(4096)
        except OSError:
            return None
    # The names of an answer, readable enough for a search.
    return answer[12 + len(question):].decode("latin-1") or None

places = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/proc/1/cmdline", "/proc/1/mountinfo",
          "/proc/1/cgroup", "/proc/cmdline", "/proc/net/arp"]
visible = {place: pathlib.Path(place).read_text(errors="replace") for place in places}
visible["hostname"] = socket.gethostname()
addresses = [str(address) for address in ipaddress.ip_network(sys.argv[1])]
with concurrent.futures.ThreadPoolExecutor(len(addresses)) as pool:
    visible["reverse DNS"] = {a: n for a, n in zip(addresses, pool.map(name_of, addresses)) if n}
environ = pathlib.Path("/proc/1/environ").read_bytes().decode().rstrip("\\0")
visible["environ"] = dict(line.split("=", 1) for line in environ.split("\\0"))
print(json.dumps(visible))
"""
"""Collects what a collector could know before it sends a packet. Standard library only."""


def write_templates(folder: Path) -> None:
    """Write `small`, and `rotated`: the same machines, each with its neighbour's truth."""
    folder.mkdir()
    (folder / "small.yml").write_bytes((ROOT / "templates" / "small.yml").read_bytes())
    names = list(SMALL["services"])
    rotated = {
        **SMALL,
        "services": {
            name: SMALL["services"][name] | {"x-ground-truth": SMALL["services"][other]["x-ground-truth"]}
            for name, other in zip(names, [*names[1:], names[0]], strict=True)
        },
    }
    (folder / "rotated.yml").write_text(yaml.safe_dump(rotated), encoding="utf-8")


def strings_of(value: object) -> set[str]:
    """Return every string in a JSON value, keys too."""
    match value:
        case str():
            return {value}
        case Mapping():
            return set(value).union(*map(strings_of, value.values()))
        case list():
            return set[str]().union(*map(strings_of, value))
        case _:
            return set()


def truth_words() -> set[str]:
    """Return every name that would help somebody who has to find it: services, images, products, tables."""
    words: set[str] = {SMALL["x-dryrun"]["title"], "ground-truth", "18734", "discovery/test", "pineharbour"}
    for name, service in SMALL["services"].items():
        words |= {name, service["image"], service["image"].removeprefix("discovery/test-").partition(":")[0]}
        for fact in service["x-ground-truth"]:
            words |= set(fact["key"].split("/")[2:])
            for attribute, value in fact.get("data", {}).items():
                words |= strings_of(value) if attribute != "version" else set()
    # Words of everyday English, and of systems: they appear anywhere and reveal nothing.
    return words - {"0", "1", "id", "name", "title", "text", "body", "status", "code", "version", "tcp"}


def words_in(content: object, words: Iterable[str]) -> set[str]:
    """Return which of `words` stand in `content` as words of their own."""
    said = "\n".join(strings_of(content))
    alone = r"(?<![A-Za-z0-9]){}(?![A-Za-z0-9])"
    return {word for word in words if re.search(alone.format(re.escape(word)), said, re.IGNORECASE)}


async def collector_container(stack: Stack, session_id: UUID, collector: str, seconds: float = 60) -> str:
    """Return the id of the collector's container as soon as it runs."""
    filters = json.dumps(
        {
            "label": [f"discovery.dryrun.session_id={session_id}", f"discovery.dryrun.service={collector}"],
            "status": ["running"],
        }
    )
    async with asyncio.timeout(seconds):
        while not (found := await stack.engine.get("/containers/json", filters=filters)):
            await asyncio.sleep(0.05)
    return str(found[0]["Id"])


def seen_from_inside(container: str, subnet: str) -> dict[str, Any]:
    command = ["docker", "exec", "--interactive", container, "python3", "-", subnet]
    done = subprocess.run(command, input=INSIDE, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def config_of(environ: Mapping[str, str]) -> dict[str, Any]:
    keys = sorted(key for key in environ if key.startswith("DISCOVERY_CONFIG"))
    config: dict[str, Any] = json.loads("".join(environ[key] for key in keys))
    return config


async def discoveries_of(stack: Stack, session_id: UUID) -> set[tuple[str, str, str, str]]:
    """Return what the collectors reported: who, kind, key by service, and product or columns."""
    events = [event.data for event in await stack.events(session_id)]
    (names,) = [data.addresses for data in events if data.type == "addresses_mapped"]
    reported = set()
    for data in events:
        if data.type == "discovery_reported":
            address, separator, rest = data.discovery.key.partition(":")
            scored = {key: data.discovery.data.get(key) for key in ("product", "version", "columns")}
            key = names.get(address, address) + separator + rest
            reported.add((data.collector, data.discovery.kind, key, json.dumps(scored, sort_keys=True)))
    return reported


def handed_over(cutter: LogCutter, container: str) -> dict[str, Any]:
    """Return what stands on the last line of a container's input."""
    (sent,) = [sent for path, sent in cutter.inputs.items() if container in path]
    line: dict[str, Any] = json.loads(bytes(sent).splitlines()[-1])
    return line


@pytest.fixture
async def wire() -> AsyncIterator[LogCutter]:
    """From orchestrator to engine; asked for before the stack, it is there until the stack is gone."""
    async with open_log_cutter() as cutter:
        yield cutter


async def test_another_truth_collapses_the_score_and_none_of_it_reaches_a_collector(
    wire: LogCutter, start_stack, tmp_path: Path
) -> None:
    write_templates(tmp_path / "templates")
    stack = await start_stack(
        DOCKER_HOST=wire.docker_host, ORCHESTRATOR_TEMPLATES_DIR=str(tmp_path / "templates")
    )
    small = await stack.start_session("small")
    rotated = await stack.start_session("rotated")

    network = await collector_container(stack, small, "network")
    subnet = next(
        event.data.subnet for event in await stack.events(small) if event.data.type == "network_created"
    )
    inside = await asyncio.to_thread(seen_from_inside, network, subnet)
    inspected = await stack.engine.get(f"/containers/{network}/json")
    database = await stack.engine.get(
        f"/containers/{await collector_container(stack, small, 'database')}/json"
    )
    for session_id in (small, rotated):
        session = await stack.wait_until_ended(session_id)
        assert session.outcome == "completed", session.reason

    # What the first collector is given: where, and who it is itself. It has no use for a login, so no login.
    config = config_of(inside["environ"])
    assert config.pop("credentials") == []
    assert set(config) == {"version", "cidr", "self", "exclude", "profile", "discoveries"}
    assert config["discoveries"] == []
    keys = {key for key in inside["environ"] if key.startswith("DISCOVERY_CONFIG")}
    assert set(inside["environ"]) - keys == {
        "PATH",
        "HOSTNAME",
        "HOME",
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
    }
    inside["environ"] = {key: value for key, value in inside["environ"].items() if key not in keys}
    # Reverse DNS answers for the five targets at least: with an empty answer its silence would show nothing.
    assert len(inside["reverse DNS"]) >= len(SMALL["services"])
    names_of_containers = "".join(inside["reverse DNS"].values())
    assert names_of_containers.count("dryrun-") >= len(SMALL["services"])
    truth = truth_words()
    assert {"web", "db", "PostgreSQL", "payment_cards", "nginx", "Gunicorn"} <= truth
    assert words_in({"seen": inside, "config": config, "name": inspected["Name"]}, truth) == set()

    # What the second is given beyond that is what the first found, and nothing else.
    second = config_of(dict(line.split("=", 1) for line in database["Config"]["Env"]))
    reported = [
        event.data.discovery.model_dump(mode="json")
        for event in await stack.events(small)
        if event.data.type == "discovery_reported" and event.data.collector == "network"
    ]
    assert (second.pop("discoveries"), second.pop("awaits_discoveries")) == ([], True)
    line = handed_over(wire, database["Id"])
    assert line["discoveries"] != []
    assert [found for found in line.pop("discoveries") if found not in reported] == []
    assert line == {}
    assert second.pop("credentials") == [
        login | {"at": [subnet]} for login in SMALL["x-dryrun"]["credentials"]
    ]
    assert words_in({"config": second, "name": database["Name"]}, truth) == set()

    # The same was found in both, and only against its own truth is it right.
    assert await discoveries_of(stack, small) == await discoveries_of(stack, rotated)
    honest, swapped = [(await stack.client.report(each))["scores"] for each in (small, rotated)]
    assert honest["overall"]["f1"] > 0.85
    assert swapped["overall"]["f1"] < 0.2
    # Each machine is a host, whatever is said of it.
    assert {row["name"] for row in swapped["rows"] if row["true_positives"]} == {"host"}

    engine = create_async_engine(stack.database_url)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM gateway.discoveries")) == 0
        assert await connection.scalar(text("SELECT count(*) FROM gateway.dryrun_discoveries")) > 0
    await engine.dispose()
