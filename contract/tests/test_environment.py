import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from dryrun_contract.environment import ListenAddress, SettingsError, read_environment, read_settings


def test_variables_lose_their_prefix_and_others_are_left_out():
    assert read_environment("APP_", {"APP_TOKEN": "x", "OTHER": "y"}) == {"token": "x"}


def test_a_file_variable_gives_the_files_content_without_its_line_break(tmp_path):
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    assert read_environment("APP_", {"APP_TOKEN_FILE": str(secret)}) == {"token": "s3cret"}


def test_both_forms_at_once_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="APP_TOKEN_FILE and APP_TOKEN are both set"):
        read_environment("APP_", {"APP_TOKEN": "x", "APP_TOKEN_FILE": str(tmp_path)})


def test_an_empty_path_counts_as_unset_and_an_empty_value_beside_a_path_too(tmp_path):
    secret = tmp_path / "token"
    secret.write_text("s3cret")
    assert read_environment("APP_", {"APP_TOKEN_FILE": ""}) == {}
    assert read_environment("APP_", {"APP_TOKEN_FILE": "", "APP_TOKEN": "x"}) == {"token": "x"}
    assert read_environment("APP_", {"APP_TOKEN_FILE": str(secret), "APP_TOKEN": ""}) == {"token": "s3cret"}


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match="APP_TOKEN_FILE: cannot read"):
        read_environment("APP_", {"APP_TOKEN_FILE": str(tmp_path / "none")})


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: SecretStr
    listen: ListenAddress


def test_every_wrong_variable_has_a_line_that_names_it_and_quotes_nothing():
    with pytest.raises(SettingsError) as refused:
        read_settings(Given, "APP_", {"APP_LISTEN": "s3cret", "APP_TYPO": "s3cret"})
    assert str(refused.value).splitlines() == [
        "APP_TOKEN: Field required",
        "APP_LISTEN: expected HOST:PORT",
        "APP_TYPO: Extra inputs are not permitted",
    ]
