import asyncio
import contextlib
import time

import pytest
from dns_server import FakeDns, listening
from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.collector import Assignment
from discovery_collectors.collectors.directory import collector as directory
from discovery_collectors.collectors.directory import dns_zones, ldap_root, smb_session
from discovery_collectors.collectors.directory.collector import collect
from discovery_collectors.collectors.directory.dns_zones import DnsError, possible_zones
from discovery_collectors.collectors.directory.ldap_root import understand
from discovery_collectors.collectors.directory.ntlm import Anonymous, Names
from discovery_collectors.collectors.directory.share_list import RpcError, Share
from discovery_collectors.collectors.directory.smb_session import FileServer
from discovery_collectors.protocols import ber
from discovery_collectors.running.scope import Scope
from dryrun_contract.collector_config import Credential
from dryrun_contract.discovery import Discovery

SCOPE = Scope.parse(["127.0.0.1"])


def service(port, name, transport="tcp", host="127.0.0.1", **data):
    reported = {"name": name, "method": "probed", **data}
    return Discovery(kind="service", key=f"{host}:{port}/{transport}", data=reported, confidence=0.9)


async def look(emit, *found, scope=SCOPE, **options):
    await collect(Assignment(scope, discoveries=found, **options), emit)


# LDAP


def root_entry(**attributes):
    texts = [
        ber.element(
            ber.SEQUENCE,
            ber.element(ber.OCTET_STRING, name.encode()),
            ber.element(0x31, *(ber.element(ber.OCTET_STRING, value.encode()) for value in values)),
        )
        for name, values in attributes.items()
    ]
    entry = ber.element(0x64, ber.element(ber.OCTET_STRING), ber.element(ber.SEQUENCE, *texts))
    done = ber.element(0x65, ber.integer(0, ber.ENUMERATED), ber.element(ber.OCTET_STRING) * 2)
    return b"".join(ber.element(ber.SEQUENCE, ber.integer(1), each) for each in (entry, done))


def ldap_server(answer, received=None):
    async def serve(reader, writer):
        question = await reader.read(2000)
        if received is not None:
            received.append(question)
        writer.write(answer)
        await writer.drain()
        goodbye = await reader.read(2000)
        if received is not None:
            received.append(goodbye)

    return serve


async def test_naming_contexts_are_reported_in_lower_case_with_their_vendor(emit):
    received = []
    answer = root_entry(
        namingContexts=["DC=Corp, DC=Example", "o=Suppliers"], objectClass=["top", "OpenLDAProotDSE"]
    )
    async with listening(ldap_server(answer, received)) as port:
        await look(emit, service(port, "ldap"))
    key = f"127.0.0.1:{port}/tcp"
    assert emit.keys("directory") == [f"{key}/dc=corp,dc=example", f"{key}/o=suppliers"]
    assert emit.data("directory", emit.keys("directory")[0]) == {"vendor": "OpenLDAP"}
    assert emit.data("service", key) == {"product": "OpenLDAP"}
    # One search and a goodbye; no bind.
    assert [next(iter(ber.elements(each)))[1][3] for each in received] == [0x63, 0x42]


@pytest.mark.parametrize(
    ("entry", "vendor"),
    [
        ({"vendorname": ["389 Project"]}, "389 Project"),
        ({"supportedcapabilities": ["1.2.840.113556.1.4.800"]}, "Microsoft Active Directory"),
        ({"objectclass": ["top"]}, ""),
        ({}, ""),
    ],
)
def test_a_vendor_is_recognised_only_by_its_own_marks(entry, vendor):
    assert understand(entry).vendor == vendor


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x02\x01\x07" * 10],
)
async def test_what_is_no_ldap_is_a_warning(emit, monkeypatch, answer):
    monkeypatch.setattr(ldap_root, "ANSWER_SECONDS", 0.5)
    async with listening(ldap_server(answer)) as port:
        await look(emit, service(port, "ldap"))
    assert emit.reported == []
    assert len(emit.warnings) == 1


async def test_a_directory_without_end_is_left(emit, monkeypatch):
    monkeypatch.setattr(ldap_root, "_ANSWER_BYTES", 50_000)

    async def serve(reader, writer):
        await reader.read(2000)
        while True:
            writer.write(root_entry(x=["y" * 1000])[:-14])
            await writer.drain()

    async with listening(serve) as port, asyncio.timeout(20):
        await look(emit, service(port, "ldap"))
    assert "no answer in LDAP" in emit.warnings[0]


