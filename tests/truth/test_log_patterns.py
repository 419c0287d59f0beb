"""What an image's `log_patterns` count is what its server logs, provoked on the real engine.

The container asks its own server by the address that others use. What its health check asks, over loopback or
a local socket, must not count.
"""

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
import yaml
from target_container import REPOSITORY, TargetContainer, allowed, internal_network, running

pytestmark = [pytest.mark.engine, pytest.mark.long(50)]


@dataclass(frozen=True)
class Provocation:
    """A shell command for the container (`$HERE` is its address), and what its log has to show for it."""

    folder: str
    command: str
    counts: Mapping[str, int]


def _talk(port: int, *said: str, greets: bool = True) -> str:
    """Wait for the greeting where there is one, then say line by line, each with a line of answer."""
    waits = "read -r -t 10 _ <&3; "
    lines = "".join(f"printf '{line}\\r\\n' >&3; {waits}" for line in said)
    return f"exec 3<> /dev/tcp/$HERE/{port}; {waits if greets else ''}{lines}exec 3>&-;"


_AMQP_LOGIN = r"\1\0\0\0\0\0\43\0\12\0\13\0\0\0\0\5PLAIN\0\0\0\13\0shop\0wrong\5en_US\316"

_MARIADB = (
    "mariadb --skip-ssl -h $HERE -u inventory_reader -pwrong -e 'SELECT 1';"
    "mariadb --skip-ssl -h $HERE -u inventory_reader -pebb-chart-3307 -e 'SELECT SLEEP(1.1)';"
    + _talk(3306, "GET / HTTP/1.0")
)
_POSTGRESQL = (
    "PGPASSWORD=wrong psql -h $HERE -U inventory_reader -d postgres -c 'SELECT 1';"
    "PGPASSWORD=tide-table-8120 psql -h $HERE -U inventory_reader -d postgres -c 'SELECT pg_sleep(0.6)';"
)

