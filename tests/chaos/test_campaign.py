"""A short campaign with a fixed seed, and tests of the harness itself."""

import os
import shutil

import pytest
from bystanding import POOL
from campaign import FAULTS, opened_world
from fleet_faults import FLEET_FAULTS
from one_round import plan, play
from small_disks import small_disk

SEED, ROUNDS, FAULTS_A_ROUND = 11, 2, 5

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mkfs.ext4") is None, reason="mounts small disks: needs root"
)


def test_a_round_is_the_same_whenever_it_is_played():
    first, again = (plan(SEED, 3, FAULTS) for _ in range(2))
    assert first[1] == again[1]
    assert first[0].random() == again[0].random()
    assert plan(SEED, 4, FAULTS)[1] != first[1]


def test_every_fault_has_a_name_of_its_own():
    assert len({fault.name for fault in (*FAULTS, *FLEET_FAULTS)}) == len(FAULTS) + len(FLEET_FAULTS)


@pytest.mark.engine
@needs_root
def test_a_full_disk_is_full_and_then_free(tmp_path):
    with small_disk(tmp_path / "disk", 8) as disk:
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "more").write_bytes(b"x" * 4096)
        disk.free()
        (disk.folder / "more").write_bytes(b"x" * 4096)


@pytest.mark.engine
@pytest.mark.long(120)
@pytest.mark.timeout(900)
@needs_root
async def test_whatever_breaks_sessions_end_nothing_is_left_and_the_next_one_works():
    known = [fault for fault in FAULTS if not fault.needs_own_engine]
    async with opened_world(own_engine=False, **POOL) as world:
        played = [await play(world, SEED, number, known, FAULTS_A_ROUND) for number in range(1, ROUNDS + 1)]
    assert [(each.made, each.breaches) for each in played if each.breaches or each.void] == []
    assert sum(len(each.made) for each in played) == ROUNDS * FAULTS_A_ROUND
