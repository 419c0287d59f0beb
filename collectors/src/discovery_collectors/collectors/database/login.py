"""Logs in to a database service: anonymously where that is possible, else with each credential once."""

from collections.abc import Iterable
from typing import ClassVar, Protocol

from discovery_collectors.collectors.database.service_report import DatabaseService, ServiceReport
from discovery_collectors.running.credentials import withheld
from dryrun_contract.collector_config import Credential


class LoginRefusedError(RuntimeError):
    """The service speaks the engine's protocol and refuses the login. The text is shown."""


class CredentialNeededError(LoginRefusedError):
    """The service requires a credential, and there is none for its engine."""


class ServiceUnreachableError(RuntimeError):
    """The service does not answer, or does not speak the engine's protocol. The text is shown."""


class Session(Protocol):
    """An open session with a service; nothing it does changes anything there."""

    async def describe(self, report: ServiceReport) -> None:
        """Report product, version and contents. Raises ServiceUnreachableError."""

    async def close(self) -> None:
        """Give the connections back."""


class Engine(Protocol):
    """One kind of database server."""

    product: ClassVar[str]
    """Product of a service that refuses a login in this engine's way."""
    anonymous: ClassVar[bool]
    """Servers of this kind may admit anonymous clients."""
    in_clear: ClassVar[bool]
    """Logging in sends the password itself to whoever listens at the address."""

    async def open(self, service: DatabaseService, credential: Credential | None) -> Session:
        """Try to log in, once. Raises LoginRefusedError or ServiceUnreachableError."""


async def log_in(engine: Engine, service: DatabaseService, credentials: Iterable[Credential]) -> Session:
    """Log in without a credential where the engine allows that, and only then with one.

    So a server that needs no credential is shown none. A credential is shown only where it may be: a server
    that requests a password may have been set up to collect them. Every credential is tried once, and
    of several with one user name only the first: repeated wrong passwords lock accounts.

    Raises LoginRefusedError, CredentialNeededError, ServiceUnreachableError.
    """
    refusal: LoginRefusedError | None = None
    if engine.anonymous:
        try:
            return await engine.open(service, None)
        except LoginRefusedError as error:
            refusal = CredentialNeededError(str(error))
    tried: set[str | None] = set()
    for credential in credentials:
        if credential.username in tried:
            continue
        if not credential.may_be_shown(service.address, in_clear=engine.in_clear):
            refusal = refusal if tried else CredentialNeededError(withheld(credential))
            continue
        tried.add(credential.username)
        try:
            return await engine.open(service, credential)
        except LoginRefusedError as error:
            refusal = LoginRefusedError(redacted(str(error), credential))
        except ServiceUnreachableError as error:
            raise ServiceUnreachableError(redacted(str(error), credential)) from None
    raise refusal or CredentialNeededError("there is no credential for this engine")


def redacted(text: str, credential: Credential) -> str:
    """Take the password out of a server's message: the server may echo it on purpose."""
    return text.replace(credential.password, "***") if credential.password else text
