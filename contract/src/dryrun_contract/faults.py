"""Says what is wrong with a document, and where."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from dryrun_contract.fault_words import in_words
from dryrun_contract.text import printable

_FORM = re.compile(
    r"(function-(plain|wrap|before|after)|lax-or-strict|json-or-python|is-instance|constrained-str"
    r"|tuple|list|set|frozenset|dict|literal|nullable|([a-z]+-)?enum)\[.*\]",
    re.DOTALL,
)
"""How Pydantic names the forms that a value may have, in the place of a fault."""


def first_fault(error: ValidationError, whole: str = "the document") -> str:
    """Return place and reason of a model's first fault, e.g. `targets.0: is missing`.

    `whole` stands for the place of a fault of several fields together. What was given is not in it: it may
    be a secret.
    """
    errors = error.errors(include_url=False, include_input=False)
    place, reason = faults_of(errors)[0]
    return f"{printable(place) or whole}: {reason}"


def faults_of(errors: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return place and reason of each fault of Pydantic's list, one for a value that may have several forms.

    >>> faults_of([
    ...     {"loc": ("ports", 0, "tuple[int, ...]"), "type": "tuple_type", "msg": ""},
    ...     {"loc": ("ports", 0, "literal['any']"), "type": "literal_error", "msg": "",
    ...      "ctx": {"expected": "'any'"}},
    ...     {"loc": ("name",), "type": "value_error", "msg": "Value error, the name is taken"},
    ... ])
    [('ports.0', "must be a list or 'any'"), ('name', 'the name is taken')]
    """
    reasons: dict[str, list[str]] = {}
    for each in errors:
        place = ".".join(str(part) for part in each["loc"] if not _FORM.fullmatch(str(part)))
        reason = in_words(each)
        known = reasons.setdefault(place, [])
        if reason not in known:
            known.append(reason)
    return [
        (place, " or ".join([several[0], *(each.removeprefix("must be ") for each in several[1:])]))
        for place, several in reasons.items()
    ]
