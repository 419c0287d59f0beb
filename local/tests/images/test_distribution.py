"""Images go to every host of a fleet that answers, whatever the others do."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dryrun_local.images.commands import spread
from dryrun_local.images.distribution import distribute
from dryrun_local.machine.installation import Installation
from dryrun_local.terminal.screen import Screen

DOCKER = """#!/bin/sh
case "$2" in *away*) echo "no route to $2" >&2; exit 1 ;; esac
[ "$3" = images ] && echo sha256:1
exit 0
"""


@pytest.mark.parametrize(("hosts", "code"), [(["ssh://away", "ssh://beta"], 1), (["ssh://beta"], 0)])
async def test_a_host_that_does_not_answer_keeps_the_images_from_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: list[str], code: int
) -> None:
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    here = Installation(tmp_path, tmp_path / "state")
    here.prepare()
    rows = {"discovery/test-web:1": {"id": "sha256:1"}}
    here.allowlist.write_text(json.dumps({"version": 1, "images": rows}))
    screen = Screen()
    screen.console = Console(file=StringIO(), width=200)
    assert await spread(here, screen, hosts) == code
    said = screen.console.file.getvalue()  # type: ignore[attr-defined]
    assert "ssh://beta: copied 0 images" in said
    assert said.startswith(f"  Comparing images with {hosts[0]}\n")
    assert ("ssh://away: no route to ssh://away" in said) is bool(code)
    assert ("Without all images:  ssh://away; run the command again" in said) is bool(code)


async def test_how_much_has_been_copied_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    # The engine has the images once they were loaded.
    program.write_text(
        f"""#!/bin/sh
case "$*" in
    save*) head -c 3000000 /dev/zero ;;
    *load*) cat >{tmp_path}/loaded ;;
    *images*) [ ! -e {tmp_path}/loaded ] || echo sha256:1 ;;
esac
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    allowlist = tmp_path / "allowlist.json"
    allowlist.write_text(json.dumps({"version": 1, "images": {"discovery/test-web:1": {"id": "sha256:1"}}}))
    told: list[tuple[int, int]] = []
    done = await distribute(
        "ssh://beta", allowlist, tmp_path / "log", lambda count, size: told.append((count, size))
    )
    assert done.copied == ("discovery/test-web:1",)
    assert (tmp_path / "loaded").stat().st_size == 3_000_000
    assert told[0] == (1, 0)
    assert told[-1] == (1, 3_000_000)
    assert told == sorted(told)
