"""A template as services and people see it."""

from pydantic import Field

from dryrun_contract.base import Word
from dryrun_contract.ground_truth import GroundTruth

TEMPLATE_ID = r"^[a-z][a-z0-9-]{0,39}$"


class TemplateService(Word):
    """One target of the template."""

    name: str
    image: str
    depends_on: tuple[str, ...] = ()


class TemplateSummary(Word):
    """A template in the list to choose from."""

    id: str = Field(pattern=TEMPLATE_ID)
    title: str
    description: str
    digest: str
    """`sha256:…` over the file and the image facts its ground truth uses; reports name it."""
    services: tuple[TemplateService, ...]
    collectors: tuple[str, ...]
    """Names of the collectors that will run, in order."""


class Template(TemplateSummary):
    """A template with its ground truth; the orchestrator sends it to the approval API only."""

    ground_truth: GroundTruth
