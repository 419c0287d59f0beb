import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from dryrun_contract.environment import (
    ListenAddress,
    SettingsError,
    read_entries,
    read_environment,
    read_settings,
)


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
    path = str(tmp_path / "none")
    with pytest.raises(SettingsError) as refused:
        read_environment("APP_", {"APP_TOKEN_FILE": path})
    assert str(refused.value) == f"APP_TOKEN_FILE: cannot read {path!r}: No such file or directory"


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: SecretStr
    listen: ListenAddress


def test_wrong_variables_have_a_heading_and_a_line_each_and_are_not_quoted():
    with pytest.raises(SettingsError) as refused:
        read_settings(Given, "APP_", {"APP_LISTEN": "s3cret", "APP_TYPO": "s3cret"})
    assert str(refused.value).splitlines() == [
        "3 settings are missing or wrong:",
        "  APP_TOKEN: is missing",
        "  APP_LISTEN: expected HOST:PORT",
        "  APP_TYPO: there is no such setting",
    ]
    with pytest.raises(SettingsError) as refused:
        read_settings(Given, "APP_", {"APP_LISTEN": "s3cret", "APP_TOKEN": "s3cret"})
    assert str(refused.value) == "APP_LISTEN: expected HOST:PORT"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("APP_TOKNE", "APP_TOKNE: there is no such setting; did you mean APP_TOKEN?"),
        ("APP_LISTENS", "APP_LISTENS: there is no such setting; did you mean APP_LISTEN?"),
        ("APP_COLOUR", "APP_COLOUR: there is no such setting"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_one_that_may_be_meant(given, meant):
    with pytest.raises(SettingsError) as refused:
        read_settings(Given, "APP_", {"APP_LISTEN": "[::1]:1", "APP_TOKEN": "s3cret", given: "s3cret"})
    assert str(refused.value) == meant


def test_a_misspelt_variable_of_a_file_is_named_as_it_was_written(tmp_path):
    secret = tmp_path / "token"
    secret.write_text("s3cret")
    given = {"APP_LISTEN": "[::1]:1", "APP_TOKEN": "s3cret", "APP_TOKNE_FILE": str(secret)}
    with pytest.raises(SettingsError) as refused:
        read_settings(Given, "APP_", given)
    assert str(refused.value) == "APP_TOKNE_FILE: there is no such setting; did you mean APP_TOKEN_FILE?"


def test_of_a_list_every_wrong_entry_is_named():
    assert read_entries(int, ["1", "2"]) == [1, 2]
    with pytest.raises(ValueError, match=r"'x'.*; .*'y'"):
        read_entries(int, ["x", "1", "y"])
