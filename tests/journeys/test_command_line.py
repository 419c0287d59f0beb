"""`dryrun` as a user's scripts run it, against the whole system."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import pytest_asyncio
import yaml
from approval_routes import OPEN, ROUTES
from local_stack import API_TOKEN, ORCHESTRATOR_TOKEN, ROOT, Stack, open_stack, plain_client
from openapi_rules import faults_of

from dryrun_contract.problem import PROBLEM_MEDIA_TYPE
from dryrun_local.system.ports import free_ports

pytestmark = [pytest.mark.engine, pytest.mark.long(150), pytest.mark.asyncio(loop_scope="module")]

PROGRAM = str(ROOT / ".venv" / "bin" / "dryrun")
OPEN_PATHS = {"/livez", "/readyz", "/metrics"} | {
    path for (_, path), permission in ROUTES.items() if permission is OPEN
}


@dataclass(frozen=True)
class Done:
    """What a command said, and its exit code."""

    code: int
    said: str
    complained: str

    def json(self) -> Any:
        assert self.code == 0, self.complained
        return json.loads(self.said)


@dataclass(frozen=True)
class User:
    """Somebody with a token and an address."""

    stack: Stack

    async def runs(self, *arguments: object, url: str = "", seconds: float = 120) -> Done:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DRYRUN_")}
        own = {"DRYRUN_API_URL": url or self.stack.api.url, "DRYRUN_API_TOKEN": API_TOKEN}
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *map(str, arguments),
            env=inherited | own,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(seconds):
                said, complained = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        assert process.returncode is not None
        return Done(process.returncode, said.decode(), complained.decode())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def user(empty_cluster: Path) -> AsyncIterator[User]:
    with TemporaryDirectory(prefix="dt-") as state:
        async with open_stack(Path(state), empty_cluster, {}) as stack:
            yield User(stack)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(user: User) -> list[dict[str, Any]]:
    """Return the events that `start --watch --json` printed of a whole session."""
    done = await user.runs("start", "small", "--watch", "--json")
    assert done.code == 0, done.complained
    return [json.loads(line) for line in done.said.splitlines()]


async def test_templates_are_listed_with_what_they_are(user: User) -> None:
    (small,) = [each for each in (await user.runs("templates", "--json")).json() if each["id"] == "small"]
    assert len(small["services"]) == 5
    assert "ground_truth" not in small
    ran = await user.runs("templates")
    assert ran.code == 0
    assert small["title"] in ran.said


async def test_watching_prints_every_event_as_a_line_of_json(
    user: User, watched: list[dict[str, Any]]
) -> None:
    numbers = [event["seq"] for event in watched]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len({event["session_id"] for event in watched}) == 1
    assert watched[0]["data"]["type"] == "session_queued"
    assert watched[-1]["data"] == {"type": "session_ended", "outcome": "completed", "reason": None}
    assert any(event["data"]["type"] == "discovery_reported" for event in watched)


async def test_events_prints_afterwards_what_watching_printed(
    user: User, watched: list[dict[str, Any]]
) -> None:
    ran = await user.runs("events", watched[0]["session_id"], "--json")
    assert [json.loads(line) for line in ran.said.splitlines()] == watched


async def test_list_and_show_find_the_session(user: User, watched: list[dict[str, Any]]) -> None:
    session_id = watched[0]["session_id"]

    async def listed() -> dict[str, Any]:
        sessions = (await user.runs("list", "--json")).json()
        (found,) = [each for each in sessions if each["id"] == session_id]
        return dict(found)

    async with asyncio.timeout(60):
        # Its scores are computed after its end.
        while not (session := await listed())["figures"]:
            await asyncio.sleep(0.5)
    assert (session["phase"], session["outcome"]) == ("ended", "completed")
    assert session["figures"]["f1"] > 0.9
    assert (await user.runs("show", session_id[:8], "--json")).json() == session
    for command in (("list",), ("show", session_id)):
        ran = await user.runs(*command)
        assert ran.code == 0, ran.complained
        assert session_id[:8] in ran.said
        assert "completed" in ran.said


async def test_a_report_comes_as_markdown_json_and_file(
    user: User, watched: list[dict[str, Any]], tmp_path: Path
) -> None:
    session_id = watched[0]["session_id"]
    report = (await user.runs("report", session_id, "--format", "json")).json()
    assert report["final"]
    assert report["session"]["id"] == session_id
    markdown = await user.runs("report", session_id, "--format", "markdown")
    assert markdown.code == 0
    assert markdown.said.startswith("# ")
    for fact in report["scores"]["false_negatives"]:
        assert fact["key"] in markdown.said
    assert (await user.runs("report", session_id, "-o", tmp_path / "report.md")).code == 0
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == markdown.said


async def test_criteria_decide_the_exit_code(
    user: User, watched: list[dict[str, Any]], tmp_path: Path
) -> None:
    session_id = watched[0]["session_id"]
    met, unmet = tmp_path / "met.yml", tmp_path / "unmet.yml"
    offered = (await user.runs("criteria")).said
    # How many packets a second a scan makes depends on the machine.
    met.write_text(yaml.safe_dump(yaml.safe_load(offered) | {"peak_packets_per_second_max": 1e6}))
    unmet.write_text("kinds: {service: {recall_min: 1.0}}\n")
    passed = await user.runs("report", session_id, "--criteria", met)
    assert passed.code == 0, passed.said
    failed = await user.runs("report", session_id, "--criteria", unmet, "--format", "json")
    assert failed.code == 5
    verdict = json.loads(failed.said)["verdict"]
    assert [(each["criterion"], each["status"]) for each in verdict["results"]] == [
        ("kinds.service.recall_min", "failed")
    ]


async def test_stop_ends_a_session_and_leaves_nothing_of_it(user: User) -> None:
    session_id = (await user.runs("start", "small", "--keep")).said.strip()
    stopped = await user.runs("stop", session_id)
    assert stopped.code == 0, stopped.complained
    assert (await user.runs("watch", session_id)).code == 1
    shown = (await user.runs("show", session_id, "--json")).json()
    assert (shown["phase"], shown["outcome"]) == ("ended", "stopped")
    assert await user.stack.things_of(shown["id"]) == []


async def test_an_unknown_template_is_refused_with_the_known_ones(user: User) -> None:
    refused = await user.runs("start", "smal")
    assert refused.code == 4
    assert "'smal'" in refused.complained
    assert "small" in refused.complained.replace("'smal'", "")
    assert refused.said == ""


async def test_names_the_address_of_an_api_that_does_not_answer(user: User) -> None:
    (port,) = free_ports(0)
    away = await user.runs("templates", url=f"http://127.0.0.1:{port}", seconds=30)
    assert away.code == 3
    assert f"127.0.0.1:{port}" in away.complained
    assert "Traceback" not in away.complained


async def test_both_services_describe_themselves_in_openapi(user: User) -> None:
    async with plain_client(timeout=10) as http:
        for service in (user.stack.api, user.stack.orchestrator):
            # The orchestrator describes itself to whoever has its token.
            headers = {"Authorization": f"Bearer {ORCHESTRATOR_TOKEN}"}
            answer = await http.get(f"{service.url}/openapi.json", headers=headers)
            document = answer.raise_for_status().json()
            assert len(document["paths"]) > 5
            assert faults_of(document) == []
            for path, methods in document["paths"].items():
                for operation in methods.values():
                    assert (path in OPEN_PATHS) != bool(operation.get("security")), path
                    # What goes wrong is reported as it is answered, and not as the framework would.
                    assert list(operation["responses"]["default"]["content"]) == [PROBLEM_MEDIA_TYPE]
                    assert "422" not in operation["responses"], path