async def test_naming_contexts_that_are_not_reported_are_said(emit):
    for number, warnings in ((200, []), (300, ["more than 200 naming contexts; the first 200 are reported"])):
        emit.warnings.clear()
        answer = root_entry(namingContexts=[f"o={each}" for each in range(number)])
        async with listening(ldap_server(answer)) as port:
            await look(emit, service(port, "ldap"))
        key = f"127.0.0.1:{port}/tcp"
        assert len([each for each in emit.keys("directory") if each.startswith(key)]) == 200
        assert emit.warnings == [f"{key}: {each}" for each in warnings]


async def test_a_name_that_is_cut_is_said(emit):
    async with listening(ldap_server(root_entry(namingContexts=["o=" + "x" * 400]))) as port:
        await look(emit, service(port, "ldap"))
    key = f"127.0.0.1:{port}/tcp"
    assert emit.keys("directory") == [f"{key}/o={'x' * 298}"]
    assert emit.warnings == [f"{key}: a directory is reported by the first 300 characters of its name"]


# SMB


@pytest.mark.parametrize("complete", [True, False])
async def test_shares_that_are_not_reported_are_said(emit, monkeypatch, complete):
    async def list_shares(*_):
        shares = (Share("public", "disk", special=False), Share("print", "printer", special=False))
        return FileServer(Names(), "2.1.0", signing_required=False, shares=shares, all_shares=complete)

    monkeypatch.setattr(directory, "list_shares", list_shares)
    await look(emit, service(445, "microsoft-ds"))
    assert len(emit.keys("share")) == 2
    said = "127.0.0.1:445/tcp: more than 2 shares; the first 2 are reported"
    assert emit.warnings == ([] if complete else [said])


async def test_a_list_that_makes_no_sense_is_no_refusal_and_is_answered_with_no_password(emit, monkeypatch):
    shown = []

    async def list_shares(self):
        raise RpcError("the list of shares is cut")

    async def nothing(self, *login):
        shown.extend(login)
        return "2.1.0", False

    monkeypatch.setattr(smb_session._Session, "list_shares", list_shares)
    monkeypatch.setattr(smb_session._Session, "negotiate", nothing)
    monkeypatch.setattr(smb_session._Session, "log_in", nothing)
    login = Credential(engine="smb", username="u", password="canary-pw", at=("127.0.0.1",))
    async with listening(lambda reader, _: reader.read(1)) as port:
        await look(emit, service(port, "microsoft-ds"), credentials=(login,))
    assert emit.reported == []
    assert emit.warnings == [f"127.0.0.1:{port}/tcp: the list of shares is cut"]
    assert [type(each) for each in shown] == [Anonymous]


@pytest.mark.parametrize("answer", [b"", b"\xff" * 4, b"\0\0\0\x04ABCD", b"\0\0\0\x50\xfeSMB" + b"\0" * 76])
async def test_what_is_no_smb_is_a_warning(emit, answer):
    async def serve(reader, writer):
        await reader.read(2000)
        writer.write(answer)
        await writer.drain()

    async with listening(serve) as port:
        await look(emit, service(port, "microsoft-ds"))
    assert emit.reported == []
    assert len(emit.warnings) == 1


# DNS

CERTIFICATE = Discovery(kind="certificate", key="127.0.0.1:443/tcp", data={"names": ["www.corp.example"]})


async def test_a_zone_that_may_be_copied_is_counted_and_one_that_is_kept_is_no_discovery(emit):
    server = FakeDns()
    async with server.running() as port:
        await look(emit, service(port, "domain"), service(port, "domain", "udp"), CERTIFICATE)
    assert emit.reported == [("dns_zone", f"127.0.0.1:{port}/tcp/corp.example", {"records": 5}, 1.0)]
    transfers = [name for name, kind, _ in server.asked if kind == "AXFR"]
    assert transfers == ["corp.example.", "branch.corp.example."]
    # Names inside a known zone are not queried.
    assert "www.corp.example." not in {name for name, _, _ in server.asked}


async def test_pauses_that_a_rate_requires_do_not_count_as_the_server_s_time(emit, monkeypatch):
    monkeypatch.setattr(directory, "_SERVICE_SECONDS", 0.5)
    async with FakeDns().running() as port:
        # Pauses of 0.02 s before each of five or more questions, and of 0.4 s before two copies.
        await look(emit, service(port, "domain"), CERTIFICATE, max_rate=100)
    assert emit.warnings == []
    assert emit.keys("dns_zone") == [f"127.0.0.1:{port}/tcp/corp.example"]


async def test_a_server_keeps_no_pauses_that_it_did_not_require(emit, monkeypatch):
    monkeypatch.setattr(directory, "_SERVICE_SECONDS", 0.3)
    began = time.monotonic()
    async with listening(lambda reader, _: reader.read()) as port:
        # Sixty pauses of 0.1 s would be 6 s.
        await look(emit, service(port, "ldap"), max_rate=400)
    assert emit.warnings == [f"127.0.0.1:{port}/tcp: stopped after 0.3 s"]
    assert time.monotonic() - began < 5


