"""What a hostile collector may try: runs inside a session's network, with NET_RAW and nothing else.

Sent to a container's Python on standard input. The environment's ATTACK says whom to try, the output is one
JSON object: what became of each try by an ordinary socket, every frame that came back from a machine that is
not of this session, and what the engine's resolver answered. Everything sent carries the mark.
"""

import errno
import json
import os
import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor

BROADCAST = b"\xff" * 6
RESERVED = bytes.fromhex("0180c2000003"), bytes.fromhex("0180c200000e")
"""What a bridge leaves to its port, which is an interface of the host."""
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
TRY_SECONDS = 1.5
LISTEN_SECONDS = 1.0
ROUNDS = 2
"""A bridge's link-local address is tentative, and silent, for up to two seconds after its first container."""


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def mac_of(text):
    return bytes.fromhex(text.replace(":", ""))


def link_local(mac):
    return b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


def segment(source, target, protocol, port, mark):
    """A TCP SYN with data, a UDP datagram or an echo request, whole with its checksum."""
    if protocol == TCP:
        body, place = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 0x50, 2, 64240, 0, 0) + mark, 16
    elif protocol == UDP:
        body, place = struct.pack("!HHHH", 40000, port, 8 + len(mark), 0) + mark, 6
    else:
        body, place = struct.pack("!BBHHH", 8 if protocol == ICMP else 128, 0, 0, 1, 1) + mark, 2
    pseudo = b"" if protocol == ICMP else source + target + struct.pack("!II", len(body), protocol)
    return body[:place] + struct.pack("!H", checksum(pseudo + body)) + body[place + 2 :]


def packet(source, target, protocol, port, mark):
    body = segment(source, target, protocol, port, mark)
    if len(target) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + source + target + body
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0) + source + target
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def arp_request(mac, source, target):
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + source + bytes(6) + target
    return BROADCAST + mac + b"\x08\x06" + body


def solicitation(mac, source, target):
    message = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\x01\x01" + mac
    pseudo = source + target + struct.pack("!II", len(message), ICMPV6)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    return struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, 255) + source + target + message


# Ordinary sockets


def named(error):
    if isinstance(error, TimeoutError):
        return "no answer"
    return errno.errorcode.get(error.errno, str(error))


def open_to(address, port, kind, protocol=0):
    """A connected socket; a link-local address is one of this link."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    scope = (0, socket.if_nametoindex("eth0")) if address.startswith("fe80") else ()
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(TRY_SECONDS)
        connection.connect((address, port, *scope))
    except OSError:
        connection.close()
        raise
    return connection


def try_tcp(address, port, mark):
    try:
        with open_to(address, port, socket.SOCK_STREAM) as connection:
            connection.send(mark)
            return "connected"
    except OSError as error:
        return named(error)


def try_udp(address, port, mark):
    try:
        with open_to(address, port, socket.SOCK_DGRAM) as connection:
            connection.send(mark)
            connection.recv(100)
            return "answered"
    except OSError as error:
        return named(error)


def try_ping(address, _, mark):
    protocol = ICMPV6 if ":" in address else ICMP
    echo = segment(packed(address), packed(address), protocol, 0, mark)
    try:
        with open_to(address, 0, socket.SOCK_RAW, protocol) as connection:
            connection.send(echo)
            # What came before it was connected may be another's answer.
            while connection.recvfrom(200)[1][0].partition("%")[0] != address:
                continue
            return "answered"
    except OSError as error:
        return named(error)


def by_sockets(plan, mark):
    tries = [
        (way, address, port, function)
        for address, ports in plan["by_sockets"]
        for way, function, used in (
            ("TCP", try_tcp, ports),
            ("UDP", try_udp, ports),
            ("ping", try_ping, [0]),
        )
        for port in used
    ]
    with ThreadPoolExecutor(32) as pool:
        results = pool.map(lambda each: each[3](each[1], each[2], mark), tries)
        return [
            [way, address, port, result]
            for (way, address, port, _), result in zip(tries, results, strict=True)
        ]


# Raw frames


def frames(plan, mark, mac, own):
    """Every address with every port and protocol, to each MAC that the host listens to."""
    macs = [mac_of(text) for text in plan["macs"]]
    for address, ports in plan["by_frames"]:
        target = packed(address)
        version = 6 if len(target) == 16 else 4
        source = link_local(mac) if version == 6 else own
        echo = ICMPV6 if version == 6 else ICMP
        for to in [*macs, BROADCAST, *RESERVED]:
            head = to + mac + ETHERTYPES[version]
            yield head + packet(source, target, echo, 0, mark)
            if version == 6:
                yield head + solicitation(mac, source, target)
            for port in ports:
                yield head + packet(source, target, UDP, port, mark)
                yield head + packet(source, target, TCP, port, mark)
        if version == 4:
            yield arp_request(mac, own, target)
            yield arp_request(mac, bytes(4), target)


def by_frames(plan, mark):
    """Send them all and return what anybody outside of the session said, as hex."""
    members = {mac_of(text) for text in plan["members"]}
    own = packed(plan["self"])
    heard = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
        wire.bind(("eth0", 0))
        wire.settimeout(0.05)
        mac = wire.getsockname()[4]
        for _ in range(ROUNDS):
            for frame in frames(plan, mark, mac, own):
                wire.send(frame)
            heard += [frame.hex() for frame in listen(wire) if is_answer(frame, {mac, *members})]
    return heard


def listen(wire):
    end = time.monotonic() + LISTEN_SECONDS
    while time.monotonic() < end:
        try:
            yield wire.recv(2048)
        except TimeoutError:
            continue


def is_answer(frame, own):
    # Multicast is nobody's answer: the host's end of our own link announces itself.
    multicast = frame[0] & 1 and frame[:6] != BROADCAST
    return frame[6:12] not in own and not multicast


# DNS


def ask(name, kind):
    """The engine's resolver inside of the container: [code, number of answers]."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!HHHHHH", 77, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.settimeout(8)
        resolver.connect(("127.0.0.11", 53))
        resolver.send(query)
        try:
            answer = resolver.recv(4096)
        except OSError as error:
            return [named(error), 0]
    return [answer[3] & 15, struct.unpack_from("!H", answer, 6)[0]]


def by_names(plan):
    with ThreadPoolExecutor(16) as pool:
        return dict(zip(plan["names"], pool.map(lambda name: ask(name, 1), plan["names"]), strict=True))


def main():
    plan = json.loads(os.environ["ATTACK"])
    mark = plan["mark"].encode()
    sockets = by_sockets(plan, mark)
    heard = by_frames(plan, mark)
    report = {"heard": heard, "sockets": sockets, "names": by_names(plan)}
    sys.stdout.write(json.dumps(report))


main()
