import json
from pathlib import Path

import pytest
from made_networks import READ_AT, host, network, service
from simple_recipes import match_host

from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import commands, verification
from dryrun_local.replicas.commands import list_replicas, show_replica, verify_replica
from dryrun_local.replicas.installed import ReplicaError
from dryrun_local.terminal.screen import Screen
from dryrun_replica.planning.plan import Plan, PlannedCredential, make_plan

CARD = '{"installed_at": "2026-11-27T00:00:00+00:00", "templates": ["acme"], "plan": {"version": 0}}'


async def test_without_a_replica_the_list_says_how_one_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await list_replicas(Installation(tmp_path, tmp_path / "state"), Screen(), as_json=False)
    assert "dryrun-local network import FILE --name NAME" in capsys.readouterr().out


async def test_parts_of_a_network_leave_room_for_its_name_and_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    hosts = (host(f"web-{number}", service(80, "nginx")) for number in range(1, 41))
    plan = make_plan("branch", network(*hosts), match_host, READ_AT, all_hosts=True, most=2)
    templates = [each.id for each in plan.templates]
    card = {"installed_at": READ_AT.isoformat(), "templates": templates, "plan": plan.model_dump(mode="json")}
    installation = Installation(tmp_path, tmp_path / "state")
    folder = installation.replicas / "branch"
    folder.mkdir(parents=True)
    (folder / "replica.json").write_text(json.dumps(card))
    (folder / "allowlist.json").write_text('{"images": {}}')
    with_templates(installation, *templates)
    await list_replicas(installation, Screen(), as_json=False)
    [heading, row] = capsys.readouterr().out.splitlines()
    assert heading.split() == ["NAME", "HOSTS", "TARGETS", "REAL", "SOFTWARE", "TEMPLATES", "INSTALLED"]
    assert " ".join(row.split()) == "branch 40 40 40 of 40 branch-01 to branch-20 2026-11-26 12:00"


async def test_a_card_of_another_version_says_what_to_do(tmp_path: Path) -> None:
    installation = Installation(tmp_path, tmp_path / "state")
    folder = installation.replicas / "acme"
    folder.mkdir(parents=True)
    (folder / "replica.json").write_text(CARD)
    (folder / "allowlist.json").write_text('{"images": {}}')
    with pytest.raises(ReplicaError, match="import the network again, or remove it"):
        await show_replica(installation, Screen(), "acme", as_json=False)


async def test_damaged_replicas_are_named_beside_those_that_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan("acme", network(host("web-1", service(80, "nginx"))), match_host, READ_AT)
    card = {"installed_at": READ_AT.isoformat(), "templates": ["acme"], "plan": plan.model_dump(mode="json")}
    installation = Installation(tmp_path, tmp_path / "state")
    for name, text in (("acme", json.dumps(card)), ("old", CARD), ("broken", "{"), ("cardless", None)):
        folder = installation.replicas / name
        folder.mkdir(parents=True)
        (folder / "allowlist.json").write_text('{"images": {}}')
        if text is not None:
            (folder / "replica.json").write_text(text)
    installation.replica_templates.mkdir()
    await list_replicas(installation, Screen(to_error=True), as_json=True)
    shown = capsys.readouterr()
    assert [each["name"] for each in json.loads(shown.out)] == ["acme"]
    assert [line.split(" is ")[0] for line in shown.err.splitlines()] == [
        f"✗ the replica {name}" for name in ("broken", "cardless", "old")
    ]
    assert "import the network again, or remove it: dryrun-local network remove broken" in shown.err
    for name in ("old", "broken"):
        with pytest.raises(ReplicaError, match=f"the replica {name} is damaged"):
            await show_replica(installation, Screen(), name, as_json=False)


async def test_a_network_that_is_installed_is_not_shown_as_one_to_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan("acme", network(host("web-1", service(80, "nginx"))), match_host, READ_AT)
    installation = installed(tmp_path, plan)
    await show_replica(installation, Screen(), "acme", as_json=False)
    shown = capsys.readouterr().out
    assert ("Built\n1 template with 1 target\n" in shown, "To build" in shown) == (True, False)


