"""Criteria that an operator stored by name: what a session is judged by."""

from typing import Annotated

from pydantic import Field

BUILT_IN = "built-in"
"""The name of the criteria that every deployment has; the default until an operator chooses another."""

type CriteriaName = Annotated[
    str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$", examples=["nightly"])
]
