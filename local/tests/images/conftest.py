"""A fake `docker`, and a repository with four image folders."""

from pathlib import Path

import pytest
from docker_on_path import docker_on_path


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return docker_on_path(tmp_path / "bin", monkeypatch)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    files = {
        "base/image.yml": "{image: 'discovery/base:1', summary: s}",
        "base/rootfs.sh": "printf tar-archive\n",
        "web/image.yml": "{image: 'discovery/test-web:1', summary: s, from: base, "
        "facts: {version: echo 1.2}, log_patterns: {errors: 'ERR'}, "
        "ground_truth: [{kind: service, key: ':80/tcp', data: {version: {fact: version}}}], "
        "tmpfs: {/run: {size: 1m, uid: 33, gid: 33, mode: '0755'}}}",
        "web/Dockerfile": "FROM discovery/base:1\n",
        "mail/image.yml": "{image: 'discovery/test-mail:1', summary: s, from: base}",
        "mail/Dockerfile": "FROM discovery/base:1\n",
        "dns/image.yml": "{image: 'discovery/test-dns:1', summary: s, from: base}",
        "dns/Dockerfile": "FROM discovery/base:1\n",
    }
    for path, content in files.items():
        (root / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / path).write_text(content)
    return root


@pytest.fixture
def allowlist(tmp_path: Path) -> Path:
    return tmp_path / "state" / "allowlist.json"
