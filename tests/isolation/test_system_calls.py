"""What a container may ask of the kernel under the narrow profile, tried from inside on the real engine."""

import errno
import json
import platform
import subprocess
from pathlib import Path

import pytest
from target_container import LABEL, allowed

from docker_guard.rules.system_calls import narrow_profile

pytestmark = pytest.mark.engine

IMAGE = "discovery/test-collector-network:1.0"
FAMILIES = {1, 2, 10, 16, 17}
TRY_FAMILIES = """
import json, socket
said = {}
for family in range(46):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind).close()
        except OSError as error:
            said.setdefault(family, error.errno)
        else:
            said[family] = 0
            break
print(json.dumps(said))
"""
TRY_NO_SUCH_KIND = """
import ctypes, json
libc = ctypes.CDLL(None, use_errno=True)
said = {family: libc.socket(family, 1 << 20 | 1, 0) < 0 and ctypes.get_errno() for family in range(46)}
print(json.dumps(said))
"""
TRY_PROTOCOLS = """
import json, socket
def ask(family, kind, protocol):
    try:
        socket.socket(family, kind, protocol).close()
    except OSError as error:
        return error.errno
    return 0
S, D, R, Q = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET
print(json.dumps({
    "common": {str(each): ask(*each) for each in [
        (2, S, 0), (2, S, 6), (2, D, 0), (2, D, 1), (2, D, 17), (2, R, 1), (2, R, 6), (2, R, 132),
        (2, R, 255), (10, S, 0), (10, S, 6), (10, D, 0), (10, D, 17), (10, D, 58), (10, R, 58),
        (16, R, 0), (16, D, 0), (17, R, 0x300), (17, D, 8),
    ]},
    "netlink": [ask(16, R, protocol) for protocol in range(1, 32)],
    "other": [ask(family, kind, protocol) for family in (2, 10) for kind, protocol in [
        (S, 115), (S, 132), (S, 256), (S, 262), (D, 115), (D, 136)]],
    "sequence": [ask(family, Q, protocol) for family in (2, 10) for protocol in (0, 132)],
}))
"""
LIST_INTERFACES = """
import ctypes
found, fault = ctypes.c_void_p(), ctypes.create_string_buffer(256)
failed = ctypes.CDLL("libpcap.so.0.8").pcap_findalldevs(ctypes.byref(found), fault)
print(failed, bool(found), fault.value.decode())
"""
CALL_AS_32_BITS = """
import ctypes, mmap
code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("53b814000000cd805bc3"))  # push rbx; mov eax, 20 (getpid); int 0x80; pop rbx; ret
place = ctypes.addressof(ctypes.c_char.from_buffer(code))
print(ctypes.CFUNCTYPE(ctypes.c_int)(place)())
"""
SIGSYS = 31


def run_in_container(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "run", "--rm", "--network=none", "--read-only", f"--label={LABEL}", "--pull=never"]
    command += ["--cap-drop=ALL", "--cap-add=NET_RAW", "--security-opt=no-new-privileges", *options]
    command += ["--entrypoint=python3", allowed(IMAGE)["id"], "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def narrow(tmp_path: Path) -> str:
    profile = tmp_path / "narrow.json"
    profile.write_text(narrow_profile())
    return f"--security-opt=seccomp={profile}"


def test_a_container_opens_no_sockets_but_those_of_a_network(narrow):
    done = run_in_container(TRY_FAMILIES, narrow)
    assert done.returncode == 0, done.stderr
    families = {int(family): number for family, number in json.loads(done.stdout).items()}
    assert {family for family, number in families.items() if number != errno.EAFNOSUPPORT} == FAMILIES
    assert not any(families[family] for family in FAMILIES)


def test_no_other_family_is_left_to_the_kernel_to_refuse(narrow):
    # The kernel finds the fault in the kind before it looks for the family.
    done = run_in_container(TRY_NO_SUCH_KIND, narrow)
    assert done.returncode == 0, done.stderr
    said = {int(family): number for family, number in json.loads(done.stdout).items()}
    assert {family for family, number in said.items() if number != errno.EAFNOSUPPORT} == FAMILIES
    assert {said[family] for family in FAMILIES} == {errno.EINVAL}


def test_a_container_opens_no_sockets_but_those_of_a_networks_protocols(narrow):
    done = run_in_container(TRY_PROTOCOLS, narrow)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert not any(said["common"].values()), said["common"]
    assert {*said["netlink"], *said["other"]} == {errno.EPROTONOSUPPORT}
    assert {*said["sequence"]} == {errno.EPERM}


def test_programs_list_interfaces_without_a_bluetooth_socket(narrow):
    assert run_in_container(LIST_INTERFACES, narrow).stdout == "0 True \n"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the program is one of x86")
def test_a_container_makes_no_system_call_as_a_32_bit_program(narrow):
    open_ = run_in_container(CALL_AS_32_BITS)
    if open_.returncode:
        pytest.skip("this kernel has no 32-bit programs")
    assert int(open_.stdout) > 0
    assert run_in_container(CALL_AS_32_BITS, narrow).returncode == 128 + SIGSYS
