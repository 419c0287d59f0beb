import hashlib
import io
import zipfile
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from approval_api.identity.report_key import ReportKey
from approval_api.reports.inert import inert
from approval_api.reports.markdown import render
from dryrun_contract import event as events
from dryrun_contract.discovery import Discovery
from dryrun_contract.report import Report
from dryrun_contract.session import Outcome, Phase
from dryrun_contract.ssh_signature import read_signature, signed_data

HOSTILE = "<script>alert(1)</script> | [x](http://evil) `code` @all \x1b[2J\n# heading ![i](x) \u202e"
START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
DIGEST = "sha256:" + "2" * 64


def found(line, kind, key, *, collector="network", **data):
    discovery = Discovery(kind=kind, key=key, data=data)
    return events.DiscoveryReported(collector=collector, run="r1", line=line, discovery=discovery)


def whole_session():
    """Return what the orchestrator reports of a scan: (seconds since the start, event)."""
    return [
        (1, events.PhaseChanged(phase=Phase.PROVISIONING)),
        (1, events.IsolationProbed(isolated=True, detail="no answer from the bridge")),
        (2, events.AddressesMapped(addresses={"10.213.0.3": "db", "10.213.0.4": "web"})),
        (
            2,
            events.TargetChanged(
                service="db", image="discovery/test-postgres:17", image_id=DIGEST, state="healthy"
            ),
        ),
        (4, events.PhaseChanged(phase=Phase.WAITING)),
        (6, events.PhaseChanged(phase=Phase.SCANNING)),
        (
            6,
            events.CollectorStarted(
                collector="network", run="r1", image="discovery/test-collector-network:1", image_id=DIGEST
            ),
        ),
        (7, found(1, "host", "10.213.0.3")),
        (7, found(2, "host", "10.213.0.4")),
        (8, found(3, "service", "10.213.0.3:5432/tcp", product="PostgreSQL", version="16", access="refused")),
        (8, found(4, "service", "10.213.0.4:80/tcp", product=HOSTILE, version="1.26.3")),
        (8, found(5, "service", "10.213.0.99:80/tcp", product="ghost")),
        (9, events.CollectorWarned(collector="network", run="r1", line=6, message=HOSTILE)),
        (9, events.TargetHarmed(service="web", harm="died", during=("network",), detail=HOSTILE)),
        (
            10,
            events.CollectorEnded(
                collector="network",
                run="r1",
                complete=True,
                truncated=False,
                discoveries=5,
                warnings=1,
                lines=7,
                exit_code=0,
            ),
        ),
        (
            10,
            events.TrafficMeasured(
                targets={
                    "db": events.TargetTraffic(rx_packets=100, rx_bytes=6000, tx_packets=90, tx_bytes=5000),
                    "web": events.TargetTraffic(
                        rx_packets=70, rx_bytes=4000, tx_packets=60, tx_bytes=3000, at_least=True
                    ),
                },
                peak_packets_per_second=950.5,
                sampling_seconds=0.5,
            ),
        ),
        (11, events.PhaseChanged(phase=Phase.CLEANING_UP)),
        (13, events.SessionEnded(outcome=Outcome.COMPLETED)),
    ]


@pytest.fixture
async def reported(api, orchestrator, eventually):
    """Give a function that plays (a part of) a session and returns its id once all is stored."""

    async def play(story):
        session_id = await api.start(seed=3)
        for seconds, data in story:
            orchestrator.tell(UUID(session_id), data, START + timedelta(seconds=seconds))

        async def stored():
            page = await api.get(f"/sessions/{session_id}/events", params={"limit": 2000})
            return len(page.json()["events"]) == len(story) + 1

        await eventually(stored)
        return session_id

    return play


async def test_the_report_shows_what_a_decision_needs(api, reported):
    session_id = await reported(whole_session())
    report = (await api.get(f"/sessions/{session_id}/report")).json()
    Report.model_validate(report)
    assert (report["final"], report["scan_over"], report["verdict"]) == (True, True, None)
    assert report["template"] == {
        "id": "small",
        "title": "Small company",
        "digest": "sha256:" + "1" * 64,
        "seed": 3,
        "stands_for": None,
    }
    assert {one["phase"]: one["seconds"] for one in report["phases"]}["scanning"] == 5
    assert [one["phase"] for one in report["phases"]] == [
        "queued",
        "provisioning",
        "waiting",
        "scanning",
        "cleaning_up",
    ]
    assert report["harmed"][0]["service"] == "web"
    assert report["traffic"]["targets"]["web"]["at_least"] is True
    (run,) = report["collectors"]
    assert (run["complete"], run["seconds"], run["warnings"]) == (True, 4, 1)
    assert run["warning_examples"] == [f"line 6: {HOSTILE}"]
    image = {"service": "db", "image": "discovery/test-postgres:17", "image_id": DIGEST, "host": None}
    assert report["images"] == [image]
    assert report["isolation"]["isolated"] is True
    scores = report["scores"]
    assert [one["key"] for one in scores["false_positives"]] == ["10.213.0.99:80/tcp"]
    assert [(one["key"], one["attribute"]) for one in scores["wrong_values"]] == [
        ("db:5432/tcp", "version"),
        ("web:80/tcp", "product"),
    ]
    assert {one["key"] for one in scores["not_evaluable"]} == {
        "db:5432/tcp/shop",
        "db:5432/tcp/shop/public/orders",
    }
    assert [one["key"] for one in scores["false_negatives"]] == ["web:18734/tcp"]
    assert {row["name"]: row["recall"] for row in scores["rows"]}["host"] == 1


