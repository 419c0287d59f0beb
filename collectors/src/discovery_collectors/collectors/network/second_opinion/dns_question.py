"""The question to name servers: what each says of itself under the names by which servers differ."""

from discovery_collectors.collectors.network.second_opinion.protocol_question import (
    VERSION,
    ProtocolQuestion,
    Reading,
    ports,
)

_TEXT_IN_CHAOS = b"\0\0\x10\0\x03"
_ASKED = (
    b"\0\x1eJJ\0\0\0\x01\0\0\0\0\0\0\x07version\x04bind"
    + _TEXT_IN_CHAOS
    + b"\0\x1eJK\0\0\0\x01\0\0\0\0\0\0\x07version\x04pdns"
    + _TEXT_IN_CHAOS
    + b"\0\x25JL\0\0\0\x01\0\0\0\0\0\0\x0btrustanchor\x07unbound"
    + _TEXT_IN_CHAOS
)
"""What a server says of itself: the customary name, and those that only PowerDNS and Unbound know. Without
recursion, so that the server asks no other."""
_IN_TXT = rb"\0\x10\0\x03[\s\S]{6}[\s\S]"
_ANSWERED = rb"^[\s\S]{2}JJ[\s\S]{10}\x07version\x04bind\0\0\x10\0\x03"
_VERSION_PDNS = rb"\x07version\x04pdns\0\0\x10\0\x03"
_TRUST_ANCHOR = rb"\x0btrustanchor\x07unbound\0\0\x10\0\x03"

DNS_QUESTION = ProtocolQuestion(
    "domain",
    (_ASKED,),
    (
        Reading("dnsmasq", _IN_TXT + rb"dnsmasq-" + VERSION),
        Reading("Unbound", _IN_TXT + rb"unbound " + VERSION),
        Reading("PowerDNS Recursor", _IN_TXT + rb"PowerDNS Recursor " + VERSION),
        Reading("PowerDNS Authoritative Server", _IN_TXT + rb"PowerDNS Authoritative Server " + VERSION),
        Reading("cz.nic Knot DNS", _IN_TXT + rb"Knot DNS " + VERSION),
        Reading("gdnsd", _IN_TXT + rb"gdnsd/" + VERSION),
        Reading("NLnet Labs NSD", _IN_TXT + rb"NSD " + VERSION),
        Reading("ISC BIND", _IN_TXT + rb"(?P<version>9\.\d{1,2}\.\d{1,3}[\w.+~-]{0,30})"),
        # With its version hidden, the apex of the zone that holds it; with another text, that zone's name.
        Reading(
            "ISC BIND", _ANSWERED + rb"\xc0\x0c\0\x06\0\x03\0\x01\x51\x80\0\x23\xc0\x0c\x0ahostmaster\xc0\x0c"
        ),
        Reading(
            "ISC BIND",
            _ANSWERED + rb"\xc0\x0c\0\x10\0\x03\0{4}[\s\S]{3,260}?\xc0\x0c\0\x02\0\x03\0{4}\0\x02\xc0\x0c",
        ),
        # Each knows a name of its own, hides what it says there or not, and refuses the other's.
        Reading(
            "Unbound",
            rb"JK[\x80-\x83][\x05\x85]\0\x01\0{6}" + _VERSION_PDNS + rb"[\s\S]{2}"
            rb"JL[\x80-\x87][\0\x80]\0\x01\0[\0-\x10]\0{4}" + _TRUST_ANCHOR,
        ),
        Reading(
            "PowerDNS Authoritative Server",
            rb"JK\x84(?:\0\0\x01\0\x01\0{4}|\x02\0\x01\0{6})" + _VERSION_PDNS + rb"[\s\S]{2,300}?"
            rb"JL\x84\x05\0\x01\0{6}" + _TRUST_ANCHOR,
        ),
        Reading("", rb"^[\s\S]{2}JJ[\x80-\xff]"),
    ),
    ports(53, 5353, 853),
)
