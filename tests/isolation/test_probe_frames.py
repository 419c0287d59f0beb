"""The probe understands every frame and configuration as the table in Python does, and reads no further."""

import ipaddress
import json
import random
import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence

import probe_frames as frames
from built_probe import configs_program, meanings_program, overlay_meanings_program
from hypothesis import given, settings
from hypothesis import strategies as st

from dryrun_contract.collector_config import CollectorConfig, to_environment

MAC, BRIDGE = bytes.fromhex("0242c0000001"), bytes.fromhex("0242c00000aa")
LL, BRIDGE_LL = frames.link_local(MAC), frames.link_local(BRIDGE)
ALL_ROUTERS = bytes.fromhex("ff020000000000000000000000000016")
TYPES = range(8)
CLASSES = (0, frames.SIGNATURE, frames.SIGNATURE - 1, frames.SIGNATURE & ~3, 255)


def record(kind: int, address_bytes: int, *, sources: int = 0, words: int = 0) -> bytes:
    return struct.pack("!BBH", kind, words, sources) + bytes(address_bytes * (1 + sources) + 4 * words)


def igmp(
    kinds: Sequence[int],
    traffic_class: int,
    *,
    options: int = 1,
    to: bytes = b"\x01\x00\x5e\0\0\x16",
    **more: int,
) -> bytes:
    header = (
        bytes([0x45 + options, traffic_class]) + bytes(7) + bytes([frames.IGMP]) + bytes(10 + 4 * options)
    )
    report = bytes([frames.IGMPV3_REPORT]) + bytes(5) + struct.pack("!H", len(kinds))
    return to + BRIDGE + b"\x08\x00" + header + report + b"".join(record(kind, 4, **more) for kind in kinds)


def ipv6(
    header: int, payload: bytes, *, traffic_class: int = 0, target: bytes = ALL_ROUTERS, alert: bool = False
) -> bytes:
    first = frames.HOP_BY_HOP if alert else header
    options = (bytes([header]) + frames.ROUTER_ALERT[1:]) if alert else b""
    word = 6 << 28 | traffic_class << 20
    start = struct.pack("!IHBB", word, len(options + payload), first, 1) + BRIDGE_LL + target
    return b"\x33\x33\0\0\0\x16" + BRIDGE + b"\x86\xdd" + start + options + payload


def mld(kinds: Sequence[int], traffic_class: int, *, alert: bool = True, **more: int) -> bytes:
    report = bytes([frames.MLDV2_REPORT]) + bytes(5) + struct.pack("!H", len(kinds))
    payload = report + b"".join(record(kind, 16, **more) for kind in kinds)
    return ipv6(frames.ICMPV6, payload, traffic_class=traffic_class, alert=alert)


