"""Which product a listening program is, and which version it has by its own word."""

import re
from dataclasses import dataclass

from target_container import TargetContainer
from truth.sockets import Listener


@dataclass(frozen=True, slots=True)
class Product:
    """`ask` is a shell command, `{port}` is its port; what `version` finds in its output is the version."""

    name: str
    ask: str = ""
    version: str = ""


_BANNER = "exec 3<> /dev/tcp/127.0.0.1/{port}; timeout 20 head -n 1 <&3"
_HEADERS = "exec 3<> /dev/tcp/127.0.0.1/{port}; printf 'HEAD / HTTP/1.0\\r\\n\\r\\n' >&3; timeout 20 cat <&3"
_AMQP = (
    "exec 3<> /dev/tcp/127.0.0.1/{port}; printf 'AMQP\\0\\0\\11\\1' >&3; "
    "timeout 20 head -c 500 <&3 | tr -cd '[:print:]'"
)

_PRODUCTS = {
    "apache2": Product("Apache httpd", "apache2 -v", r"Apache/(\S+)"),
    "beam.smp": Product("RabbitMQ", _AMQP, r"RabbitMQ.*version\D*([\d.]+)"),
    "chronyd": Product("chrony"),
    "haproxy": Product("HAProxy", "haproxy -v", r"HAProxy version ([\d.]+)"),
    "in.tftpd": Product("tftpd-hpa"),
    "mariadbd": Product(
        "MariaDB", "mariadb --defaults-file=/srv/mariadb/my.cnf -BNe 'SELECT version()'", r"^(\S+)"
    ),
    "master": Product("Postfix", "postconf -h mail_version", r"^(\S+)"),
    "memcached": Product("Memcached", "memcached -V", r"memcached (\S+)"),
    "mosquitto": Product("Mosquitto", "mosquitto -h", r"mosquitto version (\S+)"),
    "named": Product("BIND", "dig +short -p {port} @127.0.0.1 version.bind CH TXT", r"^\"([\d.]+)"),
    "nginx": Product("nginx", _HEADERS, r"(?m)^Server: nginx/(\S+)"),
    "node": Product("Node.js", "node --version", r"^v(\S+)"),
    "postgres": Product("PostgreSQL", "psql -XAtqd postgres -c 'SHOW server_version'", r"^(\S+)"),
    # Debian's server is a link to this name.
    "redis-check-rdb": Product("Redis", "redis-cli -p {port} INFO server", r"redis_version:(\S+)"),
    "slapd": Product("OpenLDAP"),
    "smbd": Product("Samba", "smbd --version", r"Version (\S+)"),
    "snmpd": Product("Net-SNMP", "snmpd --version", r"version:\s*(\S+)"),
    "sshd": Product("OpenSSH", _BANNER, r"OpenSSH_(\S+)"),
    "vsftpd": Product("vsftpd", _BANNER, r"vsFTPd ([\d.]+)"),
}
_OF_PYTHON = {
    "gunicorn": Product("Gunicorn"),
    "/srv/nx/serve.py": Product("nx_27017"),
    "/srv/liar/liar.py": Product("http.server"),
}
"""Interpreters run many programs: a word of the command line identifies them."""
_OWN = (
    "/srv/mute/mute.py",
    "/srv/fragile/fragile.py",
    "/srv/hostile/hostile.py",
    "/srv/controller/controller.py",
    "/srv/printer/printer.py",
    "/srv/slow-answers/slow.py",
    "/srv/every-port/every_port.py",
    "/srv/credential-recorder",
)
"""Programs that are no product."""


def attributes(target: TargetContainer, listener: Listener) -> dict[str, str]:
    """Return `product` and `version` of what listens, as far as there are any. Raises for a stranger."""
    product = _product(listener)
    if product is None:
        return {}
    if not product.ask:
        return {"product": product.name}
    answer = target.execute(
        "bash", "-c", f"{{ {product.ask.format(port=listener.port)}; }} 2>&1", check=False
    )
    found = re.search(product.version, answer)
    return {"product": product.name} | ({"version": found[1]} if found else {})


def _product(listener: Listener) -> Product | None:
    if listener.program.startswith("python"):
        named = [product for word, product in _OF_PYTHON.items() if word in listener.command]
        assert named or any(word in listener.command for word in _OWN), f"an unknown program: {listener}"
        return named[0] if named else None
    assert listener.program in _PRODUCTS, f"an unknown program: {listener}"
    return _PRODUCTS[listener.program]
