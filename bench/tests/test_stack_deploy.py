"""What a service of Swarm gets of what a session's target has."""

import json

from bench.contestants.stack_deploy import stack

TMPFS = {"size": 2048, "uid": 33, "gid": 34, "mode": "0700"}
IMAGE = {
    "id": "sha256:1",
    "read_only": True,
    "capabilities": ["SETUID"],
    "tmpfs": {"/run": TMPFS, "/tmp/x": TMPFS},
}


def test_a_service_has_its_image_by_id_its_capabilities_and_its_tmpfs_with_their_owner(tmp_path):
    (tmp_path / "template.yml").write_text("services: {web: {image: 'discovery/test-web:1'}}")
    (tmp_path / "allowlist.json").write_text(json.dumps({"images": {"discovery/test-web:1": IMAGE}}))
    made = json.loads(stack(tmp_path / "template.yml", tmp_path / "allowlist.json"))
    web = made["services"]["web"]
    assert (web["image"], web["cap_drop"], web["cap_add"]) == ("sha256:1", ["ALL"], ["SETUID"])
    assert web["read_only"] is True
    assert [(each["source"], each["target"]) for each in web["volumes"]] == [
        ("web-0", "/run"),
        ("web-1", "/tmp/x"),
    ]
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=2048,uid=33,gid=34,mode=0700"}
    assert made["volumes"] == {
        name: {"driver": "local", "driver_opts": options} for name in ("web-0", "web-1")
    }
