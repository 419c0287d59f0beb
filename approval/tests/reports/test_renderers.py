"""What every renderer owes its readers: whatever targets and collectors say is text, and only text."""

import csv
import io
import re
import unicodedata
from collections import Counter
from datetime import date
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from approval_api.reports.csv_file import COLUMNS, cell_text, render_csv
from approval_api.reports.html import render_html_file, render_html_fragment, report_css
from approval_api.reports.markdown import render
from dryrun_contract.event import CollectorStarted
from dryrun_contract.ground_truth import Fact
from dryrun_contract.network_forecast import (
    Expected,
    Group,
    InsideGroup,
    NetworkForecast,
    QuantityForecast,
)
from dryrun_contract.report import Report
from dryrun_contract.scan_choice import ScanChoice
from dryrun_contract.template import Levels, StandsFor

NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</bdi></td></table><h1>owned",
    "]]><!-- ${7*7} {{ 7*7 }} {% raw %}",
    "javascript:alert(1)",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(A1)",
    "-2+3",
    "\t=1",
    "\x1b]0;owned\x07\x1b[2J",
    "\x9b31m",
    "a\x00b",
    "\u202eevil\u2066",
    "| a | b |\n| --- | --- |",
    "`` ` ``` [x](http://evil.example) ![i](x) # @all **b** <b>",
    "\r\n\r\n## Verdict: PASSED",
    "é" * 5000,
)
hostile = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.tuples(st.sampled_from(NASTY), st.text(min_size=1)).map("".join),
).filter(lambda text: text.strip() != "")

OURS = frozenset(
    (
        *("version", "phase", "outcome", "criterion", "status", "state", "judgement", "harm", "subnet"),
        *(
            "id",
            "purpose",
            "requested_at",
            "accepted_at",
            "expires_at",
            "ended_at",
            "started_at",
            "at",
            "step",
        ),
    )
)
"""Fields that are not text, or hold words of this service alone."""


def replaced(value, text):
    """Return a report's data with `text` in place of every text in it that is not this service's own."""
    match value:
        case dict():
            return {
                name: part
                if name in OURS
                else {text + inner: replaced(value, text) for inner, value in part.items()}
                if name in ("data", "targets", "inside", "logs") and part
                else replaced(part, text[:500])
                if name == "sample"
                else replaced(part, text)
                for name, part in value.items()
            }
        case list() | tuple():
            return [replaced(part, text) for part in value]
        case str():
            return text
        case _:
            return value


def spoiled(report, text):
    whole = report.model_dump(mode="json", exclude={"forecast", "not_rehearsed", "verdict"})
    hostile = Report.model_validate({**replaced(whole, text), "verdict": None})
    kept = {"forecast": report.forecast, "not_rehearsed": report.not_rehearsed, "verdict": report.verdict}
    return hostile.model_copy(update=kept)


