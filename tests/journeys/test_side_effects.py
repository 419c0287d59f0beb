"""What scans do to devices that are easily upset, on the real engine: a fast one upsets them, ours do not."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import pytest_asyncio
from local_stack import API_TOKEN, ROOT, open_stack

from dryrun_contract.event import TargetLogs
from dryrun_contract.side_effects import side_effect_totals

# On a busy machine both scans take three minutes, the time of other tests' sessions.
SESSION_SECONDS = 1200
pytestmark = [
    pytest.mark.engine,
    pytest.mark.long(90),
    pytest.mark.timeout(SESSION_SECONDS),
    pytest.mark.asyncio(loop_scope="module"),
]

PROGRAM = str(ROOT / ".venv" / "bin" / "dryrun")
MANIFESTS = ROOT / "collectors" / "manifests"
ALL_PORTS, SOME_PORTS = "1-1024,4001", "80,389,443,502,4001"
"""The first of those that the fast scan connects to, and which of them something listens on: for all a busy
machine takes so long that the device has room again."""
SCANS = {"too fast": ("--collector", "nmap-connect", "--max-rate", "10000"), "ours": ()}


async def report_of(url: str, *choice: str) -> dict[str, Any]:
    """Scan the template's network and return the report, judged by the default criteria."""

    async def dryrun(*arguments: str) -> str:
        own = {"DRYRUN_API_URL": url, "DRYRUN_API_TOKEN": API_TOKEN}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DRYRUN_")}
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *arguments, env=inherited | own, stdout=-1, stderr=-1, stdin=-3
        )
        async with asyncio.timeout(SESSION_SECONDS):
            said, complained = await process.communicate()
        assert process.returncode == 0, complained.decode()
        return said.decode()

    events = [
        json.loads(line)
        for line in (await dryrun("start", "rate", *choice, "--watch", "--json")).splitlines()
    ]
    found = json.loads(await dryrun("report", events[0]["session_id"], "--json"))
    return dict(found)


def scan_of_fewer_ports(folder: Path) -> dict[str, str]:
    """Write the operator's files with the fast scan narrowed; return the settings that name them."""
    collectors, allowlist = folder / "collectors", folder / "allowlist.json"
    shutil.copytree(MANIFESTS, collectors)
    fast = collectors / "nmap-connect.yml"
    for path, original in ((fast, fast), (allowlist, ROOT / ".dryrun" / "allowlist.json")):
        words = original.read_text(encoding="utf-8")
        assert words.count(ALL_PORTS) == 1
        path.write_text(words.replace(ALL_PORTS, SOME_PORTS), encoding="utf-8")
    return {"ORCHESTRATOR_COLLECTORS_DIR": str(collectors), "ORCHESTRATOR_ALLOWLIST": str(allowlist)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reports(empty_cluster: Path) -> AsyncIterator[Mapping[str, dict[str, Any]]]:
    with TemporaryDirectory(prefix="dt-") as state, TemporaryDirectory(prefix="dt-") as files:
        settings = {"ORCHESTRATOR_SESSION_SECONDS": str(SESSION_SECONDS), **scan_of_fewer_ports(Path(files))}
        async with open_stack(Path(state), empty_cluster, settings) as stack:
            found = await asyncio.gather(*(report_of(stack.api.url, *choice) for choice in SCANS.values()))
            yield dict(zip(SCANS, found, strict=True))


def totals(report: Mapping[str, Any]) -> dict[str, int | None]:
    logs = {name: TargetLogs.model_validate(each) for name, each in report["logs"].items()}
    return {total.name: total.count for total in side_effect_totals(logs)}


async def test_a_scan_that_connects_too_fast_restarts_a_device_and_prints_nothing(
    reports: Mapping[str, dict[str, Any]],
) -> None:
    report = reports["too fast"]
    found = totals(report)
    assert found["restarts"], "five ports within two seconds, and room for four connections"
    assert (found["pages_printed"], found["accounts_locked"], found["credentials_shown"]) == (0, 0, 0)
    by_collectors = report["logs"]["controller"]["by_collectors"]
    caused = [each for each in by_collectors if any(each["side_effects"].values())]
    assert [each["collectors"] for each in caused] == [["nmap-connect"]], caused


async def test_our_own_collectors_harm_nothing_and_find_the_devices(
    reports: Mapping[str, dict[str, Any]],
) -> None:
    report = reports["ours"]
    nothing = dict.fromkeys(("pages_printed", "accounts_locked", "restarts", "credentials_shown"), 0)
    assert totals(report) == nothing
    assert report["harmed"] == []
    found = {fact["key"] for fact in report["scores"]["found"] if fact["kind"] == "service"}
    serial = {f"controller:{port}/tcp" for port in (502, 4001, 4002, 4003, 4004)}
    assert serial | {"printer:9100/tcp", "console:7700/tcp", "decoy:5432/tcp", "decoy:161/udp"} <= found