def whole_frames() -> Iterator[bytes]:
    """Yield every kind of frame that means something, and its neighbours that do not."""
    for traffic_class in CLASSES:
        for first in TYPES:
            for second in TYPES:
                for more in ({}, {"sources": 2}, {"words": 3}, {"sources": 1, "words": 1}):
                    yield igmp((first, second), traffic_class, **more)
                    yield mld((first, second), traffic_class, **more)
            yield igmp((first,), traffic_class, options=0)
            yield mld((first,), traffic_class, alert=False)
    yield igmp((), frames.SIGNATURE)
    yield igmp((4,), frames.SIGNATURE, to=MAC)
    yield from frames.questions(BRIDGE, MAC)
    yield frames.arp_probe(BRIDGE, b"\x0a\0\0\x01")
    for kind in range(256):
        yield ipv6(frames.ICMPV6, bytes([kind]) + bytes(7) + LL)
        yield ipv6(frames.ICMPV6, bytes([kind]) + bytes(7) + LL, target=LL, alert=bool(kind & 1))
        yield ipv6(kind, bytes(20), target=LL)
        yield MAC + BRIDGE + b"\x08\x00" + bytes(9) + bytes([kind]) + bytes(10)


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Yield frames cut, lengthened, with bytes changed, and without any order."""
    chance = random.Random(seed)
    whole = list(whole_frames())
    for _ in range(count):
        frame = bytearray(chance.choice(whole))
        for _ in range(chance.randrange(4)):
            frame[chance.randrange(len(frame))] = chance.choice((0, 1, 2, 4, 255, chance.randrange(256)))
        match chance.randrange(4):
            case 0:
                del frame[chance.randrange(len(frame)) :]
            case 1:
                frame += chance.randbytes(chance.randrange(60))
            case 2:
                frame[14:] = chance.randbytes(chance.randrange(120))
            case _:
                pass
        yield bytes(frame)


def verdicts(heard: Sequence[bytes]) -> list[str]:
    lines = "".join(f"hear {MAC.hex()} {frame.hex()}\n" for frame in heard)
    return run(meanings_program(), lines.encode()).splitlines()


def expected(frame: bytes) -> str:
    heard = frames.meaning(frame, MAC)
    return f"{heard.role}|{heard.what}" if heard else "nothing|"


def run(program: object, text: bytes) -> str:
    done = subprocess.run([str(program)], input=text, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def compare(heard: Sequence[bytes]) -> None:
    differences = [
        (frame.hex(), said, expected(frame))
        for frame, said in zip(heard, verdicts(heard), strict=True)
        if said != expected(frame)
    ]
    assert differences == []


def test_every_kind_of_frame_means_what_the_table_says() -> None:
    heard = list(whole_frames())
    compare(heard)
    # The table does not call everything nothing.
    assert {expected(frame).partition("|")[0] for frame in heard} == {
        "nothing", "answer", "signed", "announcement",
    }  # fmt: skip


def test_a_frame_of_every_length_means_what_the_table_says() -> None:
    longest = [mld((4, 1), frames.SIGNATURE, sources=2), igmp((4, 2), 0), ipv6(58, bytes([135] * 8) + LL)]
    compare([frame[:length] for frame in longest for length in range(len(frame) + 1)])


def test_changed_and_random_frames_mean_what_the_table_says() -> None:
    compare(list(mutations(seed=26, count=60_000)))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=200, max_size=400))
def test_bytes_of_any_kind_mean_what_the_table_says(heard: list[bytes]) -> None:
    compare(heard)


def test_the_largest_frame_is_read_to_its_end_only() -> None:
    compare([(frame + bytes(2048))[:2048] for frame in (mld((4,) * 300, 0), igmp((4,) * 300, 0))])


def test_questions_are_those_of_the_table() -> None:
    chance = random.Random(7)
    for _ in range(200):
        mac, host = chance.randbytes(6), chance.randbytes(6)
        said = run(meanings_program(), f"ask {mac.hex()} {host.hex()}\n".encode()).splitlines()
        assert [bytes.fromhex(line) for line in said] == [
            *frames.questions(mac, host), frames.arp_probe(mac, host[:4]),
            *frames.port_questions(mac, (host[:4], bytes([172, 17, 0, 1]))),
        ]  # fmt: skip


def configurations(texts: Sequence[str]) -> list[str]:
    return run(configs_program(), b"".join(text.encode() + b"\0" for text in texts)).splitlines()


def test_the_network_of_a_configuration_is_read_as_the_orchestrator_writes_it() -> None:
    networks = ["10.213.0.0/27", "10.213.255.224/27", "192.168.4.0/26", "10.0.0.0/8"]
    texts = [
        to_environment(CollectorConfig(cidr=network, self=str(ipaddress.IPv4Network(network)[3])))[
            "DISCOVERY_CONFIG"
        ]
        for network in networks
    ]
    assert configurations(texts) == [
        f"{next(each.hosts())} {each.num_addresses}" for each in map(ipaddress.IPv4Network, networks)
    ]


def test_the_probes_on_other_hosts_of_an_overlay_are_read() -> None:
    whole = {"version": 1, "cidr": "10.213.0.0/27", "self": "10.213.0.28"}
    peers = [f"10.213.0.{number}" for number in range(10, 43)]
    texts = [json.dumps(whole | {"peers": each}) for each in (peers[:1], peers[:32])]
    assert configurations(texts) == [
        f"10.213.0.1 32 10.213.0.28 {' '.join(each)}" for each in (peers[:1], peers[:32])
    ]
    faulty = [peers, [], ["10.213.0.300"], [7], ["10.213.0.5", []], "10.213.0.5", [["10.213.0.5"]], {}]
    texts = [json.dumps(whole | {"peers": each}) for each in faulty]
    texts += [text[:-2] for text in texts]
    texts.append(json.dumps({**whole, "peers": peers[:2], "self": 7}))
    texts.append(json.dumps({key: whole[key] for key in ("version", "cidr")} | {"peers": peers[:2]}))
    texts.append(json.dumps(whole | {"peers": peers[:2]}).replace('", "10.213.0.11', '" "10.213.0.11'))
    assert not [each for each in configurations(texts) if each.startswith("10.")]


def test_members_are_found_in_any_order_and_not_inside_of_others() -> None:
    hidden = {
        "x": {"cidr": "10.9.9.0/24", "version": 2},
        'y"': ["cidr", {"cidr": "}"}],
        "": 2,
        "ver": 2,
        "ci": "10.9.9.0/24",
        "cidrs": "10.9.9.0/24",
        "version": 1,
        "cidr": "10.1.0.0/24",
    }
    assert configurations([json.dumps(hidden), json.dumps(hidden, indent=2)]) == ["10.1.0.1 256"] * 2


def test_a_configuration_that_is_not_one_gives_no_network() -> None:
    whole = '{"version": 1, "cidr": "10.1.0.0/24"}'
    networks = ("10.1.0.1/24", "10.1.0.0", "10.1.0.0/31", "0.0.0.0/0", "10.1.0.0/-1", "10.1.0.0/24 ")
    networks += ("10.1.0.0/+24", "10.1.0.0/ 24", "1" * 31, "1" * 32)
    broken = [
        *(whole[:length] for length in range(1, len(whole) - 1)),
        '{"version": 2, "cidr": "10.1.0.0/24"}',
        '{"version": 12, "cidr": "10.1.0.0/24"}',
        '{"cidr": "10.1.0.0/24"}',
        '{"version": 1 "cidr": "10.1.0.0/24"}',
        *(f'{{"version": 1, "cidr": "{cidr}"}}' for cidr in (*networks, "::/64", "", "1" * 99)),
        '{"version": 1, "cidr": 7}',
        *("", " ", "[]", "[" * 500, '{"cidr' + "\\", "nothing", "{,}", '{"a":]'),
    ]
    assert [said for said in configurations(broken) if said[0].isdigit()] == []
    assert len(configurations(broken)) == len(broken)


OWN, OTHER = socket.inet_aton("10.213.0.28"), socket.inet_aton("10.213.0.27")
OF_A_HOST, OF_AN_ENGINE = socket.inet_aton("172.18.0.1"), socket.inet_aton("10.213.0.40")


def arp_answer(source: bytes, *, by: bytes = BRIDGE, kind: int = 2) -> bytes:
    return MAC + by + struct.pack("!HHHBBH", frames.ARP, 1, frames.IPV4, 6, 4, kind) + by + source + MAC + OWN


def pong(source: bytes, target: bytes = OWN, *, options: int = 0, identity: int = 0xD24E) -> bytes:
    header = bytes([0x45 + options]) + bytes(8) + b"\x01" + bytes(2) + source + target + bytes(4 * options)
    return MAC + BRIDGE + b"\x08\x00" + header + struct.pack("!BBHHH", 0, 0, 0, identity, 1)


SILENCE = "-1||0|0"
ON_AN_OVERLAY = {
    arp_answer(OF_A_HOST): "1|a host answers ARP|0|0",
    arp_answer(OF_AN_ENGINE): "-1||0|1",
    arp_answer(OTHER): SILENCE,
    arp_answer(OF_AN_ENGINE, by=MAC): SILENCE,
    arp_answer(OF_A_HOST, kind=1): SILENCE,
    pong(OTHER): "-1||1|0",
    pong(OTHER, options=3): "-1||1|0",
    pong(OTHER, target=OF_AN_ENGINE): SILENCE,
    pong(OTHER, identity=0xD24F): SILENCE,
    pong(OF_A_HOST): "1|a host answers: a ping, from 172.18.0.1|0|0",
    pong(OF_AN_ENGINE, target=OTHER): "1|a host answers: a ping, from 10.213.0.40|0|0",
}


def overlay_verdicts(heard: Sequence[bytes]) -> list[str]:
    lines = "".join(f"hear {MAC.hex()} {frame.hex()}\n" for frame in heard)
    return run(overlay_meanings_program(), lines.encode()).splitlines()


def test_on_an_overlay_a_frame_decides_only_when_it_is_whole() -> None:
    assert overlay_verdicts(list(ON_AN_OVERLAY)) == list(ON_AN_OVERLAY.values())
    cut = [frame[:length] for frame in ON_AN_OVERLAY for length in range(len(frame))]
    assert set(overlay_verdicts(cut)) == {SILENCE}


def test_on_an_overlay_changed_and_random_frames_are_read_to_their_end_only() -> None:
    chance = random.Random(27)
    whole = list(ON_AN_OVERLAY)
    changed = []
    for _ in range(20_000):
        frame = bytearray(chance.choice(whole))
        frame[chance.randrange(len(frame))] = chance.randrange(256)
        del frame[chance.randrange(len(frame) + 1) :]
        changed.append(bytes(frame) + chance.randbytes(chance.choice((0, 0, 3, 60))))
    assert len(overlay_verdicts(changed)) == len(changed)
