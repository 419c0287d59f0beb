"""The probe distinguishes networks with and without the host rule, and never takes silence as proof.

Without the rule there means, on the engine, a bridge whose name the rule does not cover.
"""

import json
import os
import shutil
import subprocess
import time
import uuid

import pytest
from built_probe import probe_program
from network_lab import BRIDGE, PEER, RULE, SCRIPT, run
from probe_frames import IGMP, SIGNATURE

IMAGE = "discovery/test-collector-probe:1.0"

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft"),
]


IPV6_OFF = ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
STRICT = ("net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.default.rp_filter=1")
NO_ARP = ("net.ipv4.conf.all.arp_ignore=8",)
INPUT_LINE = '\t\tiifname "dr-*" drop\n'


def without_input_line(text: str) -> str:
    before, chain, after = text.partition("hook input priority -300; policy accept;\n")
    return before + chain + after.replace(INPUT_LINE, "", 1)


def without_lines_for_ports(text: str, left: str) -> str:
    inet, arp = text.split("table arp dryrun {")
    line = next(line for line in arp.splitlines(keepends=True) if "01:80:c2" in line)
    changed = (inet.replace(line, ""), arp) if left != "ARP" else (inet, arp.replace(line, "", 1))
    return "table arp dryrun {".join(changed)


def without_output_lines(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if "dscp" not in line)


@pytest.mark.parametrize("settings", [(), IPV6_OFF, STRICT], ids=["usual", "IPv6 off", "strict"])
@pytest.mark.parametrize("bridged_filtering", [0, 1])
def test_says_isolated_with_the_rule(lab, settings, bridged_filtering):
    lab.build(settings=settings, bridged_filtering=bridged_filtering)
    lab.load_rule()
    exit_code, verdict, seconds = lab.sure_probe()
    assert (exit_code, verdict["isolated"]) == (0, True), verdict
    assert seconds < 15


@pytest.mark.parametrize(
    "settings", [(), NO_ARP, NO_ARP + IPV6_OFF + STRICT], ids=["usual", "ARP silent", "IPv6 off and strict"]
)
def test_says_reached_without_the_rule(lab, settings):
    lab.build(settings=settings)
    exit_code, verdict, _ = lab.sure_probe()
    assert (exit_code, verdict["isolated"]) == (1, False), verdict


@pytest.mark.parametrize("settings", [(), IPV6_OFF], ids=["usual", "IPv6 off"])
def test_says_reached_when_the_input_line_alone_is_missing(lab, settings):
    lab.build(settings=settings)
    lab.load_rule(without_input_line(RULE.read_text()))
    exit_code, verdict, _ = lab.sure_probe()
    assert (exit_code, verdict["isolated"]) == (1, False), verdict
    assert "answers our query" in verdict["reason"]


@pytest.mark.parametrize("address", ["172.17.0.1", "10.213.200.1"], ids=["Docker's", "the gateway's"])
def test_says_reached_when_the_host_answers_arp_alone(lab, address):
    lab.build()
    lab.inside("host", "ip", "addr", "add", f"{address}/32", "dev", "lo")
    lab.load_rule(RULE.read_text().split("table arp dryrun {")[0])
    exit_code, verdict, _ = lab.sure_probe()
    assert (exit_code, verdict["isolated"], verdict["reason"]) == (1, False, "the host answers: ARP")


@pytest.mark.parametrize("forwarded", ["0", "0x4000", "0xfff8"], ids=["none", "LLDP's", "all that may be"])
@pytest.mark.parametrize("left", ["IPv4 and IPv6", "ARP"])
def test_says_reached_when_the_port_takes_in_what_a_bridge_leaves_to_it(lab, left, forwarded):
    lab.build()
    lab.inside("host", "ip", "link", "set", BRIDGE, "type", "bridge", "group_fwd_mask", forwarded)
    lab.inside("host", "ip", "addr", "add", "172.17.0.1/32", "dev", "lo")
    lab.load_rule(without_lines_for_ports(RULE.read_text(), left))
    exit_code, verdict, _ = lab.sure_probe()
    assert (exit_code, verdict["isolated"]) == (1, False), verdict
    assert ("ARP" in verdict["reason"]) == (left == "ARP")


@pytest.mark.parametrize("forwarded", ["0x4004", "0xbffd", "0x7ffd"])
@pytest.mark.parametrize("left", ["IPv4 and IPv6", "ARP"])
def test_says_reached_when_the_port_itself_has_all_but_a_few_addresses_forwarded(lab, left, forwarded):
    lab.port_settings = ("group_fwd_mask", forwarded)
    lab.build()
    lab.inside("host", "ip", "addr", "add", "172.17.0.1/32", "dev", "lo")
    lab.load_rule(without_lines_for_ports(RULE.read_text(), left))
    exit_code, verdict, _ = lab.sure_probe()
    assert (exit_code, verdict["isolated"]) == (1, False), verdict


