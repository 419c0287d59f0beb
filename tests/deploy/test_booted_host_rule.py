"""The host rule under a booted systemd: it is there after a boot, and after all that flushes the tables."""

import os
from collections.abc import Iterator

import pytest
from booted import Machine, booted
from deployment import DEPLOY

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts cgroups and loads rules: needs root"),
]

RULE = "/usr/local/lib/dryrun-host-rule/dryrun-host-rule"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with booted("host-rule", f"--volume={DEPLOY / 'host-rule'}:/host-rule:ro") as made:
        assert "the rule is complete" in made.sh("/host-rule/dryrun-host-rule install 2>&1")
        yield made


@pytest.mark.parametrize("command", ["start", "reload", "restart", "stop"])
def test_nftables_own_service_flushes_it_only_for_a_moment(machine: Machine, command: str):
    machine.sh(f"systemctl {command} nftables")
    machine.sh(f"{RULE} check")


def test_udev_keeps_a_new_bridge_from_learning_of_link_local_frames(machine: Machine):
    machine.sh("ip link add dr-0123456789ab type bridge; udevadm settle")
    assert "no_linklocal_learn 1" in machine.sh(
        "ip -details link show dr-0123456789ab; ip link del dr-0123456789ab"
    )


@pytest.mark.parametrize("firewall", ["disable", "enable"])
def test_it_is_there_after_a_boot(machine: Machine, firewall: str):
    machine.sh(f"systemctl {firewall} nftables")
    machine.reboot()
    machine.sh(f"{RULE} check")


def test_removed_it_leaves_nothing(machine: Machine):
    machine.sh(f"{RULE} remove")
    machine.sh("systemctl restart nftables")
    assert "dryrun" not in machine.sh("nft list ruleset; ip rule list")
    assert "dryrun" not in machine.sh("systemctl list-units --all; systemctl cat nftables")
    assert machine.sh("find /etc /usr/local -name '*dryrun*'") == ""
