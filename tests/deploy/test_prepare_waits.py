"""What the start waits for, by deploy/prepare's exit code, and what is a hint only."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from deployment import DEPLOY
from preparing import own_environment, prepared

# It needs the images' allowlist, but no engine of a worker.
pytestmark = [pytest.mark.engine, pytest.mark.apart]

INCOMPLETE = """#!/bin/sh
[ "$*" = check ] || exit 2
echo "dryrun-host-rule: the rule is not complete:" >&2
for each in a b c d e; do echo "  - the table '$each' is missing" >&2; done
echo "dryrun-host-rule: to repair it, run: sudo /here/dryrun-host-rule install" >&2
exit 1
"""
NOT_ROOT = """#!/bin/sh
echo "dryrun-host-rule: check needs root: sudo /here/dryrun-host-rule check" >&2
exit 3
"""
NO_TOOL = """#!/bin/sh
echo "dryrun-host-rule: the program nft is missing; install the package nftables" >&2
exit 4
"""


def program(place: Path, text: str) -> Path:
    file = place / "program"
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("arguments", [(), ("without-dryrun",), ("--env", "/dev/null")])
def test_the_start_waits_for_the_host_rule_of_this_release(tmp_path: Path, arguments: tuple[str, ...]):
    rule = program(tmp_path, INCOMPLETE)
    done = prepared(tmp_path, *arguments, HOST_RULE_OF_TEST=str(rule))
    (line,) = done.stderr.splitlines()
    assert done.returncode == 3
    assert line.startswith(
        "prepare: mend the host rule, which is not this release's or not wholly in force; "
    )
    assert f"{rule} check says: the table 'a' is missing; " in line
    assert "the table 'c' is missing; and 2 more; to repair it, run: sudo /here" in line
    last = "prepare: written, and not ready: do what the line above names, then run it again"
    assert done.stdout.splitlines()[-1] == last
    assert (tmp_path / "state" / "config").is_dir()


def test_the_start_waits_for_what_the_check_of_the_host_rule_needs(tmp_path: Path):
    done = prepared(tmp_path, HOST_RULE_OF_TEST=str(program(tmp_path, NO_TOOL)))
    assert (done.returncode, "install the package nftables" in done.stderr) == (3, True)


def test_who_cannot_look_at_the_host_rule_is_told_so_and_may_start(tmp_path: Path):
    done = prepared(tmp_path, HOST_RULE_OF_TEST=str(program(tmp_path, NOT_ROOT)))
    assert (done.returncode, done.stderr.startswith("prepare: hint: run ")) == (0, True)
    assert done.stdout.splitlines()[-1].startswith("prepare: ready; next: ")


def test_the_program_itself_runs_the_check_beside_it(tmp_path: Path):
    checkout = tmp_path / "checkout"
    shutil.copytree(DEPLOY, checkout / "deploy", ignore=shutil.ignore_patterns("state", ".env"))
    (checkout / ".venv").symlink_to(DEPLOY.parent / ".venv")
    (checkout / "deploy" / "host-rule" / "dryrun-host-rule").write_text(INCOMPLETE)
    command = [checkout / "deploy" / "prepare", "--state", tmp_path / "state", "--env", "/dev/null"]
    done = subprocess.run(
        [*command, "without-dryrun"],
        check=False, capture_output=True, text=True, timeout=60, env=own_environment(),
    )  # fmt: skip
    assert (done.returncode, "the table 'a' is missing" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    ("seccomp", "code"), [(None, 3), ("engine", 0), ("narrow", 0)], ids=["absent", "chosen", "narrow"]
)
@pytest.mark.parametrize(
    ("arguments", "then"),
    [((), "--force-recreate docker-proxy"), (("--env", "/dev/null"), "systemctl restart docker-guard")],
    ids=["Compose", "systemd"],
)
def test_the_start_waits_for_the_guards_own_profile_unless_the_operator_has_chosen_the_engines(
    tmp_path: Path, arguments: tuple[str, ...], then: str, seccomp: str | None, code: int
):
    assert prepared(tmp_path, *arguments).returncode == 0
    change_policy(tmp_path, seccomp=seccomp)
    done = prepared(tmp_path, *arguments)
    assert done.returncode == code
    assert (f"{then}; until then" in done.stderr) is (seccomp != "narrow")
    assert done.stderr.startswith("prepare: hint: ") is (seccomp == "engine")


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        ('ORCHESTRATOR_SESSIONS_AT_ONCE=12 "OTHER=with a blank"', 'check "sessions"'),
        ("ORCHESTRATOR_SUBNET_POOL=10.214.0.0/16", "the guard refuses every session"),
        ("ORCHESTRATOR_SESSIONS_AT_ONCE=many ORCHESTRATOR_SUBNET_POOL=wide", None),
        ("'", None),
        ("", None),
    ],
)
def test_where_systemd_runs_the_services_the_policy_goes_with_the_units_settings(
    tmp_path: Path, shown: str, says: str | None
):
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "shown").write_text(f"{shown}\n")
    systemctl = folder / "systemctl"
    unit = "show --property=Environment --value dryrun-orchestrator"
    systemctl.write_text(f'#!/bin/sh\n[ "$*" = "{unit}" ] && cat {tmp_path / "shown"}\n')
    systemctl.chmod(0o755)
    path = f"{folder}:{own_environment()['PATH']}"
    done = prepared(tmp_path, "--env", "/dev/null", PATH=path)
    assert done.returncode == (3 if says else 0)
    assert says is None or says in done.stderr
    assert "compose" not in done.stderr


def change_policy(place: Path, **fields: str | None) -> None:
    """Change fields of the guard's policy; those of None are taken out."""
    file = place / "state" / "config" / "guard-policy.json"
    written = json.loads(file.read_text()) | fields
    file.chmod(0o644)
    file.write_text(json.dumps({name: value for name, value in written.items() if value is not None}))
