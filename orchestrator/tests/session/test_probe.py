import json

import pytest

from dryrun_orchestrator.session.probe import ProbeReport


def said(*lines):
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def verdict(isolated):
    return {"type": "verdict", "isolated": isolated, "reason": "why", "evidence": ["heard"]}


def end(code):
    return {"type": "end", "discoveries": 0, "exit_code": code}


def test_only_a_verdict_with_an_end_of_success_is_isolated():
    assert ProbeReport.read(said(verdict(isolated=True), end(0))) == ProbeReport("why", isolated=True)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        said(verdict(isolated=True)),
        said(end(0)),
        said(verdict(isolated=True), end(1)),
        said(verdict(isolated=True), end(139)),
        said(verdict(isolated=True), {"type": "end", "discoveries": 0}),
        said(verdict(isolated=True), end("0")),
        said(verdict(isolated=True), end(0.0)),
        said(verdict(isolated=True), end(False)),
        said(verdict(isolated=1), end(0)),
        said(verdict(isolated="true"), end(0)),
        said(verdict(isolated=True), end(0)).replace(b"}", b"", 1),
        said(verdict(isolated=None), verdict(isolated=True), end(0)),
        said(verdict(isolated=False), verdict(isolated=True), end(0)),
    ],
)
def test_anything_else_is_not(output):
    assert not ProbeReport.read(output).isolated


@pytest.mark.parametrize(("isolated", "word"), [(False, "reached"), (None, "undecided")])
def test_says_whether_the_host_was_reached_or_nothing_is_known(isolated, word):
    report = ProbeReport.read(said(verdict(isolated=isolated), end(2)))
    assert [name for name in ("isolated", "reached", "undecided") if getattr(report, name)] == [word]


def test_is_complete_with_the_whole_end_line():
    output = said(verdict(isolated=True), end(0))
    complete = [length for length in range(len(output) + 1) if ProbeReport.is_complete(output[:length])]
    assert complete == [len(output)]
