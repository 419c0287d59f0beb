"""Credentials: reads a file of them, and states why a server was not shown one."""

import json
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from dryrun_contract.collector_config import ConfigError, Credential
from dryrun_contract.faults import first_fault

MOST_BYTES: Final = 1024 * 1024
"""Thousands of credentials; a file is read no further."""
_CREDENTIALS = TypeAdapter(tuple[Credential, ...])


def read_credentials(path: Path | None) -> tuple[Credential, ...]:
    """Return the credentials of a file, none without one. Raises ConfigError, which never quotes the file."""
    if path is None:
        return ()
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the credentials in {path}: {error.strerror or error}") from None
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path} has more than {MOST_BYTES} bytes; that is not a file of credentials")
    try:
        return _CREDENTIALS.validate_python(json.loads(content.decode()))
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read the credentials in {path}: {error}") from None
    except json.JSONDecodeError as error:
        # Only the place: the text around it may be a password.
        raise ConfigError(f"{path} is not JSON: line {error.lineno}, column {error.colno}") from None
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_fault(error)}") from None
    except (RecursionError, ValueError):
        raise ConfigError(
            f"{path} is nested too deeply, or a number in it is too long; that is not a file of credentials"
        ) from None


def withheld(credential: Credential) -> str:
    """Return why a server was not shown `credential`."""
    if credential.at:
        return f"the credential for {credential.engine} is for other addresses"
    return f"a credential for {credential.engine} travels in the clear; it is shown to addresses in its `at`"
