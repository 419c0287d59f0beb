"""What both readers of XML refuse, each by the reason that it gives."""

from collections import deque

import pytest

from dryrun_orchestrator.readers.nmap_output import NmapOutput
from dryrun_orchestrator.readers.xml_records import XmlRecords

MAX_DEPTH, MAX_NAMES, MAX_TAG_BYTES = 32, 1000, 256 * 1024
DEEP = "<nmaprun>" + "<a>" * MAX_DEPTH
MANY_NAMES = "<nmaprun>" + "".join(f"<n{number}/>" for number in range(MAX_NAMES + 1))
LONG_TAG = f'<nmaprun a="{"x" * MAX_TAG_BYTES}"/>'
ENTITY = '<!DOCTYPE nmaprun [<!ENTITY a "b">]><nmaprun>&a;</nmaprun>'
EXTERNAL = '<!DOCTYPE nmaprun [<!ENTITY a SYSTEM "file:///etc/passwd">]><nmaprun>&a;</nmaprun>'
UNPARSED = '<!DOCTYPE nmaprun [<!NOTATION n SYSTEM "n"><!ENTITY a SYSTEM "b" NDATA n>]><nmaprun/>'
REFUSED = {
    "deep": (DEEP, f"it is nested deeper than {MAX_DEPTH} levels"),
    "many names": (MANY_NAMES, f"it has more than {MAX_NAMES} names of elements and attributes"),
    "long tag": (LONG_TAG, f"a tag and its text are longer than {MAX_TAG_BYTES} bytes"),
    "entity": (ENTITY, "it declares a document type or an entity of its own"),
    "external entity": (EXTERNAL, "it declares a document type or an entity of its own"),
    "unparsed entity": (UNPARSED, "it declares a document type or an entity of its own"),
}


class NotReadError(Exception):
    pass


@pytest.mark.parametrize("sent", REFUSED)
@pytest.mark.parametrize("bytes_at_once", [1000, 10**9])
def test_nmaps_output_is_refused_with_the_reason(sent, bytes_at_once):
    text, reason = REFUSED[sent]
    output = NmapOutput()
    words = [word for part in parts(text, bytes_at_once) for word in output.feed(part)]
    assert [word.message for word in words] == [f"the output is not what nmap or masscan writes: {reason}"]
    assert output.feed(b"<nmaprun></nmaprun>") == []


@pytest.mark.parametrize("sent", REFUSED)
@pytest.mark.parametrize("bytes_at_once", [1000, 10**9])
def test_the_xml_of_a_reader_table_is_refused_with_the_reason(sent, bytes_at_once):
    text, reason = REFUSED[sent]
    records = XmlRecords("host", NotReadError)
    with pytest.raises(NotReadError) as raised:
        deque(map(records.feed, parts(text, bytes_at_once)))
    assert str(raised.value) == reason


@pytest.mark.parametrize("named", ['SYSTEM "nmap.dtd"', 'PUBLIC "a" "http://192.0.2.1/a.dtd"'])
def test_a_table_may_name_a_document_type_elsewhere_and_nmap_has_none(named):
    text = f"<!DOCTYPE nmaprun {named}><nmaprun><host/></nmaprun>".encode()
    assert len(list(XmlRecords("host", NotReadError).feed(text))) == 1
    (refusal,) = NmapOutput().feed(text)
    assert "declares a document type" in refusal.message


def parts(text, size):
    raw = text.encode()
    return [raw[start : start + size] for start in range(0, len(raw), size)]
