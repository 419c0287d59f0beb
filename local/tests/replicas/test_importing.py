import json
from pathlib import Path

import pytest

from dryrun_local.images.folder_build import BuiltImage
from dryrun_local.images.programs import ProgramError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas import needed_images
from dryrun_local.replicas.importing import import_network
from dryrun_local.replicas.installed import installed
from dryrun_local.replicas.needed_images import NOTHING_ANSWERS
from dryrun_local.replicas.planning import ImportOptions
from dryrun_local.terminal.screen import Screen

ROOT = Path(__file__).resolve().parents[3]
ID, OTHER = (f"sha256:{letter * 64}" for letter in "ab")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(ROOT, tmp_path / "state")
    made.prepare()
    made.allowlist.write_text(json.dumps({"version": 1, "images": {NOTHING_ANSWERS: {"id": ID}}}))
    return made


@pytest.mark.parametrize(("there", "imported"), [(ID, True), (OTHER, False), (None, False)])
async def test_a_network_for_which_nothing_is_made_stands_only_on_images_that_the_engine_has(
    installation: Installation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    there: str | None,
    imported: bool,
) -> None:
    async def inspect(names, **_):
        return {name: BuiltImage(there, 1, "", (), ()) for name in names if there}

    monkeypatch.setattr(needed_images, "inspect_images", inspect)
    table = tmp_path / "hosts.csv"
    table.write_text("host,ip,port,protocol,product\nprinter,10.20.0.71,,,\n")
    options = ImportOptions((table,), "acme")
    if imported:
        await import_network(installation, options, Screen())
    else:
        with pytest.raises(ProgramError, match=f"{NOTHING_ANSWERS}.*images build"):
            await import_network(installation, options, Screen())
    assert [each.name for each in installed(installation)] == ["acme"] * imported
    # Installed is not yet useful: nothing of this network but its host can be missed.
    assert ("No service of it is known" in capsys.readouterr().out) is imported
