"""The question to servers of files: what ProFTPD and Pure-FTPd answer, whatever they greet with."""

import pytest
from asking import ask
from listening import listening

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.second_opinion import protocol_questions
from discovery_collectors.collectors.network.second_opinion.findings import Finding

PROFTPD = (
    b"211-Features:\r\n CLNT\r\n CSID\r\n EPRT\r\n EPSV\r\n HOST\r\n LANG en-US*\r\n MDTM\r\n"
    b" MFF modify;UNIX.group;UNIX.mode;\r\n MFMT\r\n MLST modify*;perm*;size*;type*;unique*;UNIX.group*;"
    b"UNIX.groupname*;UNIX.mode*;UNIX.owner*;UNIX.ownername*;\r\n REST STREAM\r\n SIZE\r\n211 End\r\n"
)
PURE_FTPD = (
    b"211-Extensions supported:\r\n UTF8\r\n EPRT\r\n IDLE\r\n MDTM\r\n SIZE\r\n MFMT\r\n REST STREAM\r\n"
    b" MLST type*;size*;sizd*;modify*;UNIX.mode*;UNIX.uid*;UNIX.gid*;unique*;\r\n MLSD\r\n211 End.\r\n"
)
FEAT, PAGE = b"FEAT\r\n", b"GET / HTTP/1.0\r\n\r\n"
VSFTPD = b"211-Features:\r\n EPRT\r\n EPSV\r\n MDTM\r\n PASV\r\n REST STREAM\r\n SIZE\r\n TVFS\r\n211 End\r\n"


def as_older(features: bytes) -> bytes:
    """Each line with the status, as RFC 2389 does not want it."""
    return features.replace(b"\r\n ", b"\r\n211-")


@pytest.mark.parametrize(
    ("answer", "product"),
    [(PROFTPD, "ProFTPD"), (as_older(PROFTPD), "ProFTPD"), (PURE_FTPD, "Pure-FTPd")],
)
def test_features_name_their_server(answer, product):
    question = protocol_questions.named("ftp")
    assert protocol_questions.read(question, answer) == Finding("ftp", product)


@pytest.mark.parametrize(
    "answer",
    [
        VSFTPD,
        PROFTPD.replace(b"size*;type*", b"type*;size*"),
        PROFTPD.replace(b"Features", b"Extensions supported"),
        PURE_FTPD.replace(b"sizd*;", b""),
    ],
)
def test_features_that_resemble_them_show_the_protocol_alone(answer):
    assert protocol_questions.read(protocol_questions.named("ftp"), answer) == Finding("ftp")


@pytest.mark.parametrize(
    "answer", [b"500 5.5.1 Invalid command\r\n", b"530 Please login, then ask FEAT for " + PROFTPD]
)
def test_a_refusal_shows_nothing(answer):
    assert protocol_questions.read(protocol_questions.named("ftp"), answer) is None


@pytest.mark.parametrize(("name", "asked"), [("ftp", [FEAT]), ("unknown", [PAGE, FEAT])])
async def test_a_server_that_greets_as_its_operator_wants_is_asked_for_its_features(name, asked):
    received = []

    async def serve(reader, writer):
        writer.write(b"220 Authorised use only\r\n")
        said = await reader.read(4096)
        received.append(said)
        if said == FEAT:
            writer.write(PROFTPD)
        writer.close()

    async with listening(serve) as number:
        found = await ask(number, Port(number, name, probed=name == "ftp"), answer=0.3, seconds=3)
    assert (found.name, found.product) == ("ftp", "ProFTPD")
    assert received == asked
