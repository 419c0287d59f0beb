import asyncio
import os
import subprocess
import sys
import time

import pytest
from bench.processors import ALL, Usage, cpu_seconds, watched_processors

BUSY = "import time\nbegin = time.process_time()\nwhile time.process_time() - begin < 0.3: pass"


def test_between_two_samples_time_grows_evenly():
    usage = Usage([(10.0, {"guard": 1.0}), (10.1, {"guard": 1.1}), (10.2, {"guard": 1.5})])
    assert usage.between(10.05, 10.15)["guard"] == pytest.approx(0.25)


@pytest.mark.parametrize("moment", [9.9, 10.3])
def test_what_was_not_sampled_is_not_guessed(moment):
    usage = Usage([(10.0, {"guard": 1.0}), (10.2, {"guard": 1.5})])
    with pytest.raises(ValueError, match="sampled"):
        usage.between(10.1, moment)


async def test_what_another_process_uses_is_this_machines():
    async with watched_processors() as usage:
        begin = time.time()
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", BUSY], check=True)
        end = time.time()
        await asyncio.sleep(0.2)
    assert usage.between(begin, end)[ALL] > 0.15


async def test_a_service_whose_process_ends_meanwhile_has_used_no_less_than_nothing():
    command = [sys.executable, "-c", f"{BUSY}\nprint()\ninput()", "docker-guard"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    guard = await asyncio.create_subprocess_exec(*command, **pipes)
    await guard.stdout.readline()
    async with watched_processors() as usage:
        begin = time.time()
        await asyncio.sleep(0.2)
        await guard.communicate(b"\n")
        end = time.time()
        await asyncio.sleep(0.2)
    assert usage.between(begin, end + 0.1)["guard"] >= 0


def test_a_process_that_has_ended_has_used_nothing_more():
    assert cpu_seconds(os.getpid()) > 0
    done = subprocess.Popen([sys.executable, "-c", "pass"])
    done.wait()
    assert cpu_seconds(done.pid) == 0
