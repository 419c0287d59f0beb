"""The operator's file pins images, and cannot grant more than the ceilings."""

import json
import os
import resource

import pytest
from guard_stage import ALLOWLIST, LISTEN, SCAN, WEB, WEB_ID

from docker_guard.refusal import Refusal
from docker_guard.rules.allowlist import (
    AllowlistFile,
    AllowlistReader,
    faults_of_image,
    load_allowlist,
    write_file,
)
from docker_guard.rules.policy import ConfigurationError, Policy

ROW = ALLOWLIST["images"][WEB]
FAULTY = {
    "no JSON": "{",
    "another version": {"version": 2, "images": {}},
    "an unknown key": {"version": 1, "images": {}, "more": 1},
    "a short id": {"version": 1, "images": {WEB: ROW | {"id": "sha256:abc"}}},
    "outside of the prefix": {"version": 1, "images": {"alpine:3": ROW}},
    "without a tag": {"version": 1, "images": {"discovery/test-web": ROW}},
    "by digest": {"version": 1, "images": {f"discovery/test-web@{WEB_ID}": ROW}},
    "too great a capability": {"version": 1, "images": {WEB: ROW | {"capabilities": ["SYS_ADMIN"]}}},
    "a collector's capability": {"version": 1, "images": {WEB: ROW | {"capabilities": ["NET_RAW"]}}},
    "a tmpfs over /proc": {"version": 1, "images": {WEB: ROW | {"tmpfs": {"/proc/x": {"size": 1}}}}},
    "a tmpfs with dots": {"version": 1, "images": {WEB: ROW | {"tmpfs": {"/a/../b": {"size": 1}}}}},
    "a huge tmpfs": {"version": 1, "images": {WEB: ROW | {"tmpfs": {"/a": {"size": 2**40}}}}},
    "one id under two names": {"version": 1, "images": {WEB: ROW, "discovery/test-other:1": ROW}},
    "a row twice": '{"version": 1, "images": {"a": 1, "a": 1}}',
}


@pytest.mark.parametrize("content", FAULTY.values(), ids=FAULTY.keys())
def test_refuses_a_faulty_allowlist_as_a_whole(tmp_path, content):
    path = tmp_path / "allowlist.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ConfigurationError, match="the allowlist"):
        load_allowlist(path, Policy())


def test_a_role_follows_from_the_images_name(allowlist_file):
    images = load_allowlist(allowlist_file, Policy()).images
    roles = {name: image.role for name, image in images.items()}
    assert roles == {WEB: "target", SCAN: "collector", LISTEN: "collector"}


def test_a_changed_file_takes_effect_at_once_and_a_faulty_one_allows_nothing(allowlist_file):
    reader = AllowlistReader(allowlist_file, Policy())
    assert WEB in reader.current().images
    allowlist_file.write_text("{")
    for _ in range(2):
        with pytest.raises(Refusal):
            reader.current()
    allowlist_file.write_text('{"version": 1, "images": {}}')
    assert reader.current().images == {}
    allowlist_file.unlink()
    with pytest.raises(Refusal):
        reader.current()


def test_an_image_with_a_volume_or_a_busy_health_check_may_not_run():
    assert list(faults_of_image({"Volumes": {"/d": {}}}, Policy()))
    assert list(faults_of_image({"Healthcheck": {"StartInterval": 99_999_999}}, Policy()))
    fine = {"Healthcheck": {"Interval": 0, "StartInterval": 100_000_000}, "Volumes": None}
    assert not list(faults_of_image(fine, Policy()))


@pytest.mark.parametrize(
    "health",
    [
        {"Interval": -1},
        {"StartInterval": -1},
        {"Timeout": -1},
        {"StartPeriod": -(10**9)},
        {"Retries": -1},
        {"Interval": 10**19},
        {"Interval": True},
        {"Interval": 1e9},
        {"Interval": "30s"},
        {"Interval": 1},
    ],
    ids=str,
)
def test_an_image_with_an_odd_health_check_may_not_run(health):
    assert list(faults_of_image({"Healthcheck": health}, Policy()))


@pytest.mark.parametrize("load", [Policy.load, lambda path: load_allowlist(path, Policy())])
def test_a_file_that_cannot_be_read_is_named_once_with_the_reason(tmp_path, load):
    with pytest.raises(ConfigurationError, match=rf"^the \w+ {tmp_path}: Is a directory$"):
        load(tmp_path)


def test_a_file_rewritten_with_its_old_size_and_times_is_read_again(allowlist_file):
    reader = AllowlistReader(allowlist_file, Policy())
    assert WEB in reader.current().images
    before = allowlist_file.stat()
    revoked = json.dumps({"version": 1, "images": {}}).ljust(before.st_size)
    with allowlist_file.open("r+") as file:
        file.write(revoked)
    os.utime(allowlist_file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert allowlist_file.stat().st_size == before.st_size
    assert reader.current().images == {}


def test_an_allowlist_that_does_not_fit_on_the_disk_stays_as_it_was(tmp_path):
    path = tmp_path / "allowlist.json"
    path.write_text("before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(ConfigurationError, match=r"allowlist.json cannot be written: File too large$"):
            write_file(path, AllowlistFile())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [(path.name, "before")]