async def test_the_markdown_says_the_same_and_nothing_of_a_target_gets_out_of_its_span(api, reported):
    session_id = await reported(whole_session())
    answer = await api.get(f"/sessions/{session_id}/report", params={"format": "markdown"})
    assert answer.headers["content-type"].startswith("text/markdown")
    text = answer.text
    for heading in (
        "# Dry-run of `small`",
        "## What the scan did to its targets",
        "### Harmed targets",
        "## What a SIEM will see",
        "## The network, as it is and as it was found",
        "### Missed facts",
        "### False positives",
        "### Wrong values",
        "### Not evaluable",
        "### Hard cases",
        "## Scores",
        "## Collectors side by side",
        "## Forecast for production",
        "## What was not rehearsed",
        "| Duration of each phase |",
        "### Found",
        "## What ran",
    ):
        assert heading in text
    assert "at least 70" in text
    assert "`10.213.0.99:80/tcp`" in text
    assert "unusual port" in text
    outside = "".join(text.split("`")[::2])
    for steering in ("<", "[x]", "@all", "http", "![", "\x1b", "\u202e"):
        assert steering not in outside
    assert "<" not in text
    assert "\x1b" not in text
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) >= 10
    for table in tables:
        assert {line.count("|") for line in table} == {table[0].count("|")}
    assert "\n# heading" not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nginx", "`nginx`"),
        ("a`b|c<d", "`a\\x60b\\x7cc\\x3cd`"),
        ("", "-"),
        ("  ", "-"),
        ("line\nbreak", "`line\\x0abreak`"),
        ("x" * 300, f"`{'x' * 200}…`"),
    ],
)
def test_text_is_made_inert(text, shown):
    assert inert(text) == shown


async def test_a_running_session_has_a_report_that_says_it_is_not_final(api, reported):
    session_id = await reported(whole_session()[:9])
    report = (await api.get(f"/sessions/{session_id}/report")).json()
    assert (report["final"], report["scan_over"]) == (False, False)
    assert report["phases"][-1] == {
        "phase": "scanning",
        "started_at": "2026-01-31T09:30:06Z",
        "seconds": None,
    }
    assert report["collectors"][0]["ended"] is False
    text = (await api.get(f"/sessions/{session_id}/report", params={"format": "markdown"})).text
    assert "Not final" in text
    verdict = (await api.post(f"/sessions/{session_id}/report", json={})).json()["verdict"]
    assert verdict["passed"] is False
    assert verdict["results"][0]["criterion"] == "scan_over"


async def test_a_session_without_a_scan_has_no_scores_and_passes_nothing(api, reported):
    session_id = await reported([(1, events.SessionEnded(outcome=Outcome.FAILED, reason="image missing"))])
    report = (await api.get(f"/sessions/{session_id}/report")).json()
    assert report["scores"] is None
    assert report["scores_missing"] == "no collector has run"
    criteria = (await api.get("/criteria")).json()
    verdict = (await api.post(f"/sessions/{session_id}/report", json=criteria)).json()["verdict"]
    assert verdict["passed"] is False
    assert {result["status"] for result in verdict["results"]} == {"not_measured"}
    text = (await api.get(f"/sessions/{session_id}/report", params={"format": "markdown"})).text
    assert "image missing" in text


async def test_a_session_started_elsewhere_is_reported_without_scores(api, orchestrator, eventually):
    session = UUID(int=7)
    orchestrator.tell(
        session,
        events.SessionQueued(template="small", template_digest="sha256:1", seed=0, keep=False, actor="x"),
    )

    async def known():
        return (await api.get(f"/sessions/{session}/report")).status_code == 200

    await eventually(known)
    report = (await api.get(f"/sessions/{session}/report")).json()
    assert report["scores"] is None
    assert "ground truth was not stored" in report["scores_missing"]
    assert "as after an older backup was restored" in report["scores_missing"]


