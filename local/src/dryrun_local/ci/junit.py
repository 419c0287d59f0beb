"""Writes a verdict as JUnit XML: a test for each fact and each criterion, so that a lost fact is a red test.

Elements and attributes are those of the schema that Jenkins publishes (junit-10.xsd); GitLab and the common
reporters for GitHub read them too.
"""

from datetime import datetime
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

from dryrun_contract.text import printable
from dryrun_local.ci.verdict import ArmVerdict, FactVerdict, Verdict
from dryrun_local.ci.words import evidence, fact_name, headline

_SKIPPED = {
    "unclear": "found less or more often than before, which chance may explain",
    "too_few_runs": "true in too few runs to distinguish a loss from chance",
    "missed": "not found, and not in the baseline either",
}


def junit(verdict: Verdict, seconds: float, moment: datetime) -> str:
    """Return the document; `seconds` is how long everything took."""
    root = Element("testsuites", name=_text(verdict.experiment), time=f"{seconds:.3f}")
    for arm in verdict.arms:
        suite = _suite(root, f"{verdict.experiment}: {arm.arm}", moment)
        for fact in arm.facts:
            _add_fact(suite, arm, fact)
        for criterion in arm.criteria:
            name = f"criterion {criterion.criterion}"
            words = f"met in {criterion.met} of {criterion.of} runs: {criterion.example}"
            case = _case(suite, f"{arm.arm}.criteria", name)
            if not criterion.passed:
                _tell(case, "failure", "criterion_not_met", words)
    whole = _suite(root, f"{verdict.experiment}: sessions", moment)
    case = _case(whole, "sessions", f"{verdict.sessions} sessions are measured")
    if verdict.reasons:
        _tell(case, "error", "not_measured", "\n".join(verdict.reasons))
    for name, element in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
        numbers = [(suite, len(suite.findall(f".//{element}"))) for suite in root]
        for suite, number in numbers:
            suite.set(name, str(number))
        root.set(name, str(sum(number for _, number in numbers)))
    for suite in root:
        suite.set("skipped", str(len(suite.findall(".//skipped"))))
    SubElement(whole, "system-out").text = _text(headline(verdict))
    ET.indent(root)
    # As bytes: as text it would name the locale's encoding.
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document.decode() + "\n"


def _suite(root: Element, name: str, moment: datetime) -> Element:
    return SubElement(
        root,
        "testsuite",
        name=_text(name),
        timestamp=moment.strftime("%Y-%m-%dT%H:%M:%S"),
        hostname="dryrun",
        time="0",
    )


def _case(suite: Element, place: str, name: str) -> Element:
    return SubElement(suite, "testcase", classname=_text(place), name=_text(name), time="0")


def _add_fact(suite: Element, arm: ArmVerdict, fact: FactVerdict) -> None:
    case = _case(suite, f"{arm.arm}.{fact.template}", fact_name(fact))
    if fact.judgement == "lost":
        _tell(case, "failure", "lost", evidence(fact))
    elif fact.judgement in _SKIPPED:
        _tell(case, "skipped", fact.judgement, f"{_SKIPPED[fact.judgement]}: {evidence(fact)}")
    elif fact.judgement != "kept":
        SubElement(case, "system-out").text = _text(f"{fact.judgement}: {evidence(fact)}")


def _tell(case: Element, element: str, kind: str, words: str) -> None:
    first, *_ = words.splitlines()
    SubElement(case, element, type=kind, message=_text(first)).text = "\n".join(
        _text(line) for line in words.splitlines()[:50]
    )


def _text(text: str) -> str:
    """Return text as XML can hold it; ElementTree escapes the rest."""
    return printable(text, limit=1000)
