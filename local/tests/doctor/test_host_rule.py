"""The wrapper against scripts of the test's own, and the script itself in a network namespace of its own."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from dryrun_local.doctor.host_rule import SCRIPT_FROM_ROOT, HostRule, HostRuleError

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / SCRIPT_FROM_ROOT

needs_root = [
    pytest.mark.engine,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft"),
]


def checkout(folder: Path, script: str) -> Path:
    path = folder / SCRIPT_FROM_ROOT
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


async def test_a_complete_rule_has_no_problems(tmp_path):
    state = await HostRule(checkout(tmp_path, "exit 0")).check()
    assert (state.complete, state.problems) == (True, ())


async def test_lists_each_problem_of_an_incomplete_rule(tmp_path):
    script = "echo 'not complete:' >&2; echo '  - the table is missing' >&2; echo '  - one more' >&2; exit 1"
    state = await HostRule(checkout(tmp_path, script)).check()
    assert state.complete is False
    assert state.problems == ("the table is missing", "one more")


async def test_without_root_the_state_is_unknown_and_the_command_named(tmp_path):
    state = await HostRule(checkout(tmp_path, "exit 3"), user_id=lambda: 1000).check()
    assert state.complete is None
    assert state.fix.startswith("sudo ")
    assert state.fix.endswith("dryrun-host-rule install")


async def test_a_check_that_fails_is_an_error(tmp_path):
    with pytest.raises(HostRuleError, match="exit code 4: no nft"):
        await HostRule(checkout(tmp_path, "echo 'no nft'; exit 4")).check()


async def test_a_script_that_hangs_is_ended(tmp_path):
    root = checkout(tmp_path, f"echo $$ >{tmp_path}/pid; exec sleep 60")
    with pytest.raises(HostRuleError, match="did not end within"):
        await HostRule(root, seconds=0.5).check()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_a_missing_script_is_named(tmp_path):
    with pytest.raises(HostRuleError, match="dryrun-host-rule cannot be started: No such file"):
        await HostRule(tmp_path).check()


class TestTheScript:
    pytestmark = needs_root

    @staticmethod
    def in_a_namespace(commands: str, root: Path) -> subprocess.CompletedProcess[str]:
        """Run shell commands with $S as the script; its files go below `root`."""
        return subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-c", commands],
            env={**os.environ, "S": str(SCRIPT), "DRYRUN_HOST_RULE_ROOT": str(root)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )

    def test_lists_what_is_missing_when_nothing_is_installed(self, tmp_path):
        done = self.in_a_namespace("$S check", tmp_path)
        assert done.returncode == 1
        for problem in (
            "'inet dryrun' is missing",
            "'arp dryrun' is missing",
            "'bridge dryrun' is missing",
            "ip -4 rule",
            "ip -6 rule",
        ):
            assert problem in done.stdout

    def test_installing_twice_is_installing_once_and_remove_leaves_nothing(self, tmp_path):
        again = "$S install && $S install && $S check && ip rule list | grep -c blackhole"
        done = self.in_a_namespace(again, tmp_path)
        assert done.returncode == 0, done.stdout
        assert done.stdout.splitlines()[-1] == "1"
        assert (tmp_path / "etc/dryrun-host-rule").exists()
        assert (tmp_path / "usr/local/lib/dryrun-host-rule/rule.nft").exists()
        unit = "etc/systemd/system/dryrun-host-rule.service"
        assert (tmp_path / unit).exists()
        removed = self.in_a_namespace(
            "$S install >/dev/null 2>&1 && $S remove && nft list ruleset && ip rule list", tmp_path
        )
        assert removed.returncode == 0, removed.stdout
        assert "table" not in removed.stdout
        assert "blackhole" not in removed.stdout
        assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []

    DROP_IN = "etc/systemd/system/nftables.service.d/dryrun-host-rule.conf"

    def test_the_installed_copy_restores_what_loads_the_rule_after_a_flush(self, tmp_path):
        copy = tmp_path / "usr/local/lib/dryrun-host-rule/dryrun-host-rule"
        damage = f"rm {tmp_path / self.DROP_IN}"
        done = self.in_a_namespace(
            f"$S install && {damage} && $S check; echo $?; {copy} install && {copy} check", tmp_path
        )
        assert done.returncode == 0, done.stdout
        assert f"nftables.service would leave the rule unloaded: /{self.DROP_IN} is missing" in done.stdout
        assert "\n1\n" in done.stdout

    MODULES = (
        "mount -t tmpfs none /proc/sys/kernel && echo /sbin/modprobe >/proc/sys/kernel/modprobe && "
        "mount -t tmpfs none /sys/module"
    )
    """A kernel that loads modules, and has none."""
    FAMILIES = "etc/modprobe.d/dryrun-host-rule.conf"

    def test_no_session_has_the_kernel_load_a_family_that_leads_to_the_host(self, tmp_path):
        done = self.in_a_namespace(
            f"F={tmp_path / self.FAMILIES}; {self.MODULES} && $S install && cat $F && rm $F && "
            "$S check; echo $?; $S install && $S check && $S remove",
            tmp_path,
        )
        assert done.returncode == 0, done.stdout
        assert {f"alias net-pf-{family} off" for family in (21, 26, 40, 42)} <= {*done.stdout.splitlines()}
        assert f"/{self.FAMILIES} is missing" in done.stdout
        assert "\n1\n" in done.stdout
        assert not (tmp_path / self.FAMILIES).exists()

    def test_check_finds_another_versions_list_of_such_families(self, tmp_path):
        fewer = f"sed -i /net-pf-42/d {tmp_path / self.FAMILIES}"
        done = self.in_a_namespace(f"{self.MODULES} && $S install && {fewer} && $S check; echo $?", tmp_path)
        assert f"/{self.FAMILIES} is missing or not this version's" in done.stdout
        assert done.stdout.endswith("\n1\n")

    @pytest.mark.parametrize("module", ["llc2", "rds", "vsock_loopback"])
    def test_check_names_a_module_that_connects_sessions_with_the_host(self, tmp_path, module):
        loaded = f"mkdir /sys/module/{module} && echo live >/sys/module/{module}/initstate"
        done = self.in_a_namespace(f"{self.MODULES} && {loaded} && $S install; echo $?", tmp_path)
        assert f"the module {module} is loaded, and connects sessions with this host" in done.stdout
        assert done.stdout.endswith("\n1\n")

    def test_a_kernel_without_modules_needs_no_file_for_them(self, tmp_path):
        none = "mount -t tmpfs none /proc/sys/kernel"
        done = self.in_a_namespace(f"{none} && $S install && $S check", tmp_path)
        assert done.returncode == 0, done.stdout
        assert not (tmp_path / self.FAMILIES).exists()

    def test_removes_what_would_load_the_rule_again_before_the_rule(self, tmp_path):
        nft = tmp_path / "bin" / "nft"
        nft.parent.mkdir()
        seen = f'[ "$1" != delete ] || ls {tmp_path / self.DROP_IN} {tmp_path}/etc/udev/rules.d/*'
        nft.write_text(
            f'#!/bin/sh\n{seen} >>{tmp_path}/loaders 2>/dev/null\nexec {shutil.which("nft")} "$@"\n'
        )
        nft.chmod(0o755)
        done = self.in_a_namespace(f"$S install && PATH={nft.parent}:$PATH $S remove", tmp_path)
        assert done.returncode == 0, done.stdout
        assert (tmp_path / "loaders").read_text() == ""

    def test_help_is_no_wrong_usage(self):
        done = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, timeout=10, check=True)
        assert done.stdout.startswith("usage: dryrun-host-rule COMMAND")
        wrong = subprocess.run([SCRIPT, "-x"], capture_output=True, text=True, timeout=10, check=False)
        assert (wrong.returncode, wrong.stderr) == (2, done.stdout)

    @pytest.mark.parametrize(
        ("network", "problem"),
        [
            (
                "edge:bridge:lab-edge",
                "network discovery_edge is not shut off: its bridge is named 'lab-edge', not drs…",
            ),
            ("metrics:bridge:", "network discovery_edge is not shut off: its bridge is named '', not drs…"),
            # These two go by other rules, which let more through.
            ("data:bridge:dro-data", "its bridge is named 'dro-data', not drs…"),
            ("data:bridge:drf-data", "its bridge is named 'drf-data', not drs…"),
            ("outside:bridge:drs-outside", "its bridge is named 'drs-outside', not dro…"),
            ("guards:bridge:drf-guard", None),
            ("edge:bridge:drs2-edge", None),
            ("outside:bridge:dro-outside", None),
            ("proxy:bridge:br-proxy", None),
            ("edge:overlay:", None),
        ],
    )
    def test_names_a_network_of_the_services_that_it_does_not_shut_off(self, tmp_path, network, problem):
        docker = tmp_path / "bin" / "docker"
        docker.parent.mkdir()
        docker.write_text(
            "#!/bin/sh\n"
            'case "$1" in\n'
            "    ps) echo approval-api discovery_edge; echo web elsewhere; echo '' bridge ;;\n"
            f"    network) [ $3 = discovery_edge ] || exit 9; echo '{network}' ;;\n"
            "esac\n"
        )
        docker.chmod(0o755)
        done = self.in_a_namespace(f"$S install && PATH={docker.parent}:$PATH $S check", tmp_path)
        assert done.returncode == (0 if problem is None else 1), done.stdout
        assert (problem or "the rule is complete") in done.stdout.splitlines()[-2 if problem else -1]

    def test_the_installed_copy_applies_the_rule(self, tmp_path):
        copy = tmp_path / "usr/local/lib/dryrun-host-rule/dryrun-host-rule"
        done = self.in_a_namespace(f"$S install && nft flush ruleset && {copy} apply && $S check", tmp_path)
        assert done.returncode == 0, done.stdout

    @pytest.mark.parametrize(
        ("damage", "problem"),
        [
            ("nft flush chain inet dryrun input", 'chain input: missing: iifname "dr-*" drop'),
            (
                "nft flush chain inet dryrun forward",
                'chain forward: missing: iifname "dr-*" oifname != "dr-*"',
            ),
            ("nft flush chain inet dryrun prerouting", "chain prerouting: missing: iifname"),
            ("nft flush chain inet dryrun output", "chain output: missing: icmpv6 type parameter-problem"),
            ("nft delete chain inet dryrun input", "chain input: missing: the chain itself"),
            ("nft flush chain arp dryrun input", "arp dryrun, chain input: missing"),
            (
                "nft flush chain inet dryrun_untracked prerouting",
                'chain prerouting: missing: iifname "dr-*" notrack',
            ),
            ("nft flush chain bridge dryrun prerouting", "bridge dryrun, chain prerouting: missing: update"),
            ("nft delete table bridge dryrun", "the table 'bridge dryrun' is missing"),
            ("nft delete table arp dryrun", "the table 'arp dryrun' is missing"),
            ("nft delete table inet dryrun", "the table 'inet dryrun' is missing"),
            ("nft insert rule inet dryrun input accept", "chain input: does not belong there: accept"),
            ("nft add table inet dryrun '{ flags dormant; }'", "does not belong there: flags dormant"),
            ("ip -4 rule del priority 1", "ip -4 rule: fwmark"),
            ("ip -6 rule del priority 1", "ip -6 rule: fwmark"),
        ],
    )
    def test_check_names_the_missing_part_and_apply_repairs_it(self, tmp_path, damage, problem):
        done = self.in_a_namespace(
            f"$S apply && {damage} && $S check; echo $?; $S apply && $S check", tmp_path
        )
        assert done.returncode == 0, done.stdout
        assert problem in done.stdout
        assert "\n1\n" in done.stdout

    BRIDGE = (
        "ip link add dr-00000000000a type bridge && R=$DRYRUN_HOST_RULE_ROOT && mount --bind $R /mnt && "
        "mount -t tmpfs none /run && mkdir -p $R && mount --bind /mnt $R && mkdir /run/udev && "
        "touch /run/udev/control"
    )
    """Made before anything set its bound, on a host with udev. The script's files may lie below /run."""

    def test_check_names_a_bridge_that_learns_from_frames_which_pass_no_hook(self, tmp_path):
        done = self.in_a_namespace(
            f"$S install && {self.BRIDGE} && $S check; echo $?; $S apply && $S check", tmp_path
        )
        assert done.returncode == 0, done.stdout
        assert "dr-00000000000a learns from link-local frames" in done.stdout
        assert "\n1\n" in done.stdout
        assert (tmp_path / "etc/udev/rules.d/60-dryrun-host-rule.rules").exists()

    def test_check_names_the_rule_that_udev_lacks(self, tmp_path):
        done = self.in_a_namespace(f"$S apply && {self.BRIDGE} && $S check", tmp_path)
        assert done.returncode == 1
        assert "udev's rule /etc/udev/rules.d/60-dryrun-host-rule.rules is missing" in done.stdout

    def test_what_udev_runs_for_a_new_bridge_satisfies_check(self, tmp_path):
        rules = (SCRIPT.parent / "dryrun-host-rule.rules").read_text()
        command = rules.rpartition('RUN+="')[2].strip().rstrip('"').replace("%k", "dr-00000000000a")
        done = self.in_a_namespace(f"$S install && {self.BRIDGE} && {command} && $S check", tmp_path)
        assert done.returncode == 0, done.stdout

    POOLS = (
        "mount -t tmpfs none /proc/sys/fs && cd /proc/sys/fs && mkdir epoll inotify && "
        "echo 5491489 >epoll/max_user_watches && echo 128 >inotify/max_user_instances && "
        "echo 192536 >inotify/max_user_watches && echo 65536 >aio-max-nr && "
        "echo 9223372036854775807 >file-max && "
        "mount -t tmpfs none /proc/sys/net && cd /proc/sys/net && mkdir netfilter ipv4 ipv4/neigh "
        "ipv4/neigh/default && echo 262144 >netfilter/nf_conntrack_max && "
        "echo 131072 >ipv4/tcp_max_orphans && "
        "echo '575799\t767734\t1151598' >ipv4/udp_mem && "
        "for n in 1 2 3; do echo 1024 >ipv4/neigh/default/gc_thresh$n; done && mkdir -p ipv6/conf/default && "
        "echo 2 >ipv6/mld_qrv && echo 1000 >ipv6/conf/default/mldv2_unsolicited_report_interval"
    )
    """What the kernel shows in the host's own network namespace."""

    def test_bounds_the_kernel_pools_that_all_containers_share(self, tmp_path):
        done = self.in_a_namespace(
            f"{self.POOLS} && $S apply && $S check && cat netfilter/* ipv4/udp_mem ipv4/neigh/default/*",
            tmp_path,
        )
        assert done.returncode == 0, done.stdout
        conntrack, udp, *arp = done.stdout.splitlines()[1:]
        assert conntrack == "65536"
        assert int(udp.split()[2]) * os.sysconf("SC_PAGE_SIZE") <= memory_bytes() / 16
        assert arp == ["4096", "16384", str(os.sysconf("SC_NPROCESSORS_CONF") * 524288)]

    def test_no_pool_that_containers_pay_for_ends_before_their_memory(self, tmp_path):
        done = self.in_a_namespace(
            f"{self.POOLS} && $S apply && $S check && cd ../fs && grep . ../net/ipv4/tcp_max_orphans *-* */*",
            tmp_path,
        )
        assert dict(line.split(":") for line in done.stdout.splitlines()[1:]) == {
            "../net/ipv4/tcp_max_orphans": "2147483647",
            "aio-max-nr": "2147483647",
            "epoll/max_user_watches": "2147483647",
            # What is more is kept.
            "file-max": "9223372036854775807",
            "inotify/max_user_instances": "8192",
            "inotify/max_user_watches": "2147483647",
        }

    def test_leaves_the_hosts_pools_alone_from_another_network(self, tmp_path):
        pool = "F=/proc/sys/fs/epoll/max_user_watches; mount -t tmpfs none /proc/sys/fs && mkdir ${F%/*}"
        done = self.in_a_namespace(
            f"{pool} && echo 128 >$F && $S install >/dev/null 2>&1; $S check; cat $F", tmp_path
        )
        assert done.stdout.splitlines()[-2:] == ["dryrun-host-rule: the rule is complete", "128"]

    def test_lets_a_new_bridge_report_its_groups_often_and_soon(self, tmp_path):
        done = self.in_a_namespace(
            f"{self.POOLS} && $S apply && $S check && cat ipv6/mld_qrv ipv6/conf/default/*", tmp_path
        )
        assert done.stdout.splitlines()[1:] == ["7", "100"]

    @pytest.mark.parametrize(
        ("damage", "problem"),
        [
            ("echo 2 >ipv6/mld_qrv", "net.ipv6.mld_qrv is 2, the bound is 7"),
            ("echo 65537 >netfilter/nf_conntrack_max", "nf_conntrack_max is 65537, the bound is 65536"),
            ("echo '1\t2\t999999999' >ipv4/udp_mem", "net.ipv4.udp_mem is 1 2 999999999, the bound is"),
            ("echo 32768 >ipv4/neigh/default/gc_thresh3", "gc_thresh3 is 32768, the bound is"),
            ("echo 262144 >ipv4/tcp_max_orphans", "tcp_max_orphans is 262144, the bound is 2147483647"),
            (
                "echo 128 >../fs/inotify/max_user_instances",
                "fs.inotify.max_user_instances is 128, the bound is 8192",
            ),
            (
                "echo 5491489 >../fs/epoll/max_user_watches",
                "fs.epoll.max_user_watches is 5491489, the bound is",
            ),
        ],
    )
    def test_check_names_a_bound_that_is_not_kept_and_apply_repairs_it(self, tmp_path, damage, problem):
        done = self.in_a_namespace(
            f"{self.POOLS} && $S apply && {damage} && $S check; echo $?; $S apply && $S check", tmp_path
        )
        assert done.returncode == 0, done.stdout
        assert problem in done.stdout
        assert "\n1\n" in done.stdout

    def test_keeps_narrower_bounds_of_an_operator(self, tmp_path):
        narrow = "echo 30000 >netfilter/nf_conntrack_max && echo 999999999 >ipv4/neigh/default/gc_thresh3"
        after = "cat netfilter/* ipv4/neigh/default/gc_thresh3"
        done = self.in_a_namespace(f"{self.POOLS} && {narrow} && $S apply && $S check && {after}", tmp_path)
        assert done.stdout.splitlines()[1:] == ["30000", "999999999"]


def memory_bytes() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("MemTotal")).split()[1]) * 1024