async def test_no_question_makes_the_server_ask_others(emit):
    server = FakeDns()
    async with server.running() as port:
        await look(emit, service(port, "domain"), CERTIFICATE)
    assert len(server.asked) > 3
    assert not any(recursive for _, _, recursive in server.asked)


async def test_a_zone_without_end_is_counted_as_far_as_it_was_read(emit, monkeypatch):
    monkeypatch.setattr(dns_zones, "_TRANSFER_RECORDS", 1000)
    async with FakeDns(endless=True).running() as port, asyncio.timeout(30):
        await look(emit, service(port, "domain"), CERTIFICATE)
    data = emit.data("dns_zone", f"127.0.0.1:{port}/tcp/corp.example")
    assert data["more"] is True
    assert data["records"] > 1000


async def test_reverse_zones_of_what_was_found_are_asked_for(emit):
    server = FakeDns()
    scope = Scope.parse(["127.0.0.1", "10.1.0.0/21"])
    async with server.running() as port:
        found = (service(80, "http", host=host) for host in ("10.1.2.7", "10.1.2.8", "10.1.4.9", "10.9.9.9"))
        await look(emit, service(port, "domain"), *found, scope=scope)
    asked = [name for name in server.questions("SOA") if name.endswith(".10.in-addr.arpa.")]
    assert asked == ["1.10.in-addr.arpa.", "2.1.10.in-addr.arpa.", "4.1.10.in-addr.arpa."]


async def test_a_server_that_is_silent_about_everything_is_left_after_three_questions(emit, monkeypatch):
    monkeypatch.setattr(dns_zones, "ANSWER_SECONDS", 0.1)
    received = []

    class Silent(asyncio.DatagramProtocol):
        def datagram_received(self, data, addr):
            received.append(data)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Silent, local_addr=("127.0.0.1", 0)
    )
    try:
        await look(emit, service(transport.get_extra_info("sockname")[1], "domain", "udp"), CERTIFICATE)
        async with asyncio.timeout(10):
            while len(received) < 4:
                await asyncio.sleep(0.01)
    finally:
        transport.close()
    assert "no answer in DNS" in emit.warnings[0]
    assert len(received) == 4


def test_names_suggest_zones_down_to_two_labels_and_targets_their_reverse():
    found = possible_zones(
        ["*.shop.Corp.example", "10.0.0.3", "printer", "", "x" * 400], Scope.parse(["10.1.2.0/24"]).targets
    )
    assert [str(zone) for zone in found] == [
        "corp.example.",
        "10.in-addr.arpa.",
        "shop.corp.example.",
        "1.10.in-addr.arpa.",
        "2.1.10.in-addr.arpa.",
    ]


@given(st.binary(max_size=120))
def test_whatever_a_copy_holds_it_is_read_or_refused(content):
    with contextlib.suppress(DnsError):
        assert all(kind < 2**16 for kind, _ in dns_zones._records(content, 0))


@given(st.lists(st.text(max_size=300), max_size=5))
def test_whatever_servers_call_themselves_it_is_a_zone_or_nothing(names):
    possible_zones(names, SCOPE.targets)


# All


@pytest.mark.parametrize("name", ["ldap", "microsoft-ds", "domain"])
async def test_what_lies_outside_the_scope_gets_no_packet(emit, name):
    connections = []

    async def serve(reader, writer):
        connections.append(writer)

    async with listening(serve) as port:
        await look(emit, service(port, name), scope=Scope.parse(["127.0.0.0/29"], ["127.0.0.1"]))
    assert connections == []
    assert "127.0.0.1 is excluded" in emit.warnings[0]


async def test_other_services_are_left_alone(emit):
    connections = []

    async def serve(reader, writer):
        connections.append(writer)

    async with listening(serve) as port:
        await look(emit, service(port, "http"), service(port, "unknown", method="table"))
    assert connections == []
    assert emit.warnings == []


async def test_a_server_that_makes_a_library_fail_spoils_no_other(emit, monkeypatch):
    async def broken(*_, **__):
        raise TypeError("canary-value")

    monkeypatch.setattr(directory, "list_shares", broken)
    async with listening(ldap_server(root_entry(namingContexts=["o=x"]))) as port:
        await look(emit, service(port, "ldap"), service(1, "microsoft-ds"))
    assert emit.keys("directory") == [f"127.0.0.1:{port}/tcp/o=x"]
    assert emit.warnings == ["127.0.0.1:1/tcp: its answers make no sense (TypeError)"]
