"""A fleet on one machine: three engines in network namespaces, a swarm, a guard beside each.

Inside of `tests/support/with-own-engine` (root): its engine is host `a`, a manager, in the namespace of
whoever uses this module; `b` and `c` are workers, or managers too. A bridge is the network between the
hosts, the underlay.
"""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from fleet_host import GUARD_PORT, MANAGER, Host, run
from forked_services import FORGES
from local_stack import PATIENCE, ROOT

LAYERS: Final = Path("/run/layers")
"""Where `with-own-engine` shows the machine's images."""
UNDERLAY: Final = "10.213.255"
POOL: Final = "10.213.0.0/17"
"""The sessions' part; the underlay is outside of it."""
READY_SECONDS: Final = 60.0 * PATIENCE
FORGET_SECONDS: Final = 10.0 * PATIENCE


class FleetLab:
    """The hosts by name, the certificates, and the underlay. `managers` of the hosts manage the swarm."""

    def __init__(
        self,
        folder: Path,
        managers: int = 1,
        *,
        hosts: int = 3,
        encrypted: bool = False,
        sweep_seconds: int = 1,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.managers = "abc"[:managers]
        self.folder = folder
        self.policy = {"subnet_pool": POOL, "sweep_seconds": sweep_seconds}
        self.is_encrypted = encrypted
        """Whether guards ask for encryption. This machine's kernel may lack it; an engine does not say so."""
        self.certificates = folder / "certificates"
        self.addresses = {name: f"{UNDERLAY}.{number}" for number, name in enumerate("abc"[:hosts], 1)}
        self.make_certificates()
        self.orchestrator_certs = self.certificates / "orchestrator"
        self.hosts = {name: Host(name, address, folder / name) for name, address in self.addresses.items()}

    @property
    def manager(self) -> Host:
        return self.hosts[MANAGER]

    @property
    def workers(self) -> list[Host]:
        return [host for host in self.hosts.values() if not host.is_manager]

    # the machine's parts

    def lay_underlay(self) -> None:
        """Make the bridge between the hosts, and a namespace for each worker."""
        run("ip", "link", "add", "fleet0", "type", "bridge")
        run("ip", "addr", "add", f"{self.manager.address}/24", "dev", "fleet0")
        run("ip", "link", "set", "fleet0", "up")
        # A wire filters nothing; with br_netfilter the engine's policy would drop what crosses it.
        run("iptables", "--insert", "FORWARD", "-i", "fleet0", "-o", "fleet0", "-j", "ACCEPT")
        for host in self.workers:
            run("ip", "netns", "add", host.namespace)
            run(
                "ip",
                "link",
                "add",
                host.link,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                host.namespace,
            )
            run("ip", "link", "set", host.link, "master", "fleet0", "up")
            run(*host.inside("ip", "addr", "add", f"{host.address}/24", "dev", "eth0"))
            for interface in ("lo", "eth0"):
                run(*host.inside("ip", "link", "set", interface, "up"))
            run("ip", "netns", "exec", host.namespace, ROOT / "deploy/host-rule/dryrun-host-rule", "apply")
        for host in self.hosts.values():
            self.shut_to_strangers(host)

    def shut_to_strangers(self, host: Host) -> None:
        """Let only the fleet's hosts send to a host's swarm and VXLAN ports."""
        rule = run(ROOT / "deploy/fleet/peers", *(each.address for each in self.hosts.values()))
        subprocess.run(host.inside("nft", "-f", "-"), input=rule, text=True, check=True, timeout=30)

    def start_engine(self, host: Host) -> None:
        """Start a worker's engine, with this machine's images."""
        data = host.folder / "data"
        if not data.exists():
            data.mkdir()
            run(ROOT / "tests/support/linked-images", LAYERS, data)
        (host.folder / "engine.pid").unlink(missing_ok=True)
        with (host.folder / "engine.log").open("ab") as log:
            host.engine = subprocess.Popen(
                host.inside(
                    *("dockerd", "--config-file=/dev/null", "--bridge=none"),
                    *(
                        "--exec-opt",
                        "native.cgroupdriver=cgroupfs",
                        f"--cgroup-parent=/{os.environ['DRYRUN_OWN_ENGINE']}/{host.name}",
                    ),
                    *(f"--data-root={data}", f"--exec-root={host.folder}/exec"),
                    *(f"--pidfile={host.folder}/engine.pid", f"--host={host.docker_host}"),
                ),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._until(lambda: bool(host.docker("version")), f"the engine of {host.name}")

    def join(self) -> None:
        """Make the swarm."""
        here = ("--advertise-addr", self.manager.address, "--listen-addr", f"{self.manager.address}:2377")
        self.manager.docker("swarm", "init", *here)
        for host in self.workers:
            self.join_worker(host)

    def join_worker(self, host: Host) -> None:
        """Have another host join the swarm, as the manager that it may be."""
        role = "worker" if len(self.managers) == 1 else "manager"
        token = self.manager.docker("swarm", "join-token", "--quiet", role)
        join = ("swarm", "join", "--token", token, "--advertise-addr", host.address)
        host.docker(*join, "--listen-addr", f"{host.address}:2377", f"{self.manager.address}:2377")

    def start_guard(
        self, host: Host, allowlist: Path, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Start a host's guard, with more in its environment."""
        certs = self.certificates / host.name
        policy = host.folder / "policy.json"
        own = json.loads((certs / "policy.json").read_text())
        policy.write_text(json.dumps({**own, **self.policy, "encrypted_overlays": self.is_encrypted}))
        options = ["--listen", host.guard_url, "--tlsverify"]
        options += [f"--tls{name}={certs}/{file}.pem" for name, file in _TLS_FILES.items()]
        if host.name not in self.managers:
            options += ["--manager", self.manager.guard_url, "--manager-certs", str(certs / "manager")]
        guard = str(Path(sys.prefix) / "bin" / "docker-guard")
        command = [guard, "serve", "--docker", host.docker_host, "--policy", str(policy)]
        command += ["--allowlist", str(allowlist), *options]
        host.log.write_bytes(b"")
        if "LD_PRELOAD" in environment:
            with host.log.open("ab") as log:
                host.guard = subprocess.Popen(
                    host.inside(*command), stdout=log, stderr=log, env={**os.environ, **environment}
                )
        else:
            host.guard = FORGES.start(
                command, {**os.environ, **environment}, Path.cwd(), host.log, host.network
            )
        self._until(lambda: '"serving"' in host.log.read_text(), f"the guard of {host.name}")

    def ask(
        self, host: Host, method: str, path: str, body: Any = None, *, certs: Path | None = None
    ) -> tuple[int, Any]:
        """Ask a host's guard, by default as the orchestrator; return status and answer."""
        folder = certs or self.orchestrator_certs
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        connection = http.client.HTTPSConnection(host.address, GUARD_PORT, timeout=60, context=context)
        sent = None if body is None else json.dumps(body)
        try:
            connection.request(method, f"/v1.45{path}", sent, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(raw) if raw else None

    def fleet_file(self, **rooms: int) -> str:
        """Return the fleet file, the last manager first; `rooms` are containers of each host."""
        hosts = "".join(
            f"  {host.name}: {{guard: '{host.guard_url}', certificates: {self.orchestrator_certs}, "
            f"memory_mib: {512 * rooms.get(host.name, 60) or 1}, cpus: 100, sessions: 4}}\n"
            for host in self.hosts.values()
        )
        overlay = "encrypted" if self.is_encrypted else "plain"
        return f"managers: [{', '.join(reversed(self.managers))}]\noverlay: {overlay}\nhosts:\n{hosts}"

    def left_of(self, session_id: str) -> list[str]:
        """Return what the engines hold of a session, by host; a worker may forget an overlay later."""
        deadline = time.monotonic() + FORGET_SECONDS
        while left := self._held(session_id):
            forgotten_soon = all(
                kind == "overlay" and host.name not in self.managers for host, kind, _ in left
            )
            if not forgotten_soon or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return [f"{host.name}: {identity}" for host, _, identity in left]

    def _held(self, session_id: str) -> list[tuple[Host, str, str]]:
        """Return host, `container` or a network's driver, and id."""
        label = f"discovery.dryrun.session_id={session_id}"
        held = []
        for host in self.hosts.values():
            containers, networks = (host.with_label(kind, label) for kind in ("containers", "networks"))
            held += [(host, "container", found["Id"][:12]) for found in containers]
            held += [(host, found["Driver"], found["Id"][:12]) for found in networks]
        return held

    def make_certificates(self) -> None:
        """Make the certificates of all hosts, anew if there are any."""
        pairs = [f"{name}={address}" for name, address in self.addresses.items()]
        managers = ("--managers", str(len(self.managers)))
        run(ROOT / "deploy/fleet/certificates", *managers, self.certificates, *pairs)

    @contextmanager
    def encrypted(self, allowlist: Path) -> Iterator[None]:
        """Run the guards with encryption for the time of the block."""
        self.is_encrypted = True
        self.restart_guards(allowlist)
        try:
            yield
        finally:
            self.is_encrypted = False
            self.restart_guards(allowlist)

    def restart_guards(self, allowlist: Path) -> None:
        """Start every guard again, with the certificates and the policy of now."""
        for host in self.hosts.values():
            host.end_guard()
            self.start_guard(host, allowlist)

    # faults

    def cut(self, host: Host, *, off: bool) -> None:
        """Unplug a worker's cable, or plug it in again."""
        run("ip", "link", "set", host.link, "down" if off else "up")

    def end_engine(self, host: Host, number: signal.Signals) -> None:
        """End a worker's engine."""
        assert host.engine is not None
        host.engine.send_signal(number)
        host.engine.wait(60)

    def freeze_engine(self, host: Host, *, frozen: bool) -> None:
        """Stop an engine as a debugger does, or let it go on."""
        pid = int(Path("/run/docker.pid").read_text()) if host.engine is None else host.engine.pid
        os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    @staticmethod
    def end_containers(host: Host) -> None:
        """End the processes of all containers of a worker, as a failure of its power does."""
        folder = f"{os.environ['DRYRUN_OWN_ENGINE']}/{host.name}"
        # Below a controller in the first version of cgroups, at the top in the second.
        for place in (f"pids/{folder}", folder):
            for processes in Path("/sys/fs/cgroup").glob(f"{place}/**/cgroup.procs"):
                for pid in processes.read_text().split():
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)

    # the end

    def close(self) -> None:
        """End what runs. Namespaces, cables and files go with the namespaces of `with-own-engine`."""
        for host in self.hosts.values():
            host.end_guard()
        for host in self.workers:
            _end(host.engine)
        with suppress(AssertionError):
            self.manager.docker("swarm", "leave", "--force")
        for host in self.workers:
            with suppress(AssertionError):
                run("ip", "netns", "delete", host.namespace)
        with suppress(AssertionError):
            run("ip", "link", "delete", "fleet0")
        with suppress(AssertionError):
            run("iptables", "--delete", "FORWARD", "-i", "fleet0", "-o", "fleet0", "-j", "ACCEPT")

    def _until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            with suppress(AssertionError):
                if condition():
                    return
            assert time.monotonic() < deadline, f"{what} is not ready; see {self.folder}"
            time.sleep(0.1)


_TLS_FILES: Final = {"cacert": "ca", "cert": "cert", "key": "key"}


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@contextmanager
def open_fleet(folder: Path, allowlist: Path, managers: int = 1, **kind: Any) -> Iterator[FleetLab]:
    """Run a fleet of so many managers, 1 or 3, for the time of the block; `kind` is passed to `FleetLab`."""
    assert LAYERS.is_dir(), "run this inside of tests/support/with-own-engine"
    lab = FleetLab(folder, managers, **kind)
    with ExitStack() as exits:
        exits.callback(lab.close)
        lab.lay_underlay()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lab.start_engine, lab.workers))
            lab.join()
            list(pool.map(lambda host: lab.start_guard(host, allowlist), lab.hosts.values()))
        yield lab
