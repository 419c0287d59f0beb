"""What products are called, and which names belong to libraries that only serve a program."""

import re

from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.no_names import names_nothing

_SERVER = re.compile(
    r"(?P<name>[A-Za-z](?:[\w.+! -]|::){0,40}?)(?:[ /]v?(?P<version>\d[\w.+:~-]{0,30}))?(?=$|[\s;,(])"
)

NAMES = {
    "aiohttp": "aiohttp",
    "apache": "Apache httpd",
    "apache-coyote": "Apache Tomcat/Coyote JSP engine",
    "awselb": "AWS Elastic Load Balancing",
    "basehttp": "BaseHTTPServer",
    "boa": "Boa HTTPd",
    "caddy": "Caddy httpd",
    "cherrypy": "CherryPy httpd",
    "couchdb": "CouchDB httpd",
    "cowboy": "Cowboy httpd",
    "cups": "CUPS",
    "docker": "Docker remote API",
    "envoy": "Envoy",
    "gunicorn": "Gunicorn",
    "hypercorn-h11": "Hypercorn",
    "icecast": "Icecast streaming media server",
    "icinga": "Icinga 2",
    "jetty": "Jetty",
    "kestrel": "Microsoft Kestrel httpd",
    "kong": "Kong",
    "microsoft-httpapi": "Microsoft HTTPAPI httpd",
    "microsoft-iis": "Microsoft IIS httpd",
    "minio": "MinIO S3-compatible object store",
    "miniserv": "MiniServ",
    "mochiweb": "MochiWeb Erlang HTTP library",
    "mojolicious": "Mojolicious httpd",
    "netdata embedded http server": "NetData embedded httpd",
    "nexus": "Sonatype Nexus Repository",
    "pve-api-daemon": "Proxmox Virtual Environment",
    "simplehttp": "SimpleHTTPServer",
    "splunkd": "Splunkd httpd",
    "squid": "Squid http proxy",
    "tinyproxy": "tinyproxy http proxy",
    "tornadoserver": "Tornado httpd",
    "twistedweb": "TwistedWeb httpd",
    "uvicorn": "Uvicorn",
    "varnish": "Varnish http accelerator",
    "warp": "Warp Haskell httpd",
    "webrick": "WEBrick httpd",
    "werkzeug": "Werkzeug httpd",
    "yaws": "Yaws httpd",
}
"""First word of a Server header, in lower case → the product as nmap calls it. Others keep their own name."""

_LIBRARIES = re.compile(
    r"(?:golang net/http|node\.?js|express|jetty|werkzeug|(?:base|simple)http(?:server)?|wsgiserver|tornado|"
    r"twisted(?:web)?|aiohttp|pastewsgiserver|cherrypy|uvicorn|hypercorn|daphne|gunicorn|waitress|cowboy|mochiweb|inets|netty|"
    r"akka|kestrel|microsoft kestrel|microsoft httpapi|webrick|puma|thin|unicorn|libmicrohttpd|mongoose|"
    r"boost\.beast|undertow|vert\.x|rocket|hyper|actix|php cli|perl|python|civetweb|libevent|libsoup|"
    r"gsoap|cpp-httplib|medusa|mojolicious|plack::|libwww-perl-daemon|websockets|portable sdk for upnp|"
    r"apache tomcat/coyote|warp)\b",
    re.IGNORECASE,
)
"""Beginnings of the names of HTTP libraries and application servers. Where a program in front of one names
itself, that is the product; where none does, the library is."""

_ASKED_FOR_VERSION = frozenset(
    {
        "Apache Tomcat",
        "Gearman Job Queue System",
        "Jabber instant messaging server",
        "Liedentd",
        "Memcached",
        "MongoDB",
        "Network UPS Tools upsd",
        "PostgreSQL DB",
        "Redis key-value store",
        "Reliable Event Logging Protocol",
        "VNC",
        "Zookeeper",
    }
)
"""nmap's products that state their version when they are asked in their own protocol, or prove to be another:
nmap takes PgBouncer for PostgreSQL."""
_TAKEN_FOR = frozenset({"Microsoft Windows RPC", "Redis key-value store"})
"""What nmap takes other products for, too: Samba, by a refusal that any server may send; Valkey, KeyDB and
Dragonfly, with the version that they state for old clients."""
_HEADER_IS_PRODUCT = frozenset({"sip", "sip-proxy"})
"""Protocols of which nmap reports the whole header `Server`, with its version, as the product."""
_SDK = re.compile(r"Portable SDK for UPnP(?: devices)?(?:/(?P<version>\d[\w.+~-]{0,30}))?", re.IGNORECASE)
"""A library whose name has several words; in other headers the first word is the name."""
_PLATFORMS = frozenset({"python", "debian", "linux", "posix", "unix", "upnp", "dlnadoc"})
"""What a Server header may name before the product: `Linux/6.12, UPnP/1.0, Gerbera/2.5`."""
_SAYS_NOTHING = frozenset({"", "unknown", "tcpwrapped", "ssl", "ssl/unknown"})


def is_library(product: str) -> bool:
    """Return whether `product` only serves a program that may have a name of its own.

    >>> is_library("Golang net/http server"), is_library("Apache httpd")
    (True, False)
    """
    return _LIBRARIES.match(product) is not None


def is_settled(port: Port) -> bool:
    """Return whether nmap's answer needs no second opinion."""
    if not port.probed or port.name in _SAYS_NOTHING or not port.product or is_library(port.product):
        return False
    if port.product in _TAKEN_FOR or (port.name in _HEADER_IS_PRODUCT and not port.version):
        return False
    return bool(port.version) or port.product not in _ASKED_FOR_VERSION


def read_server(header: str) -> tuple[str, str]:
    """Return product and version from a Server header, each empty where it names none.

    >>> read_server("Apache/2.4.68 (Debian)"), read_server("Python/3.13 aiohttp/3.11.16")
    (('Apache httpd', '2.4.68'), ('aiohttp', '3.11.16'))
    """
    sdk = _SDK.match(header)
    if sdk is not None:
        return "Portable SDK for UPnP", sdk["version"] or ""
    found = _SERVER.match(header)
    if found is None:
        return "", ""
    name, version = found["name"].strip(), found["version"] or ""
    if name.lower() in _PLATFORMS and (rest := header[found.end() :].strip(" ,;")):
        return read_server(rest)
    if names_nothing(name):
        return "", ""
    return NAMES.get(name.lower(), name), version
