"""Sign-in at a provider of OpenID Connect, as docs/operations.md has an operator set it up.

The API reaches nothing beyond its networks. A provider, or a forwarder to one, joins `edge` under the
provider's name and is known by its certificate.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from certificates import Authority
from deployment import Deployment, prepared, run

pytestmark = pytest.mark.deploy

PROVIDER = "login.example"
SECRET = "a secret of the provider and of nobody else"
SETTINGS = f"""
APPROVAL_OIDC_ISSUER=https://{PROVIDER}
APPROVAL_OIDC_CLIENT_ID=discovery
APPROVAL_OIDC_ROLES=ops=operator+viewer
APPROVAL_OIDC_TITLE=the company's sign-in
"""
STUB = """
import http.server, json, os, ssl, sys
files = []
for text in sys.argv[1:]:
    descriptor = os.memfd_create("pem"); os.write(descriptor, text.encode())
    files.append(f"/proc/self/fd/{descriptor}")
ISSUER = "https://login.example"
PAGES = {
    "/.well-known/openid-configuration": {"issuer": ISSUER, "authorization_endpoint": ISSUER + "/authorize",
        "token_endpoint": ISSUER + "/token", "jwks_uri": ISSUER + "/keys"},
    "/keys": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]},
}
class Stub(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        told = json.dumps(PAGES[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)
server = http.server.ThreadingHTTPServer(("", 443), Stub)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*files)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
"""The first key of RFC 8037, appendix A."""


@pytest.fixture(scope="module")
def production(deployment: Deployment, folder: Path) -> Iterator[Deployment]:
    """Production alone, with a provider that joined its network."""
    place = folder / "openid"
    place.mkdir()
    signed = Authority(place / "authority").sign(PROVIDER, server=True)
    with prepared(place, dryrun=False) as made:
        with made.env_file.open("a", encoding="utf-8") as file:
            file.write(SETTINGS)
        secrets_folder = made.state / "secrets"
        for name, text in (
            ("oidc_client_secret", SECRET),
            ("oidc_authorities", (signed / "ca.pem").read_text()),
        ):
            (secrets_folder / name).chmod(0o644)
            (secrets_folder / name).write_text(text, encoding="utf-8")
        made.up()
        name = f"dt-openid-{secrets.token_hex(3)}"
        pair = [(signed / part).read_text() for part in ("cert.pem", "key.pem")]
        run(
            "docker", "run", "--detach", f"--name={name}", f"--network={made.project}_edge",
            f"--network-alias={PROVIDER}", "--cap-drop=ALL", "--entrypoint=python3",
            "discovery/docker-guard:0.1.0", "-c", STUB, *pair,
        )  # fmt: skip
        try:
            yield made
        finally:
            run("docker", "rm", "--force", "--volumes", name)


def test_the_browser_is_sent_to_the_provider_whose_certificate_was_checked(production: Deployment):
    with httpx2.Client(base_url=production.url, trust_env=False, timeout=20) as browser:
        assert "the company&#39;s sign-in" in browser.get("/sign-in").text
        sent = browser.get("/sign-in/openid")
    assert sent.status_code == httpx2.codes.SEE_OTHER, (sent.text, production.logs())
    assert sent.headers["location"].startswith(f"https://{PROVIDER}/authorize?")


def test_the_providers_secret_is_in_no_environment(production: Deployment):
    api = production.inspect("approval-api")
    assert SECRET not in "\n".join(api["Config"]["Env"])
    assert production.inside("approval-api", "cat", "/run/secrets/oidc_client_secret") == SECRET
