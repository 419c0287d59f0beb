"""A login that fails on a stand-in is counted by its recipe's pattern; what its health check asks is not."""

import asyncio
import re
import subprocess
from collections.abc import Mapping

import pytest
from made_networks import host, service
from made_stand_ins import BOOK, made

from dryrun_local.machine.installation import Installation
from dryrun_replica.verifying.container import Container, running

# On the machine's own engine: an engine of one's own cannot fetch what the shared root may lack.
pytestmark = [pytest.mark.engine, pytest.mark.machine, pytest.mark.long, pytest.mark.timeout(900)]
_TALK = "exec 3<> /dev/tcp/$HERE/{port}; read -r -t 10 _ <&3; {said} exec 3>&-; "
_SSH = (
    "SSH_ASKPASS=/bin/echo SSH_ASKPASS_REQUIRE=force ssh -o StrictHostKeyChecking=no -p {port}"
    " -o UserKnownHostsFile=/dev/null -o NumberOfPasswordPrompts=1 nobody@$HERE"
)
_AMQP_LOGIN = r"\1\0\0\0\0\0\43\0\12\0\13\0\0\0\0\5PLAIN\0\0\0\13\0shop\0wrong\5en_US\316"


def _said(port: int, *lines: str) -> str:
    said = "".join(f"printf '{line}\\r\\n' >&3; read -r -t 10 _ <&3; " for line in lines)
    return _TALK.format(port=port, said=said)


def _with_a_password(port: int, path: str) -> str:
    asked = rf"GET {path} HTTP/1.0\r\nHost: a\r\nAuthorization: Basic bm9ib2R5Ondyb25n\r\n\r\n"
    return f"printf '{asked}' | timeout 5 bash -c 'exec 3<> /dev/tcp/'$HERE'/{port}; cat >&3; cat <&3'"


PORTS: Mapping[str, int] = {
    name: 20000 + number
    for number, name in enumerate(recipe.name for recipe in BOOK if recipe.failed_logins is not None)
}
PROVOCATIONS: Mapping[str, str] = {
    "cockpit": _with_a_password(PORTS["cockpit"], "/cockpit/login"),
    "dropbear": _SSH.format(port=PORTS["dropbear"]),
    "dovecot-imap": _said(PORTS["dovecot-imap"], "1 LOGIN nobody wrong", "2 LOGOUT"),
    "dovecot-pop3": _said(PORTS["dovecot-pop3"], "USER nobody", "PASS wrong", "QUIT"),
    "mariadb": f"mariadb --skip-ssl -h $HERE -P {PORTS['mariadb']} -u nobody -pwrong -e 'SELECT 1'",
    "monit": _with_a_password(PORTS["monit"], "/"),
    "openldap": f"ldapwhoami -x -H ldap://$HERE:{PORTS['openldap']} -D cn=admin,dc=example -w wrong",
    "openssh": _SSH.format(port=PORTS["openssh"]),
    "pgbouncer": f"PGPASSWORD=wrong psql -h $HERE -p {PORTS['pgbouncer']} -U app -d app -c 'SELECT 1'",
    "postgresql": f"PGPASSWORD=wrong psql -h $HERE -p {PORTS['postgresql']} -U app -d postgres -c 'SELECT 1'",
    "proftpd": _said(PORTS["proftpd"], "USER nobody", "PASS wrong", "QUIT"),
    "rabbitmq": rf"exec 3<> /dev/tcp/$HERE/{PORTS['rabbitmq']}; printf 'AMQP\0\0\11\1' >&3;"
    rf" head -c 400 <&3 > /dev/null; printf '{_AMQP_LOGIN}' >&3; timeout 3 cat <&3",
    "vsftpd": _said(PORTS["vsftpd"], "USER nobody", "PASS wrong", "QUIT"),
}
HOSTS = (
    ("dropbear", "dovecot-imap", "mariadb", "openldap", "openssh", "vsftpd", "pgbouncer", "monit"),
    ("cockpit", "dovecot-pop3", "postgresql", "proftpd", "rabbitmq"),
)


def test_each_pattern_of_a_recipe_has_its_provocation() -> None:
    assert set(PROVOCATIONS) == set(PORTS) == {name for names in HOSTS for name in names}


@pytest.mark.parametrize("names", HOSTS, ids=["unprivileged", "some-as-root"])
def test_a_failed_login_is_counted(installation: Installation, names: tuple[str, ...]) -> None:
    services = (service(PORTS[name], BOOK[name].names.nmap[0], name=BOOK[name].protocol) for name in names)
    (row,) = made(installation, [host("web-1", *services)])

    async def counted() -> tuple[dict[str, int], dict[str, int], int]:
        async with running(row) as container:
            here = (await container.ask("hostname", "-I")).split()[0]
            before = _counts(container, names)
            for name in names:
                await container.ask("bash", "-c", f"HERE={here}; {PROVOCATIONS[name]}")
            wanted = dict.fromkeys(names, 1)
            for _ in range(30):
                if (found := _counts(container, names)) == wanted:
                    break
                await asyncio.sleep(0.3)
            return before, found, _lines(container, row["log_patterns"]["failed_logins"])

    before, after, together = asyncio.run(counted())
    assert before == dict.fromkeys(names, 0)
    assert after == dict.fromkeys(names, 1)
    assert together == len(names)


def _counts(container: Container, names: tuple[str, ...]) -> dict[str, int]:
    return {name: _lines(container, str(BOOK[name].failed_logins)) for name in names}


def _lines(container: Container, pattern: str) -> int:
    done = subprocess.run(["docker", "logs", container.id], capture_output=True, timeout=60, check=True)
    log = (done.stdout + done.stderr).decode(errors="replace")
    return sum(bool(re.search(pattern, line)) for line in log.splitlines())
