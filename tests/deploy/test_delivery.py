"""The one service that sends: it gets out, to the hosts that are listed, and nobody else does."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest
from answers import rows
from deployment import OUTSIDE, OUTSIDE_PORT, Deployment, Json, needs_root, reach_from, run, wait_for
from test_reach import PORTS, SHUT

pytestmark = [pytest.mark.deploy, needs_root]

METADATA = "169.254.169.254"
LISTEN = """
import http.server, json, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(json.dumps([dict(self.headers), json.loads(body)]), flush=True)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Hook).serve_forever()
"""
CHANNEL = {"name": "hook", "kind": "webhook", "occasions": ["session_failed"]}
CHANNEL["address"] = f"http://{OUTSIDE[1]}:{OUTSIDE_PORT}/hook"
TELL = """
WITH added AS (
    INSERT INTO gateway.channels (id, owner, request, signing_key)
    VALUES (gen_random_uuid(), 'nobody', '{request}', '{key}') RETURNING id)
INSERT INTO gateway.notifications (channel_id, occasion, object, text, link)
SELECT id, 'test', 'a', 'A test', '/notifications' FROM added
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[subprocess.Popen[str]]:
    """A machine beyond this host that takes webhooks, and has the address of a cloud's metadata too."""
    name = f"dt-{secrets.token_hex(3)}"
    ours, theirs = f"{name}-a", f"{name}-b"
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        run("ip", "address", "add", f"{OUTSIDE[0]}/30", "dev", ours)
        run("ip", "link", "set", ours, "up")
        run("ip", "route", "add", f"{METADATA}/32", "via", OUTSIDE[1])
        for address in (f"{OUTSIDE[1]}/30", f"{METADATA}/32"):
            run("ip", "-n", name, "address", "add", address, "dev", theirs)
        run("ip", "-n", name, "link", "set", theirs, "up")
        run("ip", "-n", name, "route", "add", "default", "via", OUTSIDE[0])
        with subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, "-I", "-c", LISTEN, str(OUTSIDE_PORT)],
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            yield server
            server.kill()
    finally:
        run("ip", "netns", "delete", name)


def test_it_alone_reaches_what_is_beyond_this_host_and_no_metadata_of_a_cloud(
    containers: dict[str, Json], machine: subprocess.Popen[str]
):
    wanted = [(OUTSIDE[1], OUTSIDE_PORT), (METADATA, OUTSIDE_PORT)]

    def listens() -> bool:
        return reach_from(containers["approval-delivery"], wanted[:1]) == ["open"]

    wait_for(listens, 20, "the machine outside listens")
    answers = {name: reach_from(containers[name], wanted) for name in PORTS}
    assert answers.pop("approval-delivery") == ["open", "no answer"]
    assert {answer for each in answers.values() for answer in each} <= SHUT


def test_a_notification_arrives_outside(deployment: Deployment, machine: subprocess.Popen[str]):
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    rows(deployment, TELL.format(request=json.dumps(CHANNEL), key=key))
    assert machine.stdout is not None
    headers, body = json.loads(machine.stdout.readline())
    assert headers["webhook-signature"].startswith("v1,")
    assert body["type"] == "notification"
    assert json.dumps(body).count(deployment.url) >= 1, "links lead to where browsers reach the service"
    rows(deployment, "DELETE FROM gateway.channels")