def test_is_inconclusive_with_a_rule_of_before_the_lines_for_ports_whoever_is_silent(lab):
    lab.build(settings=IPV6_OFF)
    older = "".join(line for line in RULE.read_text().splitlines(keepends=True) if " ecn set" not in line)
    for left in ("IPv4 and IPv6", "ARP"):
        older = without_lines_for_ports(older, left)
    lab.load_rule(older)
    exit_code, verdict, _ = lab.probe()
    assert (exit_code, verdict["isolated"]) == (2, None), verdict
    assert "earlier release" in verdict["reason"]


def test_is_inconclusive_when_the_host_is_silent_but_nothing_is_signed(lab):
    lab.build()
    lab.load_rule(without_output_lines(RULE.read_text()))
    exit_code, verdict, _ = lab.probe()
    assert (exit_code, verdict["isolated"]) == (2, None), verdict


def test_is_inconclusive_when_the_bridge_never_speaks(lab):
    lab.build(settings=IPV6_OFF)
    lab.inside("host", "ip", "link", "set", BRIDGE, "type", "bridge", "mcast_snooping", "0")
    lab.load_rule()
    exit_code, verdict, _ = lab.probe()
    assert (exit_code, verdict["isolated"]) == (2, None), verdict
    assert "proves nothing" in verdict["reason"]


def test_is_inconclusive_with_a_second_interface(lab):
    lab.build()
    lab.load_rule()
    lab.inside("a", "ip", "link", "add", "eth1", "type", "bridge")
    exit_code, verdict, _ = lab.probe()
    assert (exit_code, verdict["isolated"]) == (2, None), verdict
    assert verdict["reason"] == "there should be one network interface, there are 2"


def test_is_inconclusive_when_more_speak_than_it_can_ask(lab):
    lab.build()
    lab.load_rule()
    lab.plug("peer", PEER, BRIDGE)
    joins = bytes.fromhex("2200000000000001 04000000e0000016")
    header = bytes([0x45, SIGNATURE]) + bytes(7) + bytes([IGMP]) + bytes(10)
    with lab.repeated(
        [b"\xff" * 6 + bytes([2, 0, 0, 0, 0, each]) + b"\x08\x00" + header + joins for each in range(17)]
    ):
        exit_code, verdict, _ = lab.probe()
    assert (exit_code, verdict["isolated"]) == (2, None), verdict
    assert verdict["reason"] == "more than 16 speakers in a new network"


def test_is_inconclusive_when_frames_never_end(lab):
    lab.build()
    lab.load_rule()
    lab.plug("peer", PEER, BRIDGE)
    says_nothing = b"\xff" * 6 + bytes([2, 0, 0, 0, 0, 1]) + b"\x88\xb5" + bytes(46)
    with lab.repeated([says_nothing] * 10_000):
        exit_code, verdict, _ = lab.probe()
    assert (exit_code, verdict["isolated"]) == (2, None), verdict
    assert verdict["reason"] == "more than 1000 frames in 0.02 s; it has to be alone in its network"


def test_is_inconclusive_without_a_configuration():
    done = subprocess.run([probe_program()], env={}, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "DISCOVERY_CONFIG" in json.loads(done.stdout.splitlines()[1])["reason"]


@pytest.mark.parametrize(("prefix", "expected"), [("dr-", (0, True)), ("dx-", (1, False))])
def test_the_image_distinguishes_a_covered_bridge_from_an_uncovered_one(prefix, expected):
    if subprocess.run([SCRIPT, "check"], check=False, capture_output=True).returncode != 0:
        pytest.fail(f"the host rule is not complete here; install it: {SCRIPT} install")
    name = f"dryrun-probe-test-{uuid.uuid4().hex[:12]}"
    bridge = prefix + uuid.uuid4().hex[:12]
    driver = "com.docker.network.bridge"
    run(
        "docker",
        "network",
        "create",
        "--internal",
        "--subnet",
        "10.213.63.0/27",
        "-o",
        f"{driver}.name={bridge}",
        "-o",
        f"{driver}.inhibit_ipv4=true",
        name,
    )
    try:
        config = json.dumps({"version": 1, "cidr": "10.213.63.0/27", "self": "10.213.63.30"})
        started = time.monotonic()
        done = subprocess.run(
            ["docker", "run", "--rm", "--pull=never", "--network", name, "--ip", "10.213.63.30",
             "--read-only", "--cap-drop=ALL", "--cap-add=NET_RAW", "--security-opt=no-new-privileges",
             "--memory=512m", "--cpus=0.5", "--pids-limit=100", "--env", f"DISCOVERY_CONFIG={config}", IMAGE],
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    finally:
        run("docker", "network", "rm", name)
    verdict = json.loads(done.stdout.splitlines()[1])
    assert (done.returncode, verdict["isolated"]) == expected, done.stdout
    assert time.monotonic() - started < 30
