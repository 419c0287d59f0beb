"""A drained host is waited for until it is empty, as the API sees it, and no longer than was asked for."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rich.console import Console

from dryrun_cli.errors import ApiRefusedError, ApiUnreachableError
from dryrun_contract.fleet import Fleet, FleetHost
from dryrun_contract.problem import Problem
from dryrun_local.fleet import commands, emptying
from dryrun_local.machine.errors import LocalError
from dryrun_local.terminal.long_work import LongWork
from dryrun_local.terminal.screen import Screen

SESSION = uuid4()
FILE = """managers: [beta]
overlay: plain
hosts:
  beta: {guard: "tcp://10.0.0.2:2376", certificates: /in/a/container, memory_mib: 4096, cpus: 4, sessions: 2}
drained: []
"""


class Api:
    """Answers what it was given, one after the other, and then the last one."""

    url = "http://127.0.0.1:8470"

    def __init__(self, *answers: FleetHost | Exception) -> None:
        self.answers = [*answers]
        self.asked = 0

    async def ask(self, *_: str) -> Any:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Fleet(hosts=(answer,)).model_dump(mode="json")


def beta(*, drained: bool = True, containers: int = 0, sessions: int = 0) -> FleetHost:
    return FleetHost(
        name="beta", drained=drained, containers=containers, places=8, sessions=(SESSION,) * sessions
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(emptying, "LOOK_SECONDS", 0.01)
    return


def refused(status: int) -> ApiRefusedError:
    return ApiRefusedError(Problem(title="Refused", status=status, detail=""))


async def wait(api: Api, minutes: float = 1) -> LongWork:
    work = LongWork("Waiting")
    await emptying.wait_until_empty(api, "beta", minutes, work)  # type: ignore[arg-type]
    return work


async def test_it_is_empty_once_it_is_drained_and_holds_neither_a_session_nor_what_was_prepared() -> None:
    api = Api(
        beta(drained=False),
        beta(containers=14, sessions=1),
        ApiUnreachableError("no answer"),
        refused(429),
        beta(sessions=1),
        beta(containers=7),
        beta(),
    )
    assert "what was prepared there is being removed, 7 places" in (await wait(api)).now
    assert api.asked == 7


async def test_a_refusal_that_stays_ends_the_wait() -> None:
    with pytest.raises(ApiRefusedError):
        await wait(Api(beta(sessions=1), refused(401), beta()))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (beta(containers=7, sessions=1), f"1 session on it: {SESSION}"),
        (beta(drained=False), "the orchestrator has not read yet that it is drained"),
        (ApiUnreachableError("cannot reach the approval API"), "cannot reach the approval API"),
    ],
)
async def test_the_end_of_the_time_says_what_is_left(answer: FleetHost | Exception, says: str) -> None:
    with pytest.raises(LocalError, match=r"beta stays drained\. After") as raised:
        await wait(Api(answer), 0.001)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("host", "answer", "why"),
    [
        ("nowhere", beta(), "there is no host nowhere"),
        ("beta", ApiUnreachableError("cannot reach the approval API"), "cannot reach"),
        ("beta", beta().model_copy(update={"name": "gamma"}), "has no host beta; its hosts: gamma"),
    ],
)
async def test_what_cannot_be_waited_for_is_not_drained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, answer: FleetHost | Exception, why: str
) -> None:
    file, _ = opened(tmp_path, monkeypatch, Api(answer))
    with pytest.raises(Exception, match=why):
        await commands.drain(file, host, Screen(), minutes=1)
    assert file.read_text() == FILE


async def test_a_drained_host_is_reported_as_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, screen = opened(tmp_path, monkeypatch, Api(beta(drained=False), beta(sessions=1), beta()))
    await commands.drain(file, "beta", screen, minutes=1)
    assert "drained: [beta]" in file.read_text()
    said = screen.console.file.getvalue()  # type: ignore[attr-defined]
    assert said.index("beta is drained") < said.index("Waiting until beta is empty") < said.index("is empty:")


def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: Api) -> tuple[Path, Screen]:
    @asynccontextmanager
    async def open_api(_: object) -> AsyncIterator[Api]:
        yield api

    monkeypatch.setattr(commands, "open_client", open_api)
    file = tmp_path / "fleet.yml"
    file.write_text(FILE)
    screen = Screen()
    screen.console = Console(file=StringIO(), width=200)
    return file, screen
