"""The project's own reader tables, each with output as its program writes it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.discovery import DiscoveryLine, EndLine, WarningLine
from dryrun_orchestrator.catalog.reader_tables import load_reader_tables
from dryrun_orchestrator.readers.translation import TableReader

FOLDER = Path(__file__).parents[3] / "collectors" / "manifests" / "readers"
SAMPLES = Path(__file__).parent / "samples"
FAULTS = []
TABLES = load_reader_tables(FOLDER, FAULTS)

WEB = {"name": "http", "product": "nginx", "version": "1.26.3"}
EXPECTED = {
    "naabu": [
        ("host", "10.213.0.3", {"mac": "02:42:0a:d5:00:03"}),
        (
            "service",
            "10.213.0.3:22/tcp",
            {
                "name": "ssh",
                "product": "OpenSSH",
                "version": "10.0p2",
                "tls": False,
                "cpe": ["cpe:/a:openbsd:openssh:10.0p2"],
            },
        ),
        ("host", "10.213.0.4", {}),
        ("service", "10.213.0.4:53/udp", {"tls": False}),
        ("host", "10.213.0.5", {}),
    ],
    "httpx": [
        ("host", "10.213.0.3", {}),
        ("service", "10.213.0.3:443/tcp", {**WEB, "name": "https", "tls": True}),
        (
            "web_app",
            "10.213.0.3:443/tcp",
            {"title": "Tide gauge 7", "server": "nginx", "status": 200, "technologies": ["Nginx:1.26.3"]},
        ),
        (
            "certificate",
            "10.213.0.3:443/tcp",
            {
                "subject": "CN=www.pineharbour.example",
                "issuer": "CN=Pineharbour Internal CA",
                "not_after": "2039-12-31T23:59:59Z",
            },
        ),
    ],
    "zgrab2": [
        ("host", "10.213.0.3", {}),
        ("service", "10.213.0.3:22/tcp", {}),
        ("service", "10.213.0.3:80/tcp", {}),
        ("service", "10.213.0.3:22/tcp", {"name": "ssh", "product": "OpenSSH", "version": "10.0p2"}),
        ("service", "10.213.0.3:80/tcp", WEB),
        ("web_app", "10.213.0.3:80/tcp", {"server": "nginx", "status": 200}),
    ],
    "fingerprintx": [
        ("host", "10.213.0.3", {}),
        ("service", "10.213.0.3:22/tcp", {"name": "ssh", "product": "OpenSSH", "tls": False}),
        (
            "service",
            "10.213.0.3:443/tcp",
            {"name": "https", "tls": True, "version": "1.26.3", "technologies": ["Nginx:1.26.3"]},
        ),
        ("service", "10.213.0.3:53/udp", {"name": "dns", "tls": False}),
    ],
    "nuclei": [
        ("host", "10.213.0.3", {}),
        ("service", "10.213.0.3:80/tcp", {"name": "http"}),
        ("web_app", "10.213.0.3:80/tcp", {}),
        ("service", "10.213.0.3:22/tcp", {}),
    ],
    "gvm": [
        ("host", "10.213.0.3", {}),
        ("service", "10.213.0.3:443/tcp", {}),
        ("host", "10.213.0.4", {}),
        ("service", "10.213.0.4:161/udp", {}),
    ],
    "diode": [
        ("host", "10.213.0.3", {"name": "shop"}),
        ("host", "10.213.0.4", {}),
        ("host", "10.213.0.5", {"name": "db"}),
        ("service", "10.213.0.5:5432/tcp", {"name": "postgresql"}),
        ("service", "10.213.0.5:5433/tcp", {"name": "postgresql"}),
    ],
    "csv": [
        ("host", "10.213.0.3", {}),
        ("service", "10.213.0.3:80/tcp", {**WEB, "name": "http"}),
        ("host", "10.213.0.4", {}),
        ("service", "10.213.0.4:161/udp", {"name": "snmp"}),
        ("host", "10.213.0.5", {}),
    ],
    "zmap": [
        ("host", "10.213.0.3", {}),
        ("service", "10.213.0.3:80/tcp", {}),
        ("host", "10.213.0.4", {}),
    ],
    "sslscan": [
        ("host", "10.213.0.3", {}),
        ("service", "10.213.0.3:443/tcp", {"tls": True}),
        (
            "certificate",
            "10.213.0.3:443/tcp",
            {"subject": "CN=www.pineharbour.example", "not_after": "2039-12-31T23:59:59Z"},
        ),
    ],
    "whatweb": [
        ("host", "10.213.0.3", {}),
        ("service", "10.213.0.3:80/tcp", WEB),
        ("web_app", "10.213.0.3:80/tcp", {"title": "Tide gauge 7", "server": "nginx", "status": 200}),
        ("service", "10.213.0.3:8443/tcp", {"name": "https"}),
        ("web_app", "10.213.0.3:8443/tcp", {"status": 404}),
    ],
    "nbtscan": [
        ("host", "10.213.0.6", {"mac": "02:42:0a:d5:00:06"}),
        ("service", "10.213.0.6:137/udp", {"name": "netbios-ns"}),
    ],
}


def sample(name):
    (path,) = SAMPLES.glob(f"{name}.*")
    return path.read_bytes()


def words(name, *pieces):
    reader = TableReader(TABLES[name])
    return [*(word for piece in pieces for word in reader.feed(piece)), *reader.finish()]


def test_every_table_is_valid_and_has_a_sample():
    assert FAULTS == []
    assert set(TABLES) == set(EXPECTED) == {path.stem for path in SAMPLES.iterdir() if path.suffix != ".md"}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_program_s_output_becomes_discoveries_and_an_end(name):
    found = words(name, sample(name))
    discoveries = [(word.kind, word.key, word.data) for word in found if isinstance(word, DiscoveryLine)]
    assert [word.message for word in found if isinstance(word, WarningLine)] == []
    assert discoveries == EXPECTED[name]
    assert found[-1] == EndLine(discoveries=len(discoveries))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_it_is_the_same_in_pieces_of_any_size(name):
    text = sample(name)
    whole = words(name, text)
    for size in (1, 7, 64):
        assert words(name, *(text[start : start + size] for start in range(0, len(text), size))) == whole


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_an_output_that_is_cut_is_not_complete_or_says_less(name):
    text = sample(name).rstrip()
    found = words(name, text[: len(text) - 5])
    assert not isinstance(found[-1], EndLine) or TABLES[name].form == "csv"


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_an_empty_output_is_not_complete(name):
    (word,) = words(name, b"  \n")
    assert "empty" in word.message


@given(st.sampled_from(sorted(EXPECTED)), st.data())
def test_garbage_and_half_garbage_end_in_words(name, data):
    text = sample(name)
    cut = data.draw(st.integers(0, len(text)))
    noise = data.draw(st.binary(max_size=200))
    for piece in (noise, text[:cut] + noise + text[cut:]):
        for word in words(name, piece):
            assert len(word.model_dump_json()) < 64 * 1024
