"""Mutual TLS with a guard, by the names that docker's own command gives to variables and files."""

import ssl
from pathlib import Path

import pytest
from aiohttp import web
from certificates import Authority

from dryrun_contract.environment import SettingsError
from dryrun_orchestrator.engine.docker import DockerEngine
from dryrun_orchestrator.engine.errors import EngineUnreachableError
from dryrun_orchestrator.settings import Settings

ENVIRON = {
    "ORCHESTRATOR_TOKEN": "a-token-of-sixteen",
    "ORCHESTRATOR_STATE_DIR": "/state",
    "ORCHESTRATOR_TEMPLATES_DIR": "/templates",
    "ORCHESTRATOR_COLLECTORS_DIR": "/collectors",
    "ORCHESTRATOR_ALLOWLIST": "/allowlist.json",
    "DOCKER_HOST": "tcp://proxy:2376",
}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
async def port(authority: Authority):
    """An engine that takes clients of the CA only."""

    async def ping(request: web.Request) -> web.Response:
        return web.Response(text="OK")

    place = authority.sign("server", server=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place / "cert.pem", place / "key.pem")
    context.load_verify_locations(place / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    app = web.Application()
    app.router.add_get("/_ping", ping)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def reached(host: str, cert_path: Path | None) -> bool:
    engine = DockerEngine(host, cert_path=cert_path)
    try:
        await engine.ping()
    except EngineUnreachableError:
        return False
    finally:
        await engine.close()
    return True


async def test_speaks_to_what_the_ca_signed_as_what_the_ca_signed(
    authority: Authority, tmp_path: Path, port: int
):
    assert await reached(f"tcp://127.0.0.1:{port}", authority.sign("client"))
    # Another CA's guard, another CA's client, a name that the certificate does not have, no TLS at all.
    stranger = Authority(tmp_path / "other").sign("client")
    assert not await reached(f"tcp://127.0.0.1:{port}", stranger)
    mixed = authority.sign("mixed")
    for name in ("cert.pem", "key.pem"):
        (mixed / name).write_bytes((stranger / name).read_bytes())
    assert not await reached(f"tcp://127.0.0.1:{port}", mixed)
    assert not await reached(f"tcp://127.0.0.2:{port}", authority.sign("another"))
    assert not await reached(f"tcp://127.0.0.1:{port}", None)


async def test_a_certificate_that_cannot_be_verified_is_not_taken_for_a_guard_that_is_down(
    tmp_path: Path, port: int
):
    engine = DockerEngine(f"tcp://127.0.0.1:{port}", cert_path=Authority(tmp_path / "other").sign("client"))
    with pytest.raises(
        EngineUnreachableError, match=r"CERTIFICATE_VERIFY_FAILED.*rotate guard_tls"
    ) as raised:
        await engine.ping()
    assert "check that the engine" not in str(raised.value)
    await engine.close()


def test_a_certificate_without_its_key_is_reported(authority: Authority):
    place = authority.sign("client")
    (place / "key.pem").unlink()
    with pytest.raises(ValueError, match="DOCKER_CERT_PATH"):
        DockerEngine("tcp://proxy:2376", cert_path=place)
    with pytest.raises(ValueError, match="TLS is for tcp"):
        DockerEngine("unix:///run/docker.sock", cert_path=place)


def test_variables_are_those_of_dockers_own_command():
    on = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}
    assert Settings.read({**ENVIRON, **on}).docker_cert_path == Path("/certs")
    assert Settings.read({**ENVIRON, **on, "DOCKER_TLS_VERIFY": ""}).docker_cert_path is None
    assert Settings.read({**ENVIRON, **on, "DOCKER_HOST": "unix:///x"}).docker_cert_path is None
    with pytest.raises(SettingsError, match="DOCKER_CERT_PATH"):
        Settings.read({**ENVIRON, "DOCKER_TLS_VERIFY": "1"})
