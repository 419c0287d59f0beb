"""What may be released, and as what."""

import pytest

from dryrun_local.release.source import NotReleasableError, export, read_source, section_of


async def refused(root, version="0.1.0"):
    with pytest.raises(NotReleasableError) as caught:
        await read_source(root, version)
    return "\n".join(caught.value.problems)


async def test_takes_version_commit_time_and_changes_from_the_commit(checkout, git):
    source = await read_source(checkout, "0.1.0")

    assert source.commit == git("rev-parse", "HEAD").strip()
    assert source.committed.timestamp() == int(git("log", "-1", "--format=%ct"))
    assert source.changes == "## 0.1.0 - 2026-11-26\n\n### Added\n\n- Everything.\n"


async def test_refuses_a_changed_file(checkout):
    (checkout / "NOTICE").write_text("changed")

    assert "NOTICE" in await refused(checkout)


async def test_refuses_a_file_that_was_never_added(checkout):
    (checkout / "guard" / "src" / "docker_guard" / "extra.py").touch()

    assert "extra.py" in await refused(checkout)


STATED = (
    "pyproject.toml",
    "guard/pyproject.toml",
    "cli/src/dryrun_cli/__init__.py",
    "deploy/images/docker-guard/image.yml",
    "deploy/compose.yaml",
    "deploy/fleet/compose.host.yaml",
    "docs/fleet.md",
    "tests/deploy/test_reach.py",
)


@pytest.mark.parametrize("file", STATED)
async def test_refuses_a_place_that_states_another_version(checkout, git, file):
    path = checkout / file
    path.write_text(path.read_text().replace("0.1.0", "0.0.9", 1))
    git("commit", "--quiet", "--all", "--message", "Forget to raise one version")

    assert await refused(checkout) == f"{file} has version 0.0.9"


async def test_refuses_a_version_without_a_section(checkout, git):
    path = checkout / "CHANGELOG.md"
    path.write_text(path.read_text().replace("## 0.1.0", "## 0.1.1"))
    git("commit", "--quiet", "--all", "--message", "Forget the section")

    assert await refused(checkout) == "CHANGELOG.md has no section `## 0.1.0` with entries"


async def test_refuses_a_tag_that_exists(checkout, git):
    git("tag", "v0.1.0")

    assert await refused(checkout) == "the tag v0.1.0 exists; a version is released once"


@pytest.mark.parametrize("version", ["", "0.1", "v0.1.0", "0.1.0+local", "../0.1.0", "0.1.0\n"])
async def test_refuses_what_is_no_version(checkout, version):
    assert "write X.Y.Z" in await refused(checkout, version)


async def test_lists_every_reason_at_once(checkout, git):
    path = checkout / "guard" / "pyproject.toml"
    path.write_text(path.read_text().replace('version = "0.1.0"', 'version = "0.0.9"'))
    git("tag", "v0.1.0")
    (checkout / "CHANGELOG.md").write_text("# Changelog\n")

    problems = await refused(checkout)
    assert "2 files are not as committed" in problems
    assert "the tag v0.1.0 exists" in problems
    assert "no section `## 0.1.0`" in problems
    assert "guard/pyproject.toml has version 0.0.9" in problems


@pytest.mark.parametrize("heading", ["## 1.2.3", "## [1.2.3] - 2026-11-26", "## 1.2.3 (yanked)"])
def test_finds_the_section_in_every_usual_form(heading):
    changelog = f"# Changelog\n\n## Unreleased\n\n{heading}\n\n- New.\n\n## 1.2.2\n\n- Old.\n"

    assert section_of(changelog, "1.2.3") == f"{heading}\n\n- New.\n"


@pytest.mark.parametrize("version", ["1.2", "1.2.30", "Unreleased "])
def test_takes_no_other_section_for_it(version):
    assert section_of("## Unreleased\n\n- New.\n\n## 1.2.3\n\n- Old.\n", version) == ""


def test_a_section_without_entries_is_none():
    assert section_of("## 1.2.3\n\n## 1.2.2\n\n- Old.\n", "1.2.3") == ""


async def test_exports_what_was_committed_and_nothing_else(checkout, tmp_path):
    (checkout / "guard" / "secret.pem").write_text("not committed")

    await export(checkout, "HEAD", tmp_path / "tree")

    assert (tmp_path / "tree" / "guard" / "pyproject.toml").is_file()
    assert not (tmp_path / "tree" / "guard" / "secret.pem").exists()