async def test_each_criterion_passes_or_fails_with_its_figures(api, reported):
    session_id = await reported(whole_session())
    criteria = {
        "kinds": {
            "host": {"recall_min": 1.0, "false_positives_max": 0},
            "service": {"precision_min": 0.9},
            "table": {"recall_min": 0.1},
            "directory": {"recall_min": 0.1, "false_positives_max": 0},
        },
        "overall": {"coverage_min": 0.5},
        "false_positives_max": 0,
        "wrong_values_max": 2,
        "not_evaluable_max": 1,
        "targets_harmed_max": 0,
        "peak_packets_per_second_max": 1000,
        "complete_scan": True,
    }
    answer = await api.post(f"/sessions/{session_id}/report", json=criteria)
    verdict = answer.json()["verdict"]
    assert verdict["passed"] is False
    assert {result["criterion"]: result["status"] for result in verdict["results"]} == {
        "overall.coverage_min": "passed",
        "kinds.host.recall_min": "passed",
        "kinds.host.false_positives_max": "passed",
        "kinds.service.precision_min": "failed",
        "kinds.table.recall_min": "not_measured",
        "kinds.directory.recall_min": "not_measured",
        "kinds.directory.false_positives_max": "passed",
        "false_positives_max": "failed",
        "wrong_values_max": "passed",
        "not_evaluable_max": "failed",
        "targets_harmed_max": "failed",
        "peak_packets_per_second_max": "passed",
        "complete_scan": "passed",
    }
    text = (
        await api.post(f"/sessions/{session_id}/report", json=criteria, params={"format": "markdown"})
    ).text
    assert "## Verdict: FAILED" in text


async def test_hard_facts_are_counted_or_not_as_the_criteria_say(api, reported):
    session_id = await reported(whole_session())
    limits = {"kinds": {"service": {"recall_min": 1.0}}}
    for hard, passed in ((True, False), (False, True)):
        answer = await api.post(f"/sessions/{session_id}/report", json={**limits, "hard_facts": hard})
        assert answer.json()["verdict"]["passed"] is passed


async def test_a_scan_that_was_cut_does_not_pass_as_complete(api, reported):
    story = [
        (at, data.model_copy(update={"truncated": True}) if data.type == "collector_ended" else data)
        for at, data in whole_session()
    ]
    session_id = await reported(story)
    verdict = (await api.post(f"/sessions/{session_id}/report", json={"complete_scan": True})).json()[
        "verdict"
    ]
    assert [(one["criterion"], one["status"]) for one in verdict["results"]] == [("complete_scan", "failed")]


async def test_unknown_criteria_are_faults_before_the_session_is_looked_for(api):
    answer = await api.post(
        f"/sessions/{UUID(int=0)}/report", json={"recal_min": 1, "overall": {"recall_min": 2}}
    )
    assert answer.status_code == 422
    assert {fault["where"] for fault in answer.json()["faults"]} == {
        "body.recal_min",
        "body.overall.recall_min",
    }


async def test_the_default_criteria_are_valid_criteria(api, reported):
    session_id = await reported(whole_session())
    criteria = (await api.get("/criteria")).json()
    assert (await api.post(f"/sessions/{session_id}/report", json=criteria)).status_code == 200


async def test_a_long_list_is_cut_in_markdown_and_says_so(api, reported):
    many = [(8, found(number, "host", f"10.1.{number // 250}.{number % 250}")) for number in range(1, 301)]
    story = whole_session()
    session_id = await reported([*story[:9], *many, *story[9:]])
    report = Report.model_validate((await api.get(f"/sessions/{session_id}/report")).json())
    assert len(report.scores.false_positives) == 301
    assert "and 101 more" in render(report)


async def test_a_final_report_is_signed_as_a_page_and_as_data(api, reported):
    session_id = await reported(whole_session())
    answer = await api.get(f"/sessions/{session_id}/report", params={"format": "signed", "judged": "true"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    key: ReportKey = api.app.state.report_key
    public = Ed25519PublicKey.from_public_bytes(key.public_key)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = ["report.html", "report.json", "VERIFY.txt", "SHA512SUMS", "SHA512SUMS.sig"]
        assert archive.namelist() == names
        digests = archive.read("SHA512SUMS")
        signature = read_signature(archive.read("SHA512SUMS.sig").decode())
        assert signature.public_key == key.public_key
        public.verify(signature.signature, signed_data(hashlib.sha512(digests).digest()))
        assert digests.decode() == "".join(
            f"{hashlib.sha512(archive.read(name)).hexdigest()}  {name}\n" for name in names[:3]
        )
        assert key.fingerprint in archive.read("VERIFY.txt").decode()
        report = Report.model_validate_json(archive.read("report.json"))
    assert (str(report.session.id), report.final) == (session_id, True)
    assert report.verdict is not None


async def test_a_report_whose_figures_may_change_is_not_signed(api, reported):
    session_id = await reported(whole_session()[:-1])
    answer = await api.get(f"/sessions/{session_id}/report", params={"format": "signed"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:dryrun:problem:report-not-final")


async def test_without_a_key_nothing_is_signed_and_the_answer_says_who_can_help(api, reported):
    session_id = await reported(whole_session())
    api.app.state.report_key = None
    answer = await api.get(f"/sessions/{session_id}/report", params={"format": "signed"})
    assert answer.status_code == 501
    assert "APPROVAL_REPORT_KEY_FILE" in answer.json()["detail"]
