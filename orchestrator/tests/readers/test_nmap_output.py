import tracemalloc
from itertools import pairwise

import masscan_sample
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nmap_sample import SCAN

from dryrun_contract.discovery import DiscoveryLine, EndLine, ProgressLine, WarningLine
from dryrun_orchestrator.readers.nmap_host import MAX_TEXT_CHARACTERS
from dryrun_orchestrator.readers.nmap_output import MAX_DOCUMENTS, NmapOutput
from dryrun_orchestrator.session.collector_lines import OutputTally

WORDS = [
    ProgressLine(done=42, total=100, message="SYN Stealth Scan"),
    DiscoveryLine(kind="host", key="10.213.0.2", data={"mac": "02:42:0A:D5:00:02", "vendor": "Maker"}),
    DiscoveryLine(
        kind="service",
        key="10.213.0.2:443/tcp",
        data={
            "name": "http",
            "product": "nginx",
            "version": "1.26.3",
            "extra": "Debian",
            "tls": True,
            "cpe": ["cpe:/a:igor_sysoev:nginx:1.26.3"],
        },
        confidence=1.0,
    ),
    DiscoveryLine(kind="service", key="10.213.0.2:5432/tcp", data={"name": "postgresql"}, confidence=0.3),
    EndLine(discoveries=3),
]


def read(*chunks):
    output = NmapOutput()
    words = [word for chunk in chunks for word in output.feed(chunk)]
    return words + output.finish()


def test_hosts_that_are_up_and_ports_that_are_open_become_discoveries():
    assert read(SCAN) == WORDS


@given(st.lists(st.integers(0, len(SCAN)), max_size=8))
def test_wherever_the_stream_is_cut_the_words_and_their_numbers_are_the_same(cuts):
    places = [0, *sorted(cuts), len(SCAN)]
    assert read(*(SCAN[start:end] for start, end in pairwise(places))) == WORDS


OPENSSH_HOST = DiscoveryLine(kind="host", key="10.213.255.5")
MASSCAN_WORDS = [
    OPENSSH_HOST,
    DiscoveryLine(kind="service", key="10.213.255.5:22/tcp", confidence=0.3),
    DiscoveryLine(
        kind="service",
        key="10.213.255.5:22/tcp",
        data={"name": "ssh", "banner": "SSH-2.0-OpenSSH_10.0p2"},
        confidence=0.3,
    ),
    EndLine(discoveries=3),
]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (masscan_sample.PORTS, MASSCAN_WORDS),
        (
            masscan_sample.HOSTS,
            [OPENSSH_HOST, DiscoveryLine(kind="host", key="10.213.255.1"), EndLine(discoveries=2)],
        ),
        (masscan_sample.CLOSED, [OPENSSH_HOST, EndLine(discoveries=1)]),
    ],
    ids=["open ports", "hosts by ARP", "a closed port"],
)
def test_masscan_names_no_status_and_no_exit_and_is_read_all_the_same(output, words):
    assert read(output) == words


@given(st.lists(st.integers(0, 2 * len(SCAN) + len(masscan_sample.PORTS)), max_size=8))
def test_documents_one_after_another_are_one_output_wherever_it_is_cut(cuts):
    output = SCAN + masscan_sample.PORTS + b"\n\n" + SCAN
    places = [0, *sorted(cuts), len(output)]
    words = read(*(output[start:end] for start, end in pairwise(places)))
    ends = [word for word in words if isinstance(word, EndLine)]
    assert [end.discoveries for end in ends] == [3, 6, 9]
    assert words[-1] is ends[-1]
    assert not any(isinstance(word, WarningLine) for word in words)


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (SCAN.replace(b'exit="success"', b'exit="error" errormsg="no route"'), "no route"),
        (SCAN.replace(b"<finished", b"<ended"), "there is no <finished>"),
        (SCAN[:-30], "it ends without </nmaprun>"),
        (SCAN[:60], "it ends without </nmaprun>"),
        (b"Segmentation fault", "syntax error"),
    ],
    ids=["failed", "without its end", "cut", "cut in its head", "no document"],
)
@pytest.mark.parametrize("first", [b"", masscan_sample.PORTS], ids=["alone", "after another"])
def test_a_scan_without_success_is_a_warning_and_never_a_complete_output(first, last, why):
    words = read(first + last)
    tally = OutputTally()
    for word in words:
        tally.count(word)
    assert tally.why_incomplete(0) is not None
    (warned,) = [word for word in words if isinstance(word, WarningLine)]
    assert why in warned.message


def test_a_failed_scan_is_not_made_good_by_the_one_after_it():
    words = read(SCAN.replace(b'exit="success"', b'exit="error"') + masscan_sample.PORTS)
    assert not any(isinstance(word, EndLine) for word in words)


