"""Credentials: reads a file of them, and states why a server was not shown one."""

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dryrun_contract.collector_config import ConfigError, Credential
from dryrun_contract.faults import first_fault

_CREDENTIALS = TypeAdapter(tuple[Credential, ...])


def read_credentials(path: Path | None) -> tuple[Credential, ...]:
    """Return the credentials of a file, none without one. Raises ConfigError, which never quotes the file."""
    if path is None:
        return ()
    try:
        return _CREDENTIALS.validate_python(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read the credentials in {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read the credentials in {path}: {error}") from None
    except json.JSONDecodeError as error:
        # Only the place: the text around it may be a password.
        raise ConfigError(f"{path} is not JSON: line {error.lineno}, column {error.colno}") from None
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_fault(error)}") from None


def withheld(credential: Credential) -> str:
    """Return why a server was not shown `credential`."""
    if credential.at:
        return f"the credential for {credential.engine} is for other addresses"
    return f"a credential for {credential.engine} travels in the clear; it is shown to addresses in its `at`"
