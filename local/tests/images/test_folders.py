"""Image folders: what is read, in which order, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_local.images.folders import ManifestError, load_folders
from dryrun_local.images.manifest import Tmpfs

REPOSITORY = Path(__file__).resolve().parents[3]


def folder(root: Path, name: str, manifest: str, dockerfile: str | None = None) -> Path:
    path = root / "images" / name
    path.mkdir(parents=True)
    (path / "image.yml").write_text(manifest)
    if dockerfile is None:
        (path / "rootfs.sh").write_text("exit 0\n")
    else:
        (path / "Dockerfile").write_text(dockerfile)
    return path


def problems_of(root: Path) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as caught:
        load_folders(root)
    return caught.value.problems


def test_reads_everything_a_session_may_choose(tmp_path: Path) -> None:
    folder(tmp_path, "base", "image: discovery/base:13\nsummary: s\n")
    folder(
        tmp_path,
        "web",
        """
        image: discovery/test-web:1
        summary: s
        from: base
        environment: [DISCOVERY_CONFIG]
        capabilities: [CHOWN]
        tmpfs: {/run: {size: 2m, uid: 33, gid: 33, mode: "0755"}}
        facts: {version: echo 1}
        """,
        "FROM discovery/base:13\n",
    )
    manifest = load_folders(tmp_path)["web"].manifest
    assert manifest.parents == ("base",)
    assert manifest.environment == ("DISCOVERY_CONFIG",)
    assert manifest.capabilities == ("CHOWN",)
    assert manifest.tmpfs == {"/run": Tmpfs(size=2 * 1024**2, uid=33, gid=33, mode="0755")}
    assert manifest.facts == {"version": "echo 1"}
    assert manifest.read_only
    assert manifest.allowlisted


def test_only_the_test_prefix_is_for_sessions(tmp_path: Path) -> None:
    folder(tmp_path, "base", "image: discovery/base:13\nsummary: s\n")
    assert not load_folders(tmp_path)["base"].manifest.allowlisted


def test_parents_come_before_what_builds_on_them(tmp_path: Path) -> None:
    folder(tmp_path, "a", "{image: 'discovery/test-a:1', summary: s, from: b}", "FROM discovery/b:1\n")
    folder(tmp_path, "b", "{image: 'discovery/b:1', summary: s, from: [c]}", "FROM discovery/c:1\n")
    folder(tmp_path, "c", "{image: 'discovery/c:1', summary: s}")
    assert list(load_folders(tmp_path)) == ["c", "b", "a"]


def test_lists_every_problem_of_every_folder_with_file_and_path(tmp_path: Path) -> None:
    folder(
        tmp_path,
        "one",
        """
        image: elsewhere/web:1
        privileged: true
        capabilities: [net raw]
        tmpfs: {/run: {size: much}, relative: {size: 1m}}
        read_only: false
        """,
    )
    folder(tmp_path, "two", "image: [")
    folder(
        tmp_path,
        "three",
        "{image: 'discovery/test-three:1', summary: s, from: nobody, "
        "python: {requirements: requirements/none.txt, packages: [none]}}",
        "FROM debian:13\n",
    )
    problems = problems_of(tmp_path)
    for expected in (
        "images/one/image.yml: image:",
        "images/one/image.yml: privileged: is not a key of image.yml; known here are image, summary, from,",
        "images/one/image.yml: capabilities.0:",
        "images/one/image.yml: tmpfs./run.size: 'much' is not a size",
        "images/one/image.yml: tmpfs.relative",
        "images/one/image.yml: summary: is missing; for example  summary: ",
        "images/two/image.yml: not YAML:",
        "images/three/image.yml: from: there is no folder images/nobody",
        "images/three/image.yml: python.requirements: there is no file requirements/none.txt",
        "images/three/image.yml: python.packages: there is no workspace package none",
        "images/three/Dockerfile: FROM debian:13:",
    ):
        assert sum(problem.startswith(expected) for problem in problems) == 1, (expected, problems)
    assert len(problems) == 11


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("tmpfs: [/run]", "tmpfs: is not a map of keys to values; for example  tmpfs: {/run: {size: 2m"),
        ("tmpfs: {/run: 2m}", "tmpfs./run: is not a map of keys to values; for example  tmpfs: {/run: {"),
        ("tmpfs: {/run: {uid: 33}}", "tmpfs./run.size: is missing; for example  tmpfs: {/run: {size: 2m"),
        (
            "tmpfs: {/run: {sise: 2m, size: 2m}}",
            "tmpfs./run.sise: is not a key of image.yml; known here are size, uid",
        ),
        ("arguments: -oX", "arguments: is not a list; for example  arguments: [["),
        ("python: {packages: contract}", "python.packages: is not a list; for example  python: {req"),
    ],
)
def test_a_wrong_shape_is_answered_with_an_example_and_no_class(
    tmp_path: Path, lines: str, expected: str
) -> None:
    folder(tmp_path, "web", f"image: discovery/test-web:1\nsummary: s\n{lines}")
    (problem,) = problems_of(tmp_path)
    assert problem.startswith(f"images/web/image.yml: {expected}")
    assert "Tmpfs" not in problem
    assert "dictionary" not in problem


def test_ground_truth_of_an_image_is_checked_with_line_numbers(tmp_path: Path) -> None:
    folder(
        tmp_path,
        "web",
        """