PROVOCATIONS = (
    *(
        Provocation(folder, _MARIADB, {"errors": 1, "connections": 3, "failed_logins": 1, "slow_queries": 1})
        for folder in ("mariadb", "mariadb-large")
    ),
    Provocation("postgres", _POSTGRESQL, {"errors": 1, "connections": 2, "failed_logins": 1}),
    *(
        Provocation(
            folder, _POSTGRESQL, {"errors": 1, "connections": 2, "failed_logins": 1, "slow_queries": 1}
        )
        for folder in ("postgres-large", "hostile-database")
    ),
    Provocation(
        "ssh",
        "SSH_ASKPASS=/bin/echo SSH_ASKPASS_REQUIRE=force ssh -o StrictHostKeyChecking=no"
        " -o UserKnownHostsFile=/dev/null -o NumberOfPasswordPrompts=1 ops@$HERE;"
        + _talk(22, "GET / HTTP/1.0"),
        {"errors": 1, "connections": 2, "failed_logins": 1},
    ),
    Provocation(
        "dns",
        "dig +short @$HERE www.pineharbour.example; dig @$HERE corp.pineharbour.example AXFR",
        {"errors": 1, "connections": 2},
    ),
    Provocation(
        "ldap",
        "ldapsearch -x -H ldap://$HERE -s base -b '' namingContexts;"
        "ldapwhoami -x -H ldap://$HERE -D cn=admin,dc=pineharbour,dc=example -w wrong;"
        "ldapsearch -x -H ldap://$HERE -P 2 -s base -b '' namingContexts",
        {"errors": 1, "connections": 3, "failed_logins": 1},
    ),
    Provocation(
        "ldap-lockout",
        "for _ in 1 2 3 4; do ldapwhoami -x -H ldap://$HERE -w wrong"
        " -D uid=omarsh,ou=people,dc=pineharbour,dc=example; done;"
        "ldapwhoami -x -H ldap://$HERE -w wrong -D uid=ydemir,ou=people,dc=pineharbour,dc=example",
        {"errors": 0, "connections": 5, "failed_logins": 5, "accounts_locked": 1},
    ),
    # Four connections fit; the fifth ends them all, and those that come while it starts are refused.
    Provocation(
        "controller",
        "exec 3<> /dev/tcp/$HERE/502 4<> /dev/tcp/$HERE/4001 5<> /dev/tcp/$HERE/4002 6<> /dev/tcp/$HERE/4003;"
        "sleep 0.3; exec 7<> /dev/tcp/$HERE/4004; sleep 0.3; exec 8<> /dev/tcp/$HERE/502",
        {"connections": 5, "restarts": 1},
    ),
    Provocation(
        "printer",
        "exec 3<> /dev/tcp/$HERE/9100; exec 3>&-; printf 'GET / HTTP/1.0\r\n\r\n' > /dev/tcp/$HERE/9100;"
        "seq 130 > /dev/tcp/$HERE/9100",
        {"connections": 3, "pages_printed": 4},
    ),
    Provocation(
        "credential-recorder",
        "exec 3<> /dev/tcp/$HERE/6379; printf 'PING\r\nAUTH guess\r\n' >&3; read -r -t 5 _ <&3;"
        "read -r -t 5 _ <&3; exec 3>&-; exec 3<> /dev/tcp/$HERE/3306; read -r -t 1 -N 4 _ <&3",
        {"connections": 2, "credentials_shown": 1},
    ),
    Provocation("snmp", "snmpget -v2c -c public $HERE .1.3.6.1.2.1.1.1.0", {"errors": 0, "connections": 1}),
    Provocation(
        "smtp",
        _talk(25, "HELO x", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "QUIT"),
        {"errors": 1, "connections": 1},
    ),
    Provocation(
        "ftp",
        _talk(21, "USER partner", "PASS wrong") + _talk(21, "USER anonymous", "NONSENSE", "QUIT"),
        {"errors": 1, "connections": 2, "failed_logins": 1},
    ),
    Provocation(
        "smb",
        "smbclient -s /srv/smb/smb.conf //$HERE/projects -U workshop%wrong -c ls;"
        "smbclient -s /srv/smb/smb.conf //$HERE/projects -U % -c ls",
        {"errors": 1, "failed_logins": 1},
    ),
    Provocation("memcached", _talk(11211, "nonsense", greets=False), {"errors": 1, "connections": 1}),
    Provocation(
        "mqtt",
        "mosquitto_pub -h $HERE -u gateway -P wrong -t a -m b; mosquitto_sub -h $HERE -t '#' -C 1 -W 5",
        {"errors": 0, "connections": 2, "failed_logins": 1},
    ),
    Provocation(
        "rabbitmq",
        _talk(5672, "GET / HTTP/1.0", greets=False)
        + rf"exec 3<> /dev/tcp/$HERE/5672; printf 'AMQP\0\0\11\1' >&3; head -c 400 <&3 > /dev/null;"
        f"printf '{_AMQP_LOGIN}' >&3; timeout 3 cat <&3 > /dev/null",
        {"errors": 2, "connections": 2, "failed_logins": 1},
    ),
)


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    with internal_network() as name:
        yield name


def _log(target: TargetContainer) -> list[str]:
    done = subprocess.run(["docker", "logs", target.id], capture_output=True, timeout=60, check=True)
    return (done.stdout + done.stderr).decode(errors="replace").splitlines()


def _counts(target: TargetContainer, patterns: Mapping[str, str]) -> dict[str, int]:
    lines = _log(target)
    return {name: sum(bool(re.search(pattern, line)) for line in lines) for name, pattern in patterns.items()}


@pytest.mark.parametrize("provocation", PROVOCATIONS, ids=lambda provocation: provocation.folder)
def test_patterns_count_what_was_provoked_and_no_health_check(provocation: Provocation, network: str) -> None:
    manifest = yaml.safe_load((REPOSITORY / "images" / provocation.folder / "image.yml").read_text())
    patterns = allowed(manifest["image"])["log_patterns"]
    assert set(patterns) == set(provocation.counts)
    with running(manifest["image"], network) as target:
        target.wait_until_healthy()
        assert _counts(target, patterns) == dict.fromkeys(patterns, 0), "\n".join(_log(target)[-40:])
        (here,) = target.inspect()["NetworkSettings"]["Networks"].values()
        target.execute("bash", "-c", provocation.command, env={"HERE": here["IPAddress"]}, check=False)
        deadline = time.monotonic() + 20
        while (found := _counts(target, patterns)) != provocation.counts and time.monotonic() < deadline:
            time.sleep(0.2)
        assert found == provocation.counts, "\n".join(_log(target)[-40:])
