"""Tokens that an operator gave to programs, as the service's settings have them."""

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr

from approval_api.identity.roles import Role
from dryrun_contract.production import REPORTING_COLLECTOR

_MIN_CHARACTERS = 16


class ProgramToken(BaseModel):
    """A token that an operator gave to a program, which has a name and roles and no account.

    `collectors`: the names under which it may report to production.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    roles: frozenset[Role] = frozenset({Role.OPERATOR})
    collectors: frozenset[str] = frozenset()
    token: SecretStr

    @classmethod
    def parse(cls, entry: str) -> Self:
        """Read `name:token`, `name/role+role:token` or `name/role+role/collector+collector:token`.

        Raises ValueError.
        """
        who, separator, token = entry.partition(":")
        name, slash, rest = who.strip().partition("/")
        roles, names_collectors, collectors = rest.partition("/")
        if not separator or not name:
            raise ValueError(
                "expected name:token, name/role+role:token or name/role+role/collector+collector:token, "
                "comma separated"
            )
        if len(token.strip()) < _MIN_CHARACTERS:
            # What stands before the colon may be the token: of an entry written backwards, or cut at a comma.
            whose = repr(name) if len(who) < _MIN_CHARACTERS else "an entry, after its colon,"
            raise ValueError(f"the token of {whose} is shorter than {_MIN_CHARACTERS} characters")
        shown = _quoted(name)
        unknown = sorted(set(roles.split("+")) - set(Role)) if slash else []
        if unknown:
            raise ValueError(f"{shown} has no known role {_quoted(unknown[0])}; roles are {', '.join(Role)}")
        if not name.isascii() or not name.isprintable():
            raise ValueError(f"the name {shown} is sent in a header; use printable ASCII")
        chosen = {"roles": frozenset(map(Role, roles.split("+")))} if slash else {}
        as_collectors = frozenset(collectors.split("+")) if names_collectors else frozenset[str]()
        wrong = sorted(each for each in as_collectors if not re.fullmatch(REPORTING_COLLECTOR, each))
        if wrong:
            raise ValueError(
                f"{shown} names {_quoted(wrong[0])}, which is not a collector's name: {REPORTING_COLLECTOR}"
            )
        return cls(name=name, token=SecretStr(token.strip()), collectors=as_collectors, **chosen)


def _quoted(part: str) -> str:
    """Return a part of an entry as errors show it: not at all if it is long enough to be a token."""
    return repr(part) if len(part) < _MIN_CHARACTERS else "(not shown, since it is as long as a token)"
