"""Stored criteria as clients see them."""

from approval_api.reports.criteria import Criteria
from dryrun_contract.base import UtcTime, Word
from dryrun_contract.named_criteria import CriteriaName


class NamedCriteria(Word):
    """One set of criteria."""

    name: str
    is_default: bool
    """Sessions that name none are judged by it."""
    criteria: Criteria
    stored_by: str | None
    """None for the built-in criteria, which nobody can change."""
    stored_at: UtcTime | None


class CriteriaList(Word):
    """All sets, the built-in one first, then by name."""

    sets: tuple[NamedCriteria, ...]


class DefaultChoice(Word):
    """The set that new sessions are judged by."""

    name: CriteriaName
