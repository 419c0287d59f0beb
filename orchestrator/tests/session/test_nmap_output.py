import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nmap_sample import SCAN

from dryrun_contract.discovery import DiscoveryLine, EndLine, ProgressLine, WarningLine
from dryrun_orchestrator.session.nmap_output import MAX_TEXT_CHARACTERS, NmapOutput

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
    words, grown = grown_by(HOST_HEAD, *[closed * 1000] * 100, b"</ports></host></nmaprun>")
    assert [word.kind for word in words] == ["host"]
    assert grown < 5
