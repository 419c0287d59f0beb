"""What services say first, or complain of: real greetings of Debian's packages, and what resembles them."""

import pytest

from discovery_collectors.collectors.network.second_opinion import banner_signs

TELNET = b"\xff\xfb\3\xff\xfb\1\xff\xfd\3\xff\xfe\1"
QMP = b'{"QMP": {"version": {"qemu": {"micro": 13, "minor": 0, "major": 10}, "package": "'
POKERTH = b"\0\0\0\x16\x08\1\x12\x12\n\4\x08\5\x10\1\x12\4\x08\1\x10\x0b\x18\0 \1(\0"

GALERA = bytes.fromhex("24000002d87e4bcc00011000") + bytes(range(32))
SIEVE = b'"IMPLEMENTATION" "ManageSieve"\r\n"VERSION" "1.0"\r\n"SASL" "PLAIN"\r\n"SIEVE" "fileinto '


@pytest.mark.parametrize(
    ("banner", "product", "version"),
    [
        (b"220 mail.example Dovecot ready.\r\n", "Dovecot", ""),
        (b"220 mail.example Dovecot (Debian) ready.\r\n", "Dovecot", ""),
        (TELNET + b"Open On-Chip Debugger\r\n\r> ", "OpenOCD", ""),
        (b"QEMU 10.0.13 monitor - type 'help' for more information\r\n(qemu) ", "QEMU monitor", "10.0.13"),
        (QMP + b'Debian 1:10.0.13+ds-0+deb13u1"}, "capabilities"', "QEMU QMP", "10.0.13+ds-0+deb13u1"),
        (QMP + b'v9.2.0"}, "capabilities": ["oob"]}}\r\n', "QEMU QMP", "9.2.0"),
        (QMP + b'"}, "capabilities": ["oob"]}}\r\n', "QEMU QMP", ""),
        (b"Rsrv0103QAP1\r\n\r\nARucKae ARpt--\r\n", "Rserve", ""),
        (POKERTH, "PokerTH", ""),
        (b"Expecting SSL (optional) and CONFIG as first commands.\n", "csync2", ""),
        (b"554 5.5.0 Error: SMTP protocol synchronization\r\n", "Postfix smtpd", ""),
        (
            b"220 mx.example ESMTP\r\n221 2.7.0 Error: I can break rules, too. Goodbye.\r\n",
            "Postfix smtpd",
            "",
        ),
        (b"220 File drop\r\n500 HTTP protocol commands not allowed.\r\n", "vsftpd", ""),
        (b"220-File\r\n220 drop\r\n500 HTTP protocol commands not allowed.\r\n", "vsftpd", ""),
        (b"CLIENT_ERROR unauthenticated\r\n" * 2, "Memcached", ""),
        (b"+OK Ready.\r\n-ERR Unknown command.\r\n-ERR Unknown command.\r\n", "", ""),
        (GALERA, "Galera Cluster", ""),
        (b"Unknown or incomplete command::GET / HTTP/1.0\n", "Sipwise rtpengine", ""),
        (b"220 filter GNU Mailman LMTP runner 2.0\r\n", "GNU Mailman", ""),
        (b"220 [10.213.223.5] ESMTP amavisd-new service ready\r\n", "amavisd-new smtpd", ""),
        (SIEVE + b'vnd.cyrus.snooze date"\r\nOK\r\n', "Cyrus timsieved", ""),
    ],
)
def test_a_greeting_names_its_product(banner, product, version):
    recognised = banner_signs.recognise(banner)
    assert recognised is not None
    assert (recognised[0].product, recognised[1]) == (product, version)


@pytest.mark.parametrize(
    ("banner", "product"),
    [
        (b"220 mail.example ESMTP Postfix, not Dovecot ready.\r\n", "Postfix smtpd"),
        (TELNET + b"login: Open On-Chip Debugger\r\n", ""),
        (b"220 mx.example ESMTP\r\n554 SMTP synchronization error\r\n", ""),
        (b"220 mx.example ESMTP\r\n221 2.7.0 Error: Goodbye.\r\n", ""),
        (SIEVE + b'date"\r\n"OWNER" "vnd.cyrus.snooze"\r\nOK\r\n', ""),
        (b"220 mail.example ESMTP in front of amavisd-new service ready\r\n", ""),
    ],
)
def test_a_greeting_that_only_mentions_a_product_is_another_one(banner, product):
    recognised = banner_signs.recognise(banner)
    assert recognised is not None
    assert recognised[0].product == product


@pytest.mark.parametrize(
    "banner",
    [
        b"QEMU is what we run here\r\n",
        b'{"QMP": "a page of ours"}',
        b"Rsrv is short for reserved\r\n",
        POKERTH.replace(b"\x12\x12\n", b"\x12\x12\x0b"),
        b"Expecting SSL, got plain text\n",
        b"220 File drop\r\n500 HTTP not allowed.\r\n",
        b"CLIENT_ERROR unauthenticated, log in first\r\n",
        GALERA + b"\0",
        b"Unknown or incomplete command: GET\n",
        GALERA.replace(b"\0\x01\x10\0", b"\0\x01\x20\0"),
    ],
)
def test_what_resembles_a_greeting_names_nothing(banner):
    assert banner_signs.recognise(banner) is None
