"""A baseline: what each arm of an experiment found, kept in a file to compare later scanners with."""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from dryrun_contract.base import Word
from dryrun_contract.bounded_json import JsonBounds
from dryrun_contract.experiment import MAX_RUNS, ExperimentRequest

BASELINE_BOUNDS = JsonBounds(size=16 * 1024 * 1024, values=1_000_000, depth=12, key_length=400)
MAX_FACTS = 20_000
"""Facts of all arms and templates together."""

type _Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
type _Text = Annotated[str, Field(max_length=2_000)]


class ScannerImage(Word):
    """What a collector ran as."""

    image: str = Field(max_length=200)
    image_id: _Digest


class FactCount(Word):
    """In how many of its runs an arm found one fact, or the right value of one attribute of it."""

    template: str = Field(max_length=40)
    kind: str = Field(max_length=80)
    key: _Text
    attribute: str | None = Field(default=None, max_length=80)
    found: int = Field(ge=0, le=MAX_RUNS)
    of: int = Field(ge=1, le=MAX_RUNS)
    values: dict[Annotated[str, Field(max_length=200)], Annotated[int, Field(ge=1, le=MAX_RUNS)]] = Field(
        default_factory=dict, max_length=20
    )
    """Value as reported → in how many runs, the most frequent ones."""
    expected: JsonValue = None

    @model_validator(mode="after")
    def _found_at_most_all(self) -> Self:
        if self.found > self.of:
            raise ValueError(f"found in {self.found} of {self.of} runs")
        return self


class BaselineArm(Word):
    """What one way to scan found."""

    collectors: dict[Annotated[str, Field(max_length=40)], ScannerImage] = Field(max_length=16)
    runs: int = Field(ge=1, le=MAX_RUNS)
    facts: tuple[FactCount, ...] = Field(max_length=MAX_FACTS)


class Baseline(Word):
    """A whole baseline file."""

    format: Literal["dryrun-baseline"] = "dryrun-baseline"
    version: Literal[1] = 1
    experiment: ExperimentRequest
    templates: dict[
        Annotated[str, Field(max_length=40)], dict[Annotated[str, Field(pattern=r"^\d{1,4}$")], _Digest]
    ] = Field(max_length=20)
    """Template → seed → digest of what is to be found (`task_digest`)."""
    arms: dict[Annotated[str, Field(max_length=100)], BaselineArm] = Field(min_length=1, max_length=20)
