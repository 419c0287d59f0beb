"""Says what is wrong with a document, in the words of the model that read it."""

from pydantic import ValidationError

from dryrun_contract.text import printable


def first_fault(error: ValidationError, whole: str = "the document") -> str:
    """Return place and reason of a model's first fault, e.g. `targets.0: Field required`.

    `whole` stands for the place of a fault of several fields together. What was given is not in it: it may
    be a secret.
    """
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{printable('.'.join(map(str, fault['loc']))) or whole}: {fault['msg']}"
