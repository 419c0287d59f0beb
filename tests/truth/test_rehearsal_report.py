"""A report that the API builds admits the production run that it is about."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from approval_api.reports.build import build
from approval_api.sessions.stored import StoredSession
from discovery_collectors.running.rehearsal import require_rehearsal
from dryrun_contract.collector_config import CollectorConfig, configuration_digest
from dryrun_contract.event import CollectorEnded, CollectorStarted, Event, TargetLogs, TargetLogsMeasured
from dryrun_contract.report_reading import read_report
from dryrun_contract.session import Outcome, Phase, SessionView

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
SESSION = UUID(int=1)
IMAGE = "sha256:" + "1" * 64


def test_a_report_of_the_api_admits_the_run_that_it_is_about(tmp_path: Path) -> None:
    config = CollectorConfig(cidr="10.213.0.0/27")
    view = SessionView(
        id=SESSION,
        template="small",
        template_digest=IMAGE,
        seed=0,
        keep=False,
        requested_by="ada",
        requested_at=NOW,
        queue_position=None,
        accepted_at=NOW,
        phase=Phase.ENDED,
        outcome=Outcome.COMPLETED,
        reason=None,
        expires_at=None,
        ended_at=NOW,
    )
    started = CollectorStarted(
        collector="network",
        run="1",
        image="discovery/test-collector-network:1",
        image_id=IMAGE,
        config_digest=configuration_digest(config),
    )
    ended = CollectorEnded(
        collector="network", run="1", complete=True, truncated=False, discoveries=0, warnings=0, lines=1
    )
    logs = TargetLogsMeasured(targets={"plc": TargetLogs(counts={}, side_effects={"restarts": 0}, lines=9)})
    events = [
        Event(journal=SESSION, seq=seq, session_id=SESSION, at=NOW, data=data)
        for seq, data in enumerate((started, ended, logs), 1)
    ]
    report = build(StoredSession(view, None, history_complete=True), events)
    path = tmp_path / "report.json"
    path.write_text(report.model_dump_json(), encoding="utf-8")
    assert read_report(path.read_bytes()) == report
    assert "as rehearsed" in require_rehearsal(path, "network", config, IMAGE)
