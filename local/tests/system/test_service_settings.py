from pathlib import Path

import pytest

from approval_api.deliveries.sending.settings import DeliverySettings
from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.installation import Installation
from dryrun_local.system.delivery import delivery_program
from dryrun_local.system.service_settings import (
    api_settings,
    database_settings,
    not_taken,
    orchestrator_settings,
    require_readable,
)

EMBEDDED = "postgresql+asyncpg://postgres@/dryrun?host=/run"


@pytest.fixture
def installation(tmp_path) -> Installation:
    installation = Installation(tmp_path, tmp_path / "state")
    installation.prepare()
    return installation


def test_the_services_share_secrets_by_files_and_never_by_value(installation):
    api = api_settings(installation, {}, "http://127.0.0.1:1", "http://127.0.0.1:2")
    api |= database_settings(installation, "postgresql+asyncpg://u:p@/d", "postgresql+asyncpg://o:p@/d")
    orchestrator = orchestrator_settings(installation, {}, "http://127.0.0.1:2")
    secrets = [path.read_text().strip() for path in installation.api_token_file.parent.iterdir()]
    for value in [*api.values(), *orchestrator.values()]:
        assert not any(secret in value for secret in secrets)
    assert api["APPROVAL_ORCHESTRATOR_TOKEN_FILE"] == orchestrator["ORCHESTRATOR_TOKEN_FILE"]
    assert api["APPROVAL_ORCHESTRATOR_URL"].endswith(orchestrator["ORCHESTRATOR_LISTEN"])


def test_a_limit_set_by_hand_is_kept_and_a_token_is_not(installation):
    chosen = {
        "ORCHESTRATOR_SESSION_SECONDS": "60",
        "ORCHESTRATOR_TOKEN": "mine",
        "ORCHESTRATOR_LISTEN": "0.0.0.0:1",
        "ORCHESTRATOR_DOCKER_HOST": "unix:///var/run/docker.sock",
    }
    settings = orchestrator_settings(installation, chosen, "http://127.0.0.1:2")
    assert settings["ORCHESTRATOR_SESSION_SECONDS"] == "60"
    assert settings["ORCHESTRATOR_LISTEN"] == "127.0.0.1:2"
    assert "ORCHESTRATOR_TOKEN" not in settings
    # Otherwise it would speak to the engine past the guard.
    assert "ORCHESTRATOR_DOCKER_HOST" not in settings


def test_without_hosts_deliveries_go_nowhere_and_by_a_role_of_their_own(installation):
    program = delivery_program(installation, {"DRYRUN_X": "1"}, {"PATH": "/bin"}, EMBEDDED, "http://api")
    file = Path(program.environment["DELIVERY_DATABASE_URL_FILE"])
    assert file.read_text() == "postgresql+asyncpg://approval_delivery@/dryrun?host=/run\n"
    settings = DeliverySettings.read(program.environment)
    assert settings.hosts.places == {}
    assert str(settings.public_url) == "http://api/"
    assert program.environment["PATH"] == "/bin"
    assert "DRYRUN_X" not in program.environment


def test_hosts_and_a_database_that_a_developer_names_are_taken(installation):
    chosen = {
        "DELIVERY_HOSTS": "http://127.0.0.1:9000=127.0.0.1",
        "DELIVERY_DATABASE_URL": "postgresql+asyncpg://me@there/d",
        "DELIVERY_PUBLIC_URL": "https://approval.example",
    }
    program = delivery_program(installation, chosen, {}, EMBEDDED, "http://api")
    assert chosen.items() <= program.environment.items()
    assert "DELIVERY_DATABASE_URL_FILE" not in program.environment


def test_the_environment_changes_the_approval_api_but_not_what_is_decided_here(installation):
    chosen = {
        "APPROVAL_LOGIN_HOURS": "2",
        "APPROVAL_OIDC_CLIENT_SECRET_FILE": "/secret",
        "APPROVAL_TOKENS": "mine:0123456789abcdef",
        "APPROVAL_LISTEN": "0.0.0.0:1",
        "APPROVAL_DRYRUN": "off",
        "APPROVAL_DATABASE_URL": EMBEDDED,
        "OTHER": "x",
    }
    settings = api_settings(installation, chosen, "http://127.0.0.1:1", "http://127.0.0.1:2")
    assert settings["APPROVAL_LOGIN_HOURS"] == "2"
    assert settings["APPROVAL_OIDC_CLIENT_SECRET_FILE"] == "/secret"
    assert settings["APPROVAL_LISTEN"] == "127.0.0.1:1"
    assert not settings.keys() & {"APPROVAL_TOKENS", "APPROVAL_DRYRUN", "APPROVAL_DATABASE_URL", "OTHER"}
    assert not_taken(chosen) == ["APPROVAL_DRYRUN", "APPROVAL_LISTEN", "APPROVAL_TOKENS"]


def test_links_in_notifications_begin_where_the_api_is_said_to_be(installation):
    chosen = {"APPROVAL_PUBLIC_URL": "https://approval.example"}
    program = delivery_program(installation, chosen, {}, EMBEDDED, "http://api")
    assert program.environment["DELIVERY_PUBLIC_URL"] == "https://approval.example"


def test_every_variable_that_a_service_would_refuse_is_named_at_once(installation):
    given = {
        "APPROVAL_LOGIN_HUORS": "2",
        "APPROVAL_DATABASE_URL": "postgres://db",
        "ORCHESTRATOR_SESSIONS_AT_ONCE": "0",
        "DELIVERY_HOSTS": "not a host, http://plain.example",
    }
    with pytest.raises(LocalError) as refused:
        require_readable(given, installation, deliver=True)
    for part in (
        "did you mean APPROVAL_LOGIN_HOURS?",
        "APPROVAL_DATABASE_URL: expected",
        "ORCHESTRATOR_SESSIONS_AT_ONCE: ",
        "DELIVERY_HOSTS: 'not a host': ",
        "'http://plain.example': ",
    ):
        assert part in str(refused.value)
    del given["APPROVAL_LOGIN_HUORS"], given["APPROVAL_DATABASE_URL"], given["ORCHESTRATOR_SESSIONS_AT_ONCE"]
    require_readable(given, installation, deliver=False)


def test_what_the_services_take_is_readable(installation):
    given = {
        "APPROVAL_LOGIN_HOURS": "2",
        "APPROVAL_MIGRATION_DATABASE_URL": "",
        "ORCHESTRATOR_SESSIONS_AT_ONCE": "3",
        "DELIVERY_DATABASE_URL": EMBEDDED,
    }
    require_readable(given, installation, deliver=True)
    require_readable({}, installation, deliver=True)