class Structure(HTMLParser):
    """The tags of a document with their attributes' names, in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags = []
        self.text = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_endtag(self, tag):
        self.tags.append(("/" + tag, ()))

    def handle_decl(self, decl):
        self.tags.append((decl, ()))

    def handle_comment(self, data):
        self.tags.append(("comment", ()))

    def handle_data(self, data):
        self.text.append(data)


def unseen(text):
    """Return the characters of `text` that steer instead of show, line breaks apart."""
    steering = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return {one for one in text if unicodedata.category(one) in steering and one != "\n"}


many = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Mouthpiece:
    """A report in which everybody says one text; `html` and `markdown` are those of a harmless one."""

    def __init__(self, report):
        self._report = report
        self.html, self.markdown = render_html_file(self.saying("harmless")), render(self.saying("harmless"))

    def saying(self, text):
        return spoiled(self._report, text)


@pytest.fixture
def everybody(report):
    return Mouthpiece(report)


def without_code(markdown):
    """Return the lines of a text without its code spans, in any order: names decide about the order."""
    outside = re.sub(r"`[^`\n]*`|(?<=[|;] )-(?= [|;])", "", markdown)
    return sorted(re.sub(r"[ ]+", " ", line) for line in outside.split("\n"))


@many
@given(text=hostile)
def test_no_text_changes_the_structure_of_the_html(everybody, text):
    page = render_html_file(everybody.saying(text))
    assert Counter(Structure(page).tags) == Counter(Structure(everybody.html).tags)
    assert not unseen(page)


@many
@given(text=hostile)
def test_no_text_leaves_its_code_span_or_its_cell_in_markdown(everybody, text):
    markdown = render(everybody.saying(text))
    assert without_code(markdown) == without_code(everybody.markdown)
    assert "<" not in markdown
    assert not unseen(markdown)


@many
@given(text=hostile)
def test_no_cell_of_the_csv_is_a_formula(everybody, text):
    rows = list(csv.reader(io.StringIO(render_csv(everybody.saying(text)), newline="")))
    assert rows[0] == list(COLUMNS)
    assert len(rows) == len(list(csv.reader(io.StringIO(render_csv(everybody.saying("harmless"))))))
    for row in rows:
        assert len(row) == len(COLUMNS)
        for cell in row:
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "|", "%"))
            assert not unseen(cell)


@given(st.text())
def test_a_cell_shows_what_it_was_given(text):
    shown = cell_text(text)
    assert not unseen(shown)
    assert "\n" not in shown
    assert not shown.lstrip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("number", [10_000, 1_000_000])
async def test_a_very_long_text_is_cut(report, number):
    page = render_html_file(spoiled(report, "x" * number))
    assert len(page) < 400_000
    assert len(render(spoiled(report, "x" * number))) < 200_000
    assert len(render_csv(spoiled(report, "x" * number))) < 200_000


async def test_the_html_holds_all_it_needs_and_runs_nothing(report):
    page = render_html_file(report)
    tags = Structure(page).tags
    assert not {"script", "link", "iframe", "object", "img", "base", "form"} & {tag for tag, _ in tags}
    attributes = {name for _, names in tags for name in names}
    assert not {name for name in attributes if name.startswith("on") or name in ("style", "src")}
    assert "url(" not in page
    assert "@import" not in page
    assert re.findall(r"https?://[^\"' ]*", page) == []
    assert re.findall(r'href="([^"]*)"', page) == [
        found for found in re.findall(r'href="([^"]*)"', page) if found.startswith("#report-")
    ]


async def test_the_fragment_needs_no_inline_style_and_stays_in_its_scope(report):
    fragment = render_html_fragment(report)
    assert "<style" not in fragment
    assert fragment.startswith("<article")
    selectors = re.sub(r"/\*.*?\*/", "", report_css(), flags=re.DOTALL)
    # The name of an animation holds for the whole page, and its steps are no selectors.
    assert all(name.startswith("dr-") for name in re.findall(r"@keyframes\s+(\S+)", selectors))
    selectors = re.sub(r"@keyframes\s+\S+\s*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", selectors)
    for selector in re.findall(r"(?:^|[{};])\s*([^{};]+)\{", selectors):
        if not selector.strip().startswith("@"):
            assert all(".dryrun-report" in part for part in _parts(selector)), selector


def _parts(selector):
    """Split a selector list at the commas outside of parentheses."""
    parts, depth, part = [], 0, ""
    for character in selector:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append(part)
            part = ""
        else:
            part += character
    return [*parts, part]


async def test_the_three_say_the_same(report):
    page, markdown = "".join(Structure(render_html_file(report)).text), render(report)
    for said in (
        "Failed",
        "at least 3,000",
        "FATAL: no such role",
        "unusual port",
        "exit code 139",
        "10.213.0.9:80/tcp",
        "no collector reported this host",
        "Windows hosts",
        "2 of 3",
    ):
        assert said.casefold() in page.casefold(), said
        assert said.casefold() in markdown.casefold(), said
    every = list(csv.DictReader(io.StringIO(render_csv(report))))
    alone = [(row["judgement"], row["where"], row["alone"]) for row in every if row["alone"]]
    assert ("wrong", "web:80/tcp", "network") in alone
    assert ("false positive", "10.213.0.9:80/tcp", "nmap") in alone
    assert ("missed", "db", "nmap") in alone
    for form in (page, markdown):
        assert "Each collector alone: missed, false, wrong values" in form
    rows = [row for row in every if not row["alone"]]
    false = [row for row in rows if row["judgement"] == "false positive"]
    assert [(row["where"], row["collectors"]) for row in false] == [("10.213.0.9:80/tcp", "nmap")]
    (wrong,) = [row for row in rows if row["judgement"] == "wrong"]
    assert (wrong["expected"], wrong["reported"]) == ("1.26.3", "1.0")
    assert {row["judgement"] for row in rows} == {"found", "missed", "false positive", "wrong"}


async def test_what_was_chosen_for_the_scan_is_said(report):
    assert "Chosen for the scan" not in render(report)
    session = report.session.model_copy(update={"scan": ScanChoice(profile="full", max_rate=2500)})
    chosen = report.model_copy(update={"session": session})
    for said in ("".join(Structure(render_html_file(chosen)).text), render(chosen)):
        assert "profile full; at most 2,500 packets/s from each collector" in said


async def test_a_kind_of_two_words_is_written_as_two(report_of):
    zone = Fact(kind="dns_zone", key="db:53/tcp/corp.example")
    report = await report_of(truth=(Fact(kind="host", key="db"), zone))
    assert "1 DNS zone" in render(report)
    assert "1 DNS zone" in render_html_file(report)


async def test_a_service_with_much_inside_wraps_on_a_narrow_screen(report):
    assert '1 database</span> <span class="dr-inside">1 table</span>' in render_html_file(report)


async def test_what_runs_for_comparison_is_marked(report_of, story_events):
    happened = [
        (at, data.model_copy(update={"purpose": "comparison"}))
        if isinstance(data, CollectorStarted) and data.collector == "nmap"
        else (at, data)
        for at, data in story_events()
    ]
    for form in (render, render_html_file):
        assert "for comparison" in form(await report_of(happened))
        assert "for comparison" not in form(await report_of())


async def test_a_report_without_a_scan_is_rendered_too(report_of, story_events):
    report = await report_of(story_events()[:1], phase="queued", outcome=None, ended_at=None)
    assert "no collector has run" in render(report)
    assert "no collector has run" in render_html_file(report)
    assert render_csv(report).count("\n") == 1


@pytest.mark.parametrize(
    ("form", "media_type"),
    [("html", "text/html"), ("csv", "text/csv"), ("markdown", "text/markdown")],
)
async def test_a_file_is_answered_in_a_sandbox(api, orchestrator, form, media_type):
    session_id = await api.start()
    answer = await api.get(f"/sessions/{session_id}/report", params={"format": form, "judged": True})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert f'filename="dryrun-small-{session_id[:8]}.' in answer.headers["content-disposition"]


def _with_network(report, name):
    found = Expected(value=30, low=27, high=33)
    group = Group(name=name, total=40, covered=33, unknown=7, found=found, spellings=(name,))
    known = NetworkForecast(
        network="n0123456789abcdef",
        hosts=1200,
        hosts_covered=1190,
        targets=20,
        sessions=3,
        kinds=(group.model_copy(update={"name": "service"}),),
        places=(group,),
        products=(group.model_copy(update={"found": None, "covered": 0, "unknown": 40}),),
        inside=(InsideGroup(kind=name, attribute=None, covered=12.5, found=found),),
        quantities=(
            QuantityForecast(name="seconds", expected=Expected(value=95, low=71, high=120), basis="measured"),
            QuantityForecast(name="failed_logins", expected=None, basis="not measured"),
        ),
        assumptions=("hosts are alike",),
        collectors=("network",),
        scan=ScanChoice(profile="full"),
    )
    stands_for = StandsFor(
        made_from=name[:200],
        made_on=date(2026, 11, 26),
        hosts=1200,
        levels=Levels(same_version=60, same_product=11, relative=9, banner=6, nothing=4),
    )
    about = report.template.model_copy(update={"stands_for": stands_for})
    return report.model_copy(update={"network_forecast": known, "forecast": None, "template": about})


@many
@given(text=hostile)
def test_no_product_of_an_inventory_changes_the_structure_of_a_forecast(report, text):
    harmless, spoilt = _with_network(report, "harmless"), _with_network(report, text)
    page = render_html_file(spoilt)
    assert Counter(Structure(page).tags) == Counter(Structure(render_html_file(harmless)).tags)
    assert without_code(render(spoilt)) == without_code(render(harmless))
    assert not unseen(page + render(spoilt))


async def test_a_report_on_a_replica_says_what_to_expect_of_the_network_and_of_no_other(report):
    markdown = render(_with_network(report, "443/tcp"))
    assert "## What to expect in production" in markdown
    assert "Scanned by `network; profile full`." in markdown
    assert "| services (open ports) | 40 | 33 | **30** | 27 to 33 | 3 | 7 |" in markdown
    assert "| duration | **1 min 35 s** | 1 min 11 s to 2 min 0 s | measured |" in markdown
    assert "| failed logins in logs | **not measured** | - | not measured |" in markdown
    assert "## The network that this stands for" in markdown
    assert "| same product and version | 60 (67 %) |" in markdown
    assert "Forecast for" not in markdown
    assert "What to expect in production" not in render(report)


def test_shares_have_one_form(everybody):
    assert re.search(r"\d %", everybody.markdown)
    assert not re.search(r"\d%", everybody.markdown)


def test_each_value_of_a_list_has_its_columns_head_for_phones_and_figures_stay_in_columns(report):
    html = render_html_file(report)
    lists, figures = html.split('id="report-scores"')
    assert 'class="dr-scroll dr-list"' in lists
    assert '<td data-label="Where"' in lists
    scores = figures.partition("<table>")[2].partition("</table>")[0]
    assert "data-label" not in scores
    assert 'class="dr-number ' in scores
