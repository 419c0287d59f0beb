import pytest

from approval_api.identity.roles import Role
from approval_api.settings import DatabaseSettings, Settings
from dryrun_contract.environment import SettingsError

GOOD = {
    "APPROVAL_DATABASE_URL": "postgresql+asyncpg://u:p@db/approval",
    "APPROVAL_TOKENS": "ada:0123456789abcdef, bob:fedcba9876543210",
    "APPROVAL_ORCHESTRATOR_URL": "http://orchestrator:8471",
    "APPROVAL_ORCHESTRATOR_TOKEN": "secret",
}


def test_reads_names_tokens_and_address():
    settings = Settings.read({**GOOD, "APPROVAL_LISTEN": "[::1]:99", "OTHER": "x"})
    assert [token.name for token in settings.tokens] == ["ada", "bob"]
    assert settings.tokens[1].token.get_secret_value() == "fedcba9876543210"
    assert settings.address == ("::1", 99)
    assert "0123456789abcdef" not in repr(settings)


def test_a_programs_token_is_an_operators_unless_it_names_roles():
    given = {**GOOD, "APPROVAL_TOKENS": "ada:0123456789abcdef,bob/viewer+approver:fedcba9876543210"}
    ada, bob = Settings.read(given).tokens
    assert ada.roles == {Role.OPERATOR}
    assert bob.roles == {Role.VIEWER, Role.APPROVER}


@pytest.mark.parametrize("between", [", ", "\n"])
def test_a_programs_token_names_the_collectors_it_reports_as(tmp_path, between):
    (tmp_path / "tokens").write_text(
        f"scan/operator/network+database:0123456789abcdef{between}ada:fedcba9876543210\n"
    )
    given = {**GOOD, "APPROVAL_TOKENS_FILE": str(tmp_path / "tokens")}
    del given["APPROVAL_TOKENS"]
    scan, ada = Settings.read(given).tokens
    assert (scan.name, scan.roles, scan.collectors) == ("scan", {Role.OPERATOR}, {"network", "database"})
    assert ada.collectors == frozenset()


def test_reads_secrets_from_files(tmp_path):
    (tmp_path / "tokens").write_text("ada:0123456789abcdef\n")
    given = {**GOOD, "APPROVAL_TOKENS_FILE": str(tmp_path / "tokens")}
    del given["APPROVAL_TOKENS"]
    assert [token.name for token in Settings.read(given).tokens] == ["ada"]


@pytest.mark.parametrize(
    "entry",
    [
        "ada/{}:operator+approver",
        "{}/operatr:operator+approver",
        "ada/operator/{}!:fedcba9876543210",
        "{}é:operator+approver",
    ],
)
def test_no_error_shows_a_token_that_stands_elsewhere(entry):
    with pytest.raises(SettingsError) as caught:
        Settings.read({**GOOD, "APPROVAL_TOKENS": entry.format("0123456789abcdef")})
    assert "APPROVAL_TOKENS" in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"APPROVAL_TOKENS": "ada"}, "name:token"),
        (
            {"APPROVAL_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.5/24"},
            "APPROVAL_TRUSTED_PROXIES: 10.0.0.5/24 has host bits set; write 10.0.0.0/24 for the network",
        ),
        ({"APPROVAL_TRUSTED_PROXIES": "127.0.0.l"}, "'127.0.0.l' does not appear to be"),
        ({"APPROVAL_TOKENS": "ada/king:0123456789abcdef"}, "no known role 'king'"),
        ({"APPROVAL_TOKENS": "ada/:0123456789abcdef"}, "no known role ''"),
        ({"APPROVAL_TOKENS": "ada:short"}, "of 'ada' is shorter than 16"),
        ({"APPROVAL_TOKENS": "0123456789abcdef:ada"}, "of an entry, after its colon, is shorter than 16"),
        ({"APPROVAL_TOKENS": "0123456789abcdef/operatr:ada"}, "shorter than 16"),
        ({"APPROVAL_TOKENS": "ada:fedcba9876543210,0123456789abcdef:x"}, "shorter than 16"),
        ({"APPROVAL_TOKENS": "ada/operator/:0123456789abcdef"}, "not a collector's name"),
        ({"APPROVAL_TOKENS": "ada/operator/a/b:0123456789abcdef"}, "not a collector's name"),
        ({"APPROVAL_TOKENS": "a:0123456789abcdef,a:0123456789abcdeg"}, "twice"),
        ({"APPROVAL_TOKENS": "ä:0123456789abcdef"}, "ASCII"),
        ({"APPROVAL_DATABASE_URL": "postgres://db"}, "APPROVAL_DATABASE_URL: .*asyncpg"),
        ({"APPROVAL_LISTEN": "nowhere"}, "HOST:PORT"),
        ({"APPROVAL_ORCHESTRATOR_URL": "ftp://x"}, "APPROVAL_ORCHESTRATOR_URL"),
        ({"APPROVAL_DRYRUN": "maybe"}, "APPROVAL_DRYRUN"),
        ({"APPROVAL_TYPO": "x"}, "APPROVAL_TYPO: there is no such setting$"),
        ({"APPROVAL_LOGIN_HUORS": "8"}, r"did you mean APPROVAL_LOGIN_HOURS\?"),
        ({"APPROVAL_TOKENS": "ada:short,bob"}, "'ada' is shorter .*; expected name:token"),
    ],
)
def test_names_the_variable_that_is_wrong(change, message):
    with pytest.raises(SettingsError, match=message) as error:
        Settings.read({**GOOD, **change})
    assert "0123456789abcdef" not in str(error.value)


def test_without_an_orchestrator_dryrun_has_to_be_off():
    given = {name: value for name, value in GOOD.items() if "ORCHESTRATOR" not in name}
    with pytest.raises(SettingsError, match="APPROVAL_DRYRUN=off"):
        Settings.read(given)
    assert Settings.read({**given, "APPROVAL_DRYRUN": "off"}).dryrun == "off"


def test_migrating_needs_the_database_only():
    assert DatabaseSettings.read({"APPROVAL_DATABASE_URL": GOOD["APPROVAL_DATABASE_URL"], "APPROVAL_X": "y"})
    with pytest.raises(SettingsError, match="APPROVAL_DATABASE_URL"):
        DatabaseSettings.read({})
