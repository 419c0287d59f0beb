"""A verdict in words, for terminal, JUnit and Markdown. Texts are as reported: hostile until inert."""

from collections.abc import Iterable, Mapping

from dryrun_contract.baseline import ScannerImage
from dryrun_contract.kinds import title_of
from dryrun_contract.text import counted, printable
from dryrun_local.ci.counting import COMPLETE
from dryrun_local.ci.verdict import ArmVerdict, FactVerdict, Verdict

HEADLINES = {
    "passed": "Passed: nothing was lost",
    "regressed": "Regressed",
    "not_measured": "Could not be measured",
}


def headline(verdict: Verdict) -> str:
    """Return the verdict in one line."""
    if verdict.state != "regressed":
        return HEADLINES[verdict.state]
    parts = [
        counted(verdict.lost, "fact") + " lost" if verdict.lost else "",
        counted(verdict.not_met, "criterion", "criteria") + " not met" if verdict.not_met else "",
    ]
    return f"{HEADLINES['regressed']}: {', '.join(filter(None, parts))}"


def fact_name(fact: FactVerdict) -> str:
    """Return what the fact is about."""
    if (fact.kind, fact.key) == COMPLETE:
        return "scan runs to its end"
    name = f"{title_of(fact.kind)} {fact.key}"
    return f"{name}: {fact.attribute}" if fact.attribute else name


def evidence(fact: FactVerdict) -> str:
    """Return how often it was found, then and now, and what was reported."""
    words = (
        f"found in {fact.found} of {fact.of} runs, in the baseline in {fact.found_before} of {fact.of_before}"
    )
    true = [] if fact.expected is None else [f"true is {_value(fact.expected)}"]
    reported = [
        f"{when} it was reported as {_reported(values)}"
        for when, values in (("now", fact.values), ("in the baseline", fact.values_before))
        if values
    ]
    return "; ".join([words, *true, *reported])


def _reported(values: Mapping[str, int]) -> str:
    return ", ".join(f"{_value(value)} in {number}" for value, number in values.items())


def _value(value: object) -> str:
    if isinstance(value, list):
        return " or ".join(_value(each) for each in value[:20])
    return printable(repr(str(value)), limit=200)


def changed_images(arm: ArmVerdict) -> Iterable[str]:
    """Yield what ran in place of what the baseline was measured with."""
    for name, now in arm.collectors.items():
        before = arm.collectors_before.get(name)
        if before != now:
            yield f"{name}: {_image(now)}, in the baseline {_image(before) if before else 'nothing'}"
    for name in sorted(arm.collectors_before.keys() - arm.collectors.keys()):
        yield f"{name}: did not run, in the baseline {_image(arm.collectors_before[name])}"


def _image(image: ScannerImage) -> str:
    return f"{image.image} ({image.image_id[:19]}…)"
