"""What a pipeline reads: JUnit, Markdown and annotations, which no scanner can steer."""

from datetime import UTC, datetime

import pytest
from lxml import etree

from approval_api.experiments.contrast import Tally
from dryrun_contract.baseline import ScannerImage
from dryrun_local.ci.counting import ArmCount
from dryrun_local.ci.junit import junit
from dryrun_local.ci.summary import annotations, summary
from dryrun_local.ci.verdict import Verdict, judge

HOSTILE = "<script>|`\x1b[31m\n::error::]]>&\x00%0A::set-output name=x::1\ue000"
MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)

# Of each element: its attributes, those it must have, and what may be inside. From Jenkins' junit-10.xsd.
RULES = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
        {"name", "tests", "failures", "errors"},
        {"testcase", "system-out"},
    ),
    "testcase": ({"name", "classname", "time"}, {"name"}, {"failure", "error", "skipped", "system-out"}),
    "failure": ({"type", "message"}, set(), set()),
    "error": ({"type", "message"}, set(), set()),
    "skipped": ({"type", "message"}, set(), set()),
    "system-out": (set(), set(), set()),
}


def arm(runs, facts, criteria=()):
    made = ArmCount(runs=runs, seconds=[8.0] * runs)
    for key, (found, value) in facts.items():
        tally = Tally(found=found, of=runs, expected="7.2")
        if value:
            tally.values[value] = runs
        made.facts["small", "service", key, "version"] = tally
    made.collectors["network"] = ScannerImage(image="discovery/x:1", image_id=f"sha256:{runs:064d}")
    made.criteria.update(criteria)
    return made


@pytest.fixture
def verdict():
    before = arm(10, {"kept": (10, "7.2"), "lost": (10, "7.2"), HOSTILE: (10, "7.2"), "gained": (0, None)})
    now = arm(
        5,
        {"kept": (5, "7.2"), "lost": (0, "6"), HOSTILE: (0, HOSTILE), "gained": (5, None)},
        {"recall_min": [("failed", HOSTILE)] * 5, "scope": [("passed", "kept")] * 5},
    )
    return judge("bench", {"ours": before.baseline()}, {"ours": now}, 6, ["session 6: " + HOSTILE])


def document(verdict):
    return etree.fromstring(junit(verdict, 61.5, MOMENT).encode())


def test_a_lost_fact_is_a_red_test_with_its_evidence(verdict):
    root = document(verdict)
    (failure,) = root.xpath("//testcase[@name='service lost: version']/failure")
    assert failure.get("type") == "lost"
    assert failure.get("message") == (
        "found in 0 of 5 runs, in the baseline in 10 of 10; true is '7.2'; now it was reported as '6' in 5; "
        "in the baseline it was reported as '7.2' in 10"
    )
    assert root.xpath("//testcase[@name='service kept: version']/*") == []
    assert [each.get("name") for each in root.xpath("//testcase[failure]")][-1] == "criterion recall_min"
    assert root.xpath("//testcase[@name='criterion scope']/*") == []
    assert len(root.xpath("//testcase[@classname='sessions']/error")) == 1


def test_the_xml_keeps_to_the_common_schema_and_its_sums_are_right(verdict):
    root = document(verdict)
    assert root.tag == "testsuites"
    for element in root.iter():
        allowed, required, inside = RULES[element.tag]
        assert required <= set(element.attrib) <= allowed
        assert {child.tag for child in element} <= inside
    for suite in (root, *root):
        for name, element in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            assert int(suite.get(name)) == len(suite.findall(f".//{element}"))


def test_nothing_a_scanner_says_steers_a_reader(verdict):
    markdown = summary(verdict)
    assert "<script>" not in markdown
    assert all(line.count("`") % 2 == 0 for line in markdown.splitlines())
    lines = annotations(verdict)
    assert len(lines) == 4
    for line in lines:
        assert line.isprintable()
        assert line.startswith("::error title=")
        assert "%0A::" not in line, "an encoded line break would begin a command"
    text = junit(verdict, 1, MOMENT)
    assert "\x1b" not in text
    assert "\x00" not in text


def test_the_summary_shows_verdict_facts_and_what_ran(verdict):
    markdown = summary(verdict)
    assert markdown.startswith("## ❌ Regressed: 2 facts lost, 1 criterion not met\n")
    assert "| `small` | `service lost: version` |" in markdown
    assert "**Gained** (1)" in markdown
    assert "- `network: discovery/x:1 (sha256:000000000000…), in the baseline discovery/x:1" in markdown


def test_what_could_not_be_measured_is_an_error_and_no_pass():
    verdict = Verdict(experiment="bench", state="not_measured", reasons=("no engine", "try again"))
    root = document(verdict)
    assert (root.get("errors"), root.get("failures")) == ("1", "0")
    assert "no engine" in root.findtext(".//error")
    assert summary(verdict).startswith("## ⚠️ Could not be measured\n")
    assert annotations(verdict)[0] == "::error title=Could not be measured::no engine"


def test_ten_thousand_facts_make_a_summary_that_github_shows():
    before = arm(10, {f"service-{n}": (10, "x" * 100) for n in range(10_000)})
    now = arm(5, {f"service-{n}": (0, "y" * 100) for n in range(10_000)})
    verdict = judge("bench", {"ours": before.baseline()}, {"ours": now}, 5)
    assert len(summary(verdict).encode()) < 1024 * 1024
    assert len(annotations(verdict)) == 10