async def test_a_network_is_shown_without_the_passwords_of_its_templates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan("acme", network(host("web-1", service(80, "nginx"))), match_host, READ_AT)
    known = PlannedCredential(engine="redis", username="app", password="quay-lantern", hosts=("web-1",))
    installation = installed(tmp_path, plan.model_copy(update={"credentials": (known,)}))
    await show_replica(installation, Screen(to_error=True), "acme", as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["templates"] == ["acme"]
    assert shown["plan"]["credentials"] == [{"engine": "redis", "username": "app", "hosts": ["web-1"]}]


def with_templates(installation: Installation, *names: str) -> None:
    installation.replica_templates.mkdir(parents=True)
    for name in names:
        (installation.replica_templates / f"{name}.yml").write_text("services: {}")


def installed(tmp_path: Path, plan: Plan) -> Installation:
    """An installation that has the network of this plan."""
    card = {"installed_at": READ_AT.isoformat(), "templates": ["acme"], "plan": plan.model_dump(mode="json")}
    installation = Installation(tmp_path, tmp_path / "state")
    folder = installation.replicas / "acme"
    folder.mkdir(parents=True)
    (folder / "replica.json").write_text(json.dumps(card))
    (folder / "allowlist.json").write_text('{"images": {}}')
    return installation


async def test_a_stand_in_without_a_row_is_a_fault_and_not_left_out(tmp_path: Path) -> None:
    installation = Installation(tmp_path, tmp_path / "state")
    folder = installation.replicas / "acme"
    folder.mkdir(parents=True)
    image = "discovery/test-stand-in:" + "a" * 16
    card = {"installed_at": "2026-11-27T00:00:00+00:00", "templates": ["acme"], "images": {"web-1": image}}
    (folder / "replica.json").write_text(json.dumps(card))
    (folder / "allowlist.json").write_text('{"images": {}}')
    installation.allowlist.write_text('{"version": 1, "images": {}}')
    with pytest.raises(ReplicaError, match=r"no row of 1 image of acme: discovery/test-stand-in:a+; import"):
        await verify_replica(installation, Screen(), "acme")


async def test_a_replica_without_a_stand_in_of_its_own_is_not_called_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = Installation(tmp_path, tmp_path / "state")
    folder = installation.replicas / "acme"
    folder.mkdir(parents=True)
    image = "discovery/test-nginx:1.26"
    card = {"installed_at": "2026-11-27T00:00:00+00:00", "templates": ["acme"], "images": {"web-1": image}}
    (folder / "replica.json").write_text(json.dumps(card))
    (folder / "allowlist.json").write_text('{"images": {}}')
    row = {"id": f"sha256:{'a' * 64}", "role": "target"}
    installation.allowlist.write_text(json.dumps({"version": 1, "images": {image: row}}))
    with_templates(installation, "acme")
    await verify_replica(installation, Screen(), "acme")
    shown = capsys.readouterr().out
    assert ("acme has no stand-in of its own" in shown, "true" in shown) == (True, False)


async def test_a_verification_begins_by_removing_what_an_earlier_one_of_this_installation_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    owners: list[str] = []

    async def remove_leftovers(owner: str) -> int:
        owners.append(owner)
        return 2

    monkeypatch.setattr(verification, "remove_leftovers", remove_leftovers)
    await verification.verify_rows(Installation(tmp_path, tmp_path / "state"), Screen(), {})
    assert "0 facts of 0 stand-ins are true" in capsys.readouterr().out
    assert owners == [str(tmp_path / "state")]


async def test_a_fault_says_that_the_replica_stays_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = f"discovery/test-stand-in:{'a' * 16}"
    installation = installed(
        tmp_path, make_plan("acme", network(host("web-1", service(80, "nginx"))), match_host, READ_AT)
    )
    rows = {image: {"id": "sha256:1", "ground_truth": []}}
    for file in (installation.allowlist, installation.replicas / "acme" / "allowlist.json"):
        file.write_text(json.dumps({"version": 1, "images": rows}))
    with_templates(installation, "acme")

    async def have(rows):
        return {}

    async def untrue(row, products, owner):
        return ["service :80/tcp: product should be 'nginx' and is 'Apache httpd'"]

    async def nothing_left(owner):
        return 0

    monkeypatch.setattr(commands, "pinned_images", have)
    monkeypatch.setattr(verification, "verify", untrue)
    monkeypatch.setattr(verification, "remove_leftovers", nothing_left)
    with pytest.raises(verification.UntrueError) as error:
        await verify_replica(installation, Screen(), "acme")
    first, second = str(error.value).splitlines()
    assert first == (
        "1 fault in ground truth; acme stays installed; import the network again, or "
        "`dryrun-local network remove acme`:"
    )
    assert second == f"  {image}: service :80/tcp: product should be 'nginx' and is 'Apache httpd'"
