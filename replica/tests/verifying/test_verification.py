import asyncio
import re
from dataclasses import dataclass, field

import pytest

from dryrun_replica.verifying import verification
from dryrun_replica.verifying.container import Container
from dryrun_replica.verifying.verification import Products

HANDSHAKE_SECONDS = 3
LISTENS = "socket tcp 0: 00000000:20FB 00000000:0000 0A 0 0 0 0 0 77"
CERTIFICATE = "subject=CN=shop\nissuer=CN=shop\nnotAfter=2030-01-01 00:00:00Z\n"


class Busy(Container):
    """On a machine on which a simple question takes a while, and a handshake on port 8443 three seconds."""

    async def ask(self, *command: str, text: str = "", root: bool = False) -> str:
        if command[0] == "dpkg-query":
            await asyncio.sleep(0.4)
            return ""
        waits = re.match(r"timeout ([0-9.]+) openssl", command[-1])
        if waits:
            return CERTIFICATE if float(waits[1]) > HANDSHAKE_SECONDS else ""
        return LISTENS if root else ""


@dataclass(frozen=True, slots=True)
class Late(Container):
    """Whose page comes in time when it is asked for the second time."""

    asked: list[str] = field(default_factory=list)

    async def ask(self, *command: str, text: str = "", root: bool = False) -> str:
        if "/dev/tcp/" not in command[-1]:
            return LISTENS if root else ""
        self.asked.append(command[-1])
        return "HTTP/1.0 200 OK\r\n\r\n<title>Shop</title>" if len(self.asked) == 2 else ""


def test_a_page_that_has_to_be_there_is_asked_for_again() -> None:
    truth = [
        {"kind": "service", "key": ":8443/tcp", "data": {}},
        {"kind": "web_app", "key": ":8443/tcp", "data": {"title": "Shop"}},
    ]
    checked = verification._Verification(Late("", "", ""), truth, Products({}))
    assert [fault for fault in asyncio.run(checked.run()) if "web_app" in fault] == []


@dataclass(frozen=True, slots=True)
class SpeaksFirst(Container):
    """Whose greeting is lost where it is sent a question."""

    async def ask(self, *command: str, text: str = "", root: bool = False) -> str:
        if "/dev/tcp/" not in command[-1]:
            return LISTENS if root else ""
        return "" if "GET" in command[-1] else "11.8.9-MariaDB-0+deb13u1"


@pytest.mark.parametrize("version", ["11.8.9-MariaDB-0+deb13u1", "11.8.8"])
def test_a_version_that_is_said_before_any_question_is_heard(version: str) -> None:
    truth = [{"kind": "service", "key": ":8443/tcp", "data": {"version": version}}]
    checked = verification._Verification(SpeaksFirst("", "", ""), truth, Products({}))
    faults = [fault for fault in asyncio.run(checked.run()) if "version" in fault]
    assert faults == ([] if "MariaDB" in version else [":8443/tcp: version should be 11.8.8, installed is "])


@pytest.mark.parametrize("expected", [True, False], ids=["expected", "not expected"])
def test_a_certificate_is_seen_on_a_busy_machine(expected: bool) -> None:
    truth = [{"kind": "service", "key": ":8443/tcp", "data": {}}]
    truth += [{"kind": "certificate", "key": ":8443/tcp", "data": {"subject": "CN=shop"}}] if expected else []
    checked = verification._Verification(Busy("", "", ""), truth, Products({}))
    faults = [fault for fault in asyncio.run(checked.run()) if "certificate" in fault]
    assert faults == ([] if expected else [":8443/tcp: a certificate is there but not expected"])
