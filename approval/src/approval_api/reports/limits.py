"""The types of limits in criteria."""

from typing import Annotated

from pydantic import Field

type Share = Annotated[float, Field(ge=0, le=1)]
type Count = Annotated[int, Field(ge=0)]