def test_no_output_says_that_there_is_none():
    (word,) = read(b"\n")
    assert "it is empty" in word.message


def test_a_flood_of_documents_ends_the_reading():
    words = read(b"<nmaprun></nmaprun>" * (MAX_DOCUMENTS + 5))
    assert f"more than {MAX_DOCUMENTS} documents" in words[-1].message


def test_a_host_is_reported_before_the_scan_has_ended():
    output = NmapOutput()
    words = output.feed(SCAN.partition(b'<host><status state="down"')[0] + b"\n" * 10_000)
    assert words == WORDS[:-1]


def test_without_its_own_end_or_with_an_error_the_output_has_no_end_line():
    cut = read(SCAN[:-30])
    assert not any(isinstance(word, EndLine) for word in cut)
    assert isinstance(cut[-1], WarningLine)
    assert not any(isinstance(w, EndLine) for w in read(SCAN.replace(b'exit="success"', b'exit="error"')))


@pytest.mark.parametrize(
    "declaration",
    [
        b'<!DOCTYPE nmaprun [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        b'<!DOCTYPE nmaprun [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE nmaprun SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE nmaprun PUBLIC "a" "http://192.0.2.1/x.dtd">',
        b"<!DOCTYPE nmaprun [<!ELEMENT nmaprun ANY>]>",
    ],
)
def test_a_declaration_ends_the_reading_before_anything_is_reported(declaration):
    words = read(SCAN.replace(b"<!DOCTYPE nmaprun>", declaration))
    assert [type(word) for word in words] == [WarningLine]
    assert "declares a document type or an entity" in words[0].message


@pytest.mark.parametrize(
    "raw", [b"<html></html>", b"Starting Nmap 7.95\n", b"<nmaprun>" + b"<a>" * 40, b"\xff\xfe"]
)
def test_what_nmap_does_not_write_is_one_warning(raw):
    (word,) = read(raw)
    assert isinstance(word, WarningLine)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'addr="10.213.0.2"', b'addr="127.0.0.1; rm"'),
        (b'portid="443"', b'portid="99999"'),
        (b'portid="443"', b'portid="-1"'),
        (b'portid="443"', b'portid="' + b"4" * 5000 + b'"'),
        (b'protocol="tcp" portid="443"', b'protocol="sctp" portid="443"'),
    ],
)
def test_a_place_that_is_none_is_a_warning_and_the_rest_counts(old, new):
    words = read(SCAN.replace(old, new))
    assert sum(isinstance(word, WarningLine) for word in words) == 1
    assert words[-1].discoveries == sum(isinstance(word, DiscoveryLine) for word in words)


def test_texts_of_targets_are_cut_and_stay_data():
    words = read(SCAN.replace(b'product="nginx"', b'product="&lt;script&gt;&#9;' + b"A" * 100_000 + b'"'))
    product = words[2].data["product"]
    assert product.startswith("<script>\t")
    assert len(product) == MAX_TEXT_CHARACTERS


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_no_bytes_raise_anything(chunks):
    read(*chunks)
    read(SCAN[:700], *chunks, SCAN[700:])


def grown_by(*chunks):
    """Return what reading `chunks` leads to, and the most memory that Python held meanwhile, in MiB."""
    tracemalloc.start()
    try:
        words = read(*chunks)
        return words, tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


FINISHED = b'<runstats><finished exit="success"/></runstats></nmaprun>'
HOST_HEAD = b'<nmaprun><host><status state="up"/><address addr="10.213.0.2" addrtype="ipv4"/><ports>'


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (b"<nmaprun " + b"".join(b'a%x="" ' % n for n in range(400_000)), "a tag and its text are longer"),
        (b"<nmaprun>" + b"".join(b"<a%x/>" % n for n in range(500_000)), "more than 1000 names"),
        (HOST_HEAD + b'<port><state state="open"/></port>' * 120_000, "more than 20000 open ports"),
        (b"<nmaprun " + b'a="' + b">" * 4_000_000, "a tag and its text are longer"),
    ],
    ids=["attributes", "names", "ports", "one attribute"],
)
def test_four_megabytes_made_to_grow_end_the_reading_small(output, why):
    words, grown = grown_by(*(output[start : start + 65_536] for start in range(0, len(output), 65_536)))
    assert why in words[-1].message
    assert grown < 40


def test_ports_that_are_not_open_are_not_kept():
    closed = b'<port protocol="tcp" portid="1"><state state="closed"/></port>'
    words, grown = grown_by(HOST_HEAD, *[closed * 1000] * 100, b"</ports></host>", FINISHED)
    assert [type(word) for word in words] == [DiscoveryLine, EndLine]
    assert grown < 5
