import asyncio
import os
import sys

import pytest

from discovery_collectors.collectors.network import nmap_process
from discovery_collectors.collectors.network.nmap_process import (
    Asked,
    GaveUp,
    NmapError,
    OpenPort,
    Understood,
    run_nmap,
)

REPORT = "<nmaprun><runstats><finished exit='success'/></runstats></nmaprun>"


@pytest.fixture
def nmap_that(tmp_path, monkeypatch):
    """Put an nmap first on the path that does `work` before it reports."""
    monkeypatch.setattr(nmap_process, "_LOOK_SECONDS", 0.1)

    def install(work: str) -> None:
        program = tmp_path / "nmap"
        program.write_text(
            f"#!{sys.executable} -SE\nimport sys, time\n{work}\n"
            f"open(sys.argv[sys.argv.index('-oX') + 1], 'w').write(\"{REPORT}\")\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return install


BUSY = "end = time.monotonic() + 3\nwhile time.monotonic() < end: pass"
TALKING = "for _ in range(12):\n    print('x', file=sys.{}, flush=True)\n    time.sleep(0.25)"


@pytest.mark.parametrize("work", [BUSY, TALKING.format("stdout"), TALKING.format("stderr")])
async def test_an_nmap_that_computes_or_speaks_is_waited_for(nmap_that, monkeypatch, work):
    monkeypatch.setattr(nmap_process, "_SILENCE_SECONDS", 1.5)
    nmap_that(work)
    await run_nmap([], [], {}, lambda found: None)


async def test_an_nmap_that_does_nothing_is_ended(nmap_that, monkeypatch):
    monkeypatch.setattr(nmap_process, "_SILENCE_SECONDS", 0.8)
    nmap_that("time.sleep(30)")
    with pytest.raises(NmapError, match=r"did nothing for 0\.8 s"):
        await run_nmap([], [], {}, lambda found: None)


@pytest.mark.parametrize(
    ("status", "connects"),
    [
        ("CapEff:\t0000000000000000\n", True),
        ("CapPrm:\t0000000000002000\nCapEff:\t000001ffffffdfff\n", True),
        ("CapEff:\t0000000000002000\n", False),
        ("Name:\tpython3\n", False),
        (None, False),
    ],
)
async def test_without_raw_sockets_nmap_is_told_to_connect(
    nmap_that, monkeypatch, tmp_path, status, connects
):
    monkeypatch.delenv("NMAP_UNPRIVILEGED", raising=False)
    monkeypatch.setattr(nmap_process, "_STATUS", tmp_path / "status")
    if status is not None:
        (tmp_path / "status").write_text(status)
    nmap_that(f"import os\nif ('NMAP_UNPRIVILEGED' in os.environ) is not {connects}: sys.exit(1)")
    await run_nmap([], [], {}, lambda found: None)


SPOKEN = """
Discovered open port 11211/tcp on 10.0.0.3
Service scan sending probe GenericLines to 10.0.0.3:11211 (tcp)
Service scan hard match (Probe GenericLines matched with GenericLines line 5376): 10.0.0.3:11211 is a.  |b|||
Service scan soft match (Probe NULL matched with NULL line 12): 10.0.0.4:21 is ftp.  Version: ||||
Service scan sending probe GenericLines to 10.0.0.3:65536 (tcp)
Service scan hard match (Probe NULL matched with NULL line 12): 10.0.0.4:0 is ftp.  Version: ||||
Warning: 10.0.0.6 giving up on port because retransmission cap hit (6).
Says a service: Warning: 10.0.0.7 giving up on port because retransmission cap hit (6).
Says a service: Service scan sending probe GenericLines to 10.0.0.5:22 (tcp)
"""


async def test_what_nmap_says_of_ports_is_passed_on_at_once(nmap_that):
    nmap_that(f"print({SPOKEN!r})")
    found = []
    await run_nmap([], [], {}, found.append)
    assert found == [
        OpenPort("10.0.0.3", 11211),
        Asked("10.0.0.3", 11211, "GenericLines"),
        Understood("10.0.0.3", 11211),
        Understood("10.0.0.4", 21),
        GaveUp("10.0.0.6"),
    ]


async def test_nothing_goes_on_when_nmap_has_ended(nmap_that, monkeypatch):
    nmap_that("")
    await run_nmap([], [], {}, lambda found: None)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_fails_on_a_port_is_raised_and_not_waited_for(nmap_that, monkeypatch):
    nmap_that("print('Discovered open port 1/tcp on 10.0.0.3', flush=True)\ntime.sleep(30)")

    def broken(found):
        raise KeyError(found)

    async with asyncio.timeout(10):
        with pytest.raises(KeyError):
            await run_nmap([], [], {}, broken)
