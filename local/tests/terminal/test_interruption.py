import subprocess
import sys
import time

import pytest

SCRIPT = """
import asyncio, sys
from dryrun_local.terminal.interruption import run

async def work(interruption):
    print("working", flush=True)
    try:
        await asyncio.sleep(30)
    finally:
        print("cleaning up", flush=True)
        await asyncio.sleep(0.5)
        print("clean", flush=True)

sys.exit(run(work, lambda words: print(words, flush=True)))
"""


@pytest.fixture
def worker():
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "working\n"
    yield process
    process.kill()
    process.communicate(timeout=10)


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143), (1, 129)])
def test_a_signal_ends_the_work_and_is_the_exit_code(worker, number, code):
    worker.send_signal(number)
    said, _ = worker.communicate(timeout=10)
    assert said == "cleaning up\nclean\n"
    assert worker.returncode == code


def test_more_signals_do_not_interrupt_the_cleanup(worker):
    worker.send_signal(2)
    assert worker.stdout.readline() == "cleaning up\n"
    for _ in range(3):
        worker.send_signal(2)
        time.sleep(0.05)
    said, _ = worker.communicate(timeout=10)
    assert "Still cleaning up" in said
    assert said.endswith("clean\n")
    assert worker.returncode == 130


@pytest.mark.parametrize(("first", "more", "code"), [(15, 2, 143), (2, 15, 130), (1, 1, 129)])
def test_the_first_signal_is_the_exit_code_whatever_comes_until_the_process_has_ended(
    worker, first, more, code
):
    worker.send_signal(first)
    assert (worker.stdout.readline(), worker.stdout.readline()) == ("cleaning up\n", "clean\n")
    until = time.monotonic() + 10
    while worker.poll() is None and time.monotonic() < until:
        worker.send_signal(more)
        time.sleep(0.0005)
    assert worker.returncode == code


COMPUTING = """
import sys
from dryrun_local.terminal.interruption import interruptible, run

async def work(interruption):
    with interruptible():
        print("computing", flush=True)
        while True:
            pass

sys.exit(run(work, lambda words: print(words, flush=True)))
"""


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_a_signal_ends_a_block_that_never_waits(number, code):
    process = subprocess.Popen([sys.executable, "-c", COMPUTING], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "computing\n"
        process.send_signal(number)
        said, _ = process.communicate(timeout=10)
        assert (said, process.returncode) == ("", code)
    finally:
        process.kill()
        process.communicate(timeout=10)
