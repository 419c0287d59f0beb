"""Where an engine listens, and the certificates by which it is reached there."""

import ssl
from pathlib import Path

from yarl import URL


def client_tls(cert_path: Path) -> ssl.SSLContext:
    """Return a mutual TLS context: peers signed by `ca.pem`, this client by `cert.pem`. Raises ValueError.

    File names as the `docker` command expects them in DOCKER_CERT_PATH.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cert_path / "ca.pem")
        context.load_cert_chain(cert_path / "cert.pem", cert_path / "key.pem")
    except OSError as error:  # ssl.SSLError is an OSError
        raise ValueError(
            f"ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH {str(cert_path)!r}: {error}"
        ) from None
    return context


def parse_docker_host(docker_host: str) -> tuple[URL, str | None]:
    """Return the base of its URLs, and the path of its Unix socket. Raises ValueError."""
    scheme, separator, rest = docker_host.partition("://")
    if scheme == "unix" and rest.startswith("/"):
        return URL("http://engine"), rest
    if scheme == "tcp" and separator:
        url = URL(f"http://{rest}")
        if url.host and url.explicit_port and url.path == "/" and url.user is None:
            return url, None
    raise ValueError(
        f"DOCKER_HOST is {docker_host!r}; it has to be unix:///path/of/socket or tcp://host:port"
    )
