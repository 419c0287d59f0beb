"""An engine that accepts limits without enforcing them, as a rootless one without cgroups does."""

import pytest
from guard_lab import Lab
from sessions_lab import LabSession
from vectors import row

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    ("field", "limit"), [("MemoryLimit", "memory"), ("CpuCfsQuota", "CPU"), ("PidsLimit", "pids")]
)
def test_no_session_begins_without_a_limit(lab: Lab, field: str, limit: str) -> None:
    session = LabSession(lab, lab.guard, 900)
    mark, recorded = lab.tap.mark(), lab.guard.log.stat().st_size
    said = f'"{field}":true'.encode()
    lab.tap.altered = (said, said.replace(b"true", b"null"))
    try:
        refused = lab.guard.ask("POST", row.CREATE_NETWORK, session.network_body())
        assert (refused.status, session.ids("networks")) == (403, [])
        assert f"does not enforce limits of {limit} (" in refused.message
        assert [line["rule"] for line in lab.guard.decisions(recorded)] == ["limits"]
        assert lab.tap.changes_since(mark) == []
        lab.tap.altered = (b"", b"")
        assert session.create_network() in session.ids("networks")
    finally:
        lab.tap.altered = (b"", b"")
        session.remove()
