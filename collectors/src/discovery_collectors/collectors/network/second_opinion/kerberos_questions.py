"""The questions to Kerberos's services for changing passwords and for administration; neither logs in."""

from discovery_collectors.collectors.network.second_opinion import protocol_bytes
from discovery_collectors.collectors.network.second_opinion.protocol_question import (
    ProtocolQuestion,
    Reading,
    ports,
    usual_port_question,
)

_TOO_LONG = rb"^\0\0[\0-\x03][\s\S]\x7e[\s\S]{1,3}\x30[\s\S]{1,60}?\xa6\x03\x02\x01\x3d"
"""An error of Kerberos (RFC 4120, section 5.9.1) with the code 61."""

KERBEROS_QUESTIONS: tuple[ProtocolQuestion, ...] = (
    usual_port_question(
        "kpasswd5",
        (protocol_bytes.KERBEROS_EXTENSION,),
        # The refusal that is required, KRB_ERR_FIELD_TOOLONG; MIT's names the service itself.
        (
            Reading("MIT Kerberos", _TOO_LONG + rb"[\s\S]{1,300}?\x1b\x06kadmin\x1b\x08changepw$"),
            Reading("", _TOO_LONG),
        ),
        ports(464),
    ),
    usual_port_question(
        "kerberos-adm",
        (protocol_bytes.KADMIN,),
        # Denied: too weak, as whoever calls this program has to log in. Others do not have it.
        (Reading("MIT Kerberos", rb"^\x80\0\0\x14disc\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x05$"),),
        ports(749),
    ),
)
