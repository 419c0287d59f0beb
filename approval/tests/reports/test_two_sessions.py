"""Two sessions side by side are an experiment of two arms, collectors for comparison each by itself."""

import json
import re
import zlib
from uuid import UUID

import pytest
from scripted_session import ScriptedSession

from approval_api.experiments import measure as measuring
from approval_api.experiments.worker import compare_two
from approval_api.pages.experiments import compare
from dryrun_contract import event as words
from dryrun_contract.discovery import Discovery
from dryrun_contract.experiment_results import ExperimentResults

HTML = {"Accept": "text/html"}
OTHER = UUID(int=2)


def compared(before, after):
    """Return what the worker answers for two reports, of two sessions."""
    other = after.model_copy(update={"session": after.session.model_copy(update={"id": OTHER})})
    kept = [zlib.compress(report.model_dump_json().encode()) for report in (before, other)]
    (answer,) = compare_two(*kept)
    return ExperimentResults.model_validate_json(answer)


def only(contrast):
    """Return the facts that only one found, by which."""
    return {
        (each.kind, each.key, each.attribute, "now" if each.found_by_arm else "before")
        for each in contrast.differences
        if each.found_by_arm != each.found_by_baseline
    }


def without(story, collector, *kinds):
    return [
        (at, data)
        for at, data in story
        if not (
            data.type == "discovery_reported" and data.collector == collector and data.discovery.kind in kinds
        )
    ]


async def test_what_only_one_session_found_is_listed_with_its_direction(report_of, story_events):
    more, fewer = await report_of(), await report_of(without(story_events(), "network", "database"))
    gained = compared(fewer, more)
    assert [arm.arm for arm in gained.arms] == [str(fewer.session.id), str(OTHER)]
    (contrast,) = gained.contrasts
    fact = ("database", "db:5432/tcp/shop", None)
    assert only(contrast) == {(*fact, "now")}
    (contrast,) = compared(more, fewer).contrasts
    assert only(contrast) == {(*fact, "before")}
    (contrast,) = compared(more, more).contrasts
    assert (contrast.differences, contrast.false_positives) == ((), ())


async def test_what_only_one_reports_falsely_is_listed_too(report_of, story_events):
    more, fewer = await report_of(), await report_of(without(story_events(), "nmap", "service"))
    (contrast,) = compared(fewer, more).contrasts
    (false,) = contrast.false_positives
    assert (false.key, false.by_baseline, false.by_arm, false.is_clear) == ("10.213.0.9:80/tcp", 0, 1, False)


@pytest.mark.parametrize("silence", ["reports nothing", "does not run"])
async def test_what_a_collector_for_comparison_found_is_a_difference_too(report_of, story_events, silence):
    def beside(*, silent):
        for at, data in story_events():
            if getattr(data, "collector", None) != "nmap":
                yield at, data
            elif silent and silence == "does not run":
                continue
            elif data.type == "collector_started":
                yield at, data.model_copy(update={"purpose": "comparison"})
            elif data.type != "discovery_reported" or not silent:
                yield at, data

    finds, silent = [await report_of(list(beside(silent=each))) for each in (False, True)]
    together, nmap = compared(silent, finds).contrasts
    assert together.differences == ()
    assert (nmap.baseline, nmap.arm) == (f"{silent.session.id} nmap", f"{OTHER} nmap")
    found = {each for each in only(nmap) if each[2] is None}
    assert found == {("host", "web", None, "now"), ("service", "db:5432/tcp", None, "now")}
    assert [each.key for each in nmap.false_positives] == ["10.213.0.9:80/tcp"]
    _, nmap = compared(finds, silent).contrasts
    assert {each[3] for each in only(nmap)} == {"before"}
    _, nmap = compared(finds, finds).contrasts
    assert nmap.differences == ()


async def test_a_discovery_for_each_kind_makes_no_longer_comparison(report_of, story_events, report):
    things = [Discovery(kind=f"kind_{number}", key="10.213.0.3" + "x" * 300) for number in range(2000)]
    false = [
        (8, words.DiscoveryReported(collector="nmap", run="nmap-1", line=line, discovery=thing))
        for line, thing in enumerate(things, 1)
    ]
    flooded = await report_of([*story_events(), *false])
    kept = measuring.measure(flooded)
    assert len(kept.false_positives) == measuring.MAX_FALSE_POSITIVES
    assert kept.false_positives_left_out == 2001 - measuring.MAX_FALSE_POSITIVES
    assert max(len(each.key) for each in kept.false_positives) == measuring.MAX_KEY_CHARACTERS
    results = compared(report, flooded)
    assert len(json.dumps(results.contrasts[0].model_dump(mode="json")["false_positives"])) < 50_000
    assert results.false_positives_left_out == kept.false_positives_left_out


async def test_the_page_shows_both_and_says_when_there_is_nothing_to_compare(api, orchestrator, eventually):
    sessions = [UUID(await api.start()) for _ in range(3)]
    for number, session in enumerate(sessions[:2]):
        ScriptedSession(orchestrator, session).whole(finds_less=not number)
    orchestrator.tell(sessions[2], words.SessionEnded(outcome="failed", reason="no room"))

    async def ended():
        listed = (await api.get("/sessions")).json()["sessions"]
        return [each["phase"] for each in listed] == 3 * ["ended"] and all(
            each["figures"] for each in listed if each["id"] != str(sessions[2])
        )

    await eventually(ended)
    before, after, failed = map(str, sessions)
    shown = (await api.client.get(f"/dryrun/compare?a={before}&b={after}", headers=HTML)).text
    assert "only now" in shown
    assert "db:5432/tcp/shop/public/orders" in shown
    assert before[:8] in shown
    shown = await api.client.get(f"/dryrun/compare?a={failed}&b={after}", headers=HTML)
    why = f"Session {failed[:8]} has no scores: no collector has run. Choose another."
    assert (shown.status_code, why in shown.text) == (200, True)
    for query in (f"?b={after}", ""):
        answer = await api.client.get(f"/dryrun/compare{query}", headers=HTML)
        chosen = re.findall(r'value="([^"]+)" selected', answer.text)
        assert (answer.status_code, chosen, "only now" in answer.text) == (200, [before, after], bool(query))


async def test_a_requested_session_is_chosen_although_it_is_not_among_those_offered(
    api, orchestrator, monkeypatch, eventually
):
    monkeypatch.setattr(compare, "_OFFERED", 2)
    old, ended = [await api.start() for _ in range(2)]
    for session in (old, ended):
        orchestrator.tell(UUID(session), words.SessionEnded(outcome="stopped", reason="enough"))
    running = await api.start()

    async def both_ended():
        listed = (await api.get("/sessions")).json()["sessions"]
        return [each["phase"] for each in listed][1:] == 2 * ["ended"]

    await eventually(both_ended)
    page = await api.client.get(f"/dryrun/compare?a={old}&b={running}", headers=HTML)
    assert re.findall(r'value="([^"]+)" selected', page.text) == [old, running]
    assert "has not ended yet" in page.text
    page = await api.client.get(f"/dryrun/compare?b={running}", headers=HTML)
    assert "No earlier session of this template has scores" in page.text
    page = await api.client.get(f"/dryrun/compare?b={OTHER}", headers=HTML)
    assert (page.status_code, "Unknown session" in page.text) == (404, True)
