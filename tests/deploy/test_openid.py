"""Sign-in at a provider of OpenID Connect, as docs/operations.md has an operator set it up.

The API reaches nothing beyond its networks. A provider, or a forwarder to one, joins `edge` under the
provider's name and is known by its certificate.
"""

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
        page = json.dumps(PAGES[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)
server = http.server.ThreadingHTTPServer(("", 443), Stub)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*files)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("listens", flush=True)
server.serve_forever()
"""
"""The first key of RFC 8037, appendix A."""
FORWARDER = """
import asyncio, sys
async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def pass_on(reader, writer):
    there, back = await asyncio.open_connection(sys.argv[1], 443)
    await asyncio.gather(pump(reader, back), pump(there, writer))
async def main():
    async with await asyncio.start_server(pass_on, port=443) as server:
        print("listens", flush=True)
        await server.serve_forever()
asyncio.run(main())
"""
"""Passes TCP connections on to one port of one address, and to nothing else."""
PROGRAM = ("--cap-drop=ALL", "--entrypoint=python3", "discovery/docker-guard:0.1.0", "-c")


def listens(name: str, seconds: float = 30) -> None:
    """Wait until the program in a container says that it listens."""
    until = time.monotonic() + seconds
    while "listens" not in run("docker", "logs", name):
        assert time.monotonic() < until, f"{name} does not listen"
        time.sleep(0.1)


@contextmanager
def provider(made: Deployment, pair: Sequence[str], *, forwarded: bool) -> Iterator[None]:
    """Let a provider join `edge`, or a forwarder to one that stands in a network of its own."""
    name, edge = f"dt-openid-{secrets.token_hex(3)}", f"{made.project}_edge"
    alias = f"--network-alias={PROVIDER}"
    start = ("docker", "run", "--detach")
    try:
        if not forwarded:
            run(*start, f"--name={name}", f"--network={edge}", alias, *PROGRAM, STUB, *pair)
        else:
            run("docker", "network", "create", "--internal", name)
            run(*start, f"--name={name}", f"--network={name}", *PROGRAM, STUB, *pair)
            inspected = json.loads(run("docker", "inspect", name))[0]
            address = inspected["NetworkSettings"]["Networks"][name]["IPAddress"]
            run(*start, f"--name={name}-to", f"--network={name}", *PROGRAM, FORWARDER, address)
            run("docker", "network", "connect", f"--alias={PROVIDER}", edge, f"{name}-to")
        for each in [name, *([f"{name}-to"] if forwarded else [])]:
            listens(each)
        yield
    finally:
        run("docker", "rm", "--force", "--volumes", name, *([f"{name}-to"] if forwarded else []))
        if forwarded:
            run("docker", "network", "rm", name)


@pytest.fixture(scope="module", params=[False, True], ids=["joins edge", "behind a forwarder"])
def production(deployment: Deployment, folder: Path, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Production alone, with a provider."""
    place = folder / f"openid-{request.param}"
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
        pair = [(signed / part).read_text() for part in ("cert.pem", "key.pem")]
        with provider(made, pair, forwarded=request.param):
            yield made


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