image: discovery/test-web:1
summary: s
facts: {version: echo 1}
ground_truth:
  - {kind: service, key: ":80/tcp", data: {version: {fact: version}}}
  - {kind: service, key: ":81/tcp", data: {version: {fact: versoin}}}
  - {kind: certificate, key: ":443/tcp", data: {not_after: 2039-12-31T23:59:59Z}}
log_patterns: {errors: "(", failed_login: x}
""",
    )
    assert [problem.split(": ")[:2] for problem in problems_of(tmp_path)] == [
        ["images/web/image.yml:7", "ground_truth[1].data.version.fact"],
        ["images/web/image.yml:8", "ground_truth[2].data.not_after"],
        ["images/web/image.yml:9", "log_patterns.failed_login"],
        ["images/web/image.yml:9", "log_patterns.errors"],
    ]


def test_a_writable_root_needs_a_reason(tmp_path: Path) -> None:
    folder(tmp_path, "web", "{image: 'discovery/test-web:1', summary: s, read_only: false}")
    assert problems_of(tmp_path) == (
        "images/web/image.yml: the document: read_only is false; give the reason in read_only_reason",
    )


def test_refuses_two_folders_that_build_one_image(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder(tmp_path, name, "{image: 'discovery/test-web:1', summary: s}")
    assert problems_of(tmp_path) == (
        "images/b/image.yml: image: discovery/test-web:1 is also built by images/a",
    )


def test_refuses_folders_that_build_on_each_other(tmp_path: Path) -> None:
    folder(tmp_path, "a", "{image: 'discovery/a:1', summary: s, from: b}", "FROM discovery/b:1\n")
    folder(tmp_path, "b", "{image: 'discovery/b:1', summary: s, from: a}", "FROM discovery/a:1\n")
    assert problems_of(tmp_path) == ("images: these folders build on each other in a cycle: a, b",)


def test_refuses_a_folder_with_nothing_to_build(tmp_path: Path) -> None:
    path = folder(tmp_path, "a", "{image: 'discovery/test-a:1', summary: s}")
    (path / "rootfs.sh").unlink()
    assert len(problems_of(tmp_path)) == 1


def test_a_repository_without_images_is_an_error(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == (f"{tmp_path / 'images'}: no folder has an image.yml",)


def test_the_projects_own_folders_are_valid() -> None:
    assert {"base", "servers", "python", "nginx", "postgres", "django", "mongodb", "redis"} <= set(
        load_folders(REPOSITORY)
    )


@given(number=st.integers(1, 512), unit=st.sampled_from(["k", "m", "K", "M"]))
def test_a_size_is_a_number_with_a_binary_unit(number: int, unit: str) -> None:
    factor = {"k": 1024, "m": 1024**2}[unit.lower()]
    assert Tmpfs.model_validate({"size": f"{number}{unit}"}).size == number * factor


@pytest.mark.parametrize(
    ("image", "part", "says"),
    [
        (
            "web",
            "tmpfs: {/run: {size: 257m}}",
            "tmpfs./run.size: is 269484032 bytes; at most 268435456 (256 MiB)",
        ),
        ("web", "tmpfs: {/proc/x: {size: 1m}}", "tmpfs./proc/x: a tmpfs cannot cover /proc"),
        ("web", "tmpfs: {/run/..: {size: 1m}}", "tmpfs./run/..: is not an absolute path of plain names"),
        ("web", "tmpfs: {/run: {size: 1m, uid: 2147483648}}", "tmpfs./run.uid: must be less than 2147483648"),
        ("web", "capabilities: [NET_RAW]", "capabilities: NET_RAW cannot be granted to a target"),
        ("collector-x", "capabilities: [CHOWN]", "capabilities: CHOWN cannot be granted to a collector"),
        ("web", "arguments: [['-v']]", "arguments: are given although only collectors"),
        ("web", "stdin: true", "stdin: is granted although only collectors"),
    ],
)
def test_refuses_what_would_make_the_whole_allowlist_unusable(
    tmp_path: Path, image: str, part: str, says: str
) -> None:
    folder(tmp_path, "one", f"{{image: 'discovery/test-{image}:1', summary: s, {part}}}")
    (tmp_path / "images/one/rootfs.sh").write_text("")
    problems = problems_of(tmp_path)
    assert len(problems) == 1
    assert problems[0].startswith(f"images/one/image.yml: {says}")


def test_an_image_that_no_session_starts_may_be_granted_anything(tmp_path: Path) -> None:
    folder(tmp_path, "one", "{image: 'discovery/one:1', summary: s, tmpfs: {/run: {size: 1g}}}")
    (tmp_path / "images/one/rootfs.sh").write_text("")
    assert list(load_folders(tmp_path)) == ["one"]
