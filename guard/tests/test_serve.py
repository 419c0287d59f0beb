"""The process as an operator runs it, in front of the real engine."""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from docker_guard.commands import healthcheck
from docker_guard.main import main

PROGRAM = Path(sys.executable).parent / "docker-guard"
ENGINE = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")


@asynccontextmanager
async def serving(tmp_path, allowlist_file, listen, docker):
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(str(PROGRAM), "serve", "--listen", listen, "--docker", docker),
            *("--allowlist", str(allowlist_file)),
            stdout=out,
            stderr=out,
        )
    try:
        async with asyncio.timeout(20):
            while '"serving"' not in log.read_text():
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield process, log
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def health(listen) -> int:
    return await asyncio.to_thread(main, ["healthcheck", "--listen", listen])


async def test_ends_by_sigterm_and_serves_before_its_engine_does(tmp_path, allowlist_file):
    listen = f"unix://{tmp_path / 'g.sock'}"
    nowhere = f"unix://{tmp_path / 'none.sock'}"
    async with serving(tmp_path, allowlist_file, listen, nowhere) as (process, log):
        assert await health(listen) == 1
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"serving", "sweep-failed", "decision", "ended"} <= {line["type"] for line in lines}


@pytest.mark.engine
@pytest.mark.parametrize("listen", ["unix", "tcp"])
async def test_guards_the_real_engine(tmp_path, allowlist_file, listen, unused_tcp_port):
    address = f"unix://{tmp_path / 'g.sock'}" if listen == "unix" else f"tcp://127.0.0.1:{unused_tcp_port}"
    async with serving(tmp_path, allowlist_file, address, ENGINE):
        assert await health(address) == 0


def test_health_of_nobody_is_bad(capsys):
    class Options:
        listen = "unix:///nowhere/guard.sock"

    assert healthcheck(Options()) == 1
    assert "nowhere" in capsys.readouterr().out
