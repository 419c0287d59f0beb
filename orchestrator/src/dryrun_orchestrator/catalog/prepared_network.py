"""The template of a network that is prepared for whatever template is requested next: it has no services."""

from typing import Final

from dryrun_orchestrator.catalog.template import TemplateFile
from dryrun_orchestrator.catalog.variants import Variants
from dryrun_orchestrator.labels import ANY_TEMPLATE

PREPARED_NETWORK: Final = TemplateFile(
    id=ANY_TEMPLATE,
    title="Any template",
    description="A network without targets",
    digest="",
    services=(),
    variants=Variants({}),
    credentials=(),
    collectors=(),
).with_seed(0)
