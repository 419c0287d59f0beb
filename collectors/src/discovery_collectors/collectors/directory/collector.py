"""The collector `directory`: naming contexts of LDAP, shares of SMB, zones of DNS that anybody may copy."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Network

from pydantic import JsonValue

from discovery_collectors.collector import Assignment, Emit
from discovery_collectors.collectors.directory.dns_zones import DnsError, Name, Zone, possible_zones
from discovery_collectors.collectors.directory.ldap_root import MAX_CONTEXTS, LdapError, read_root
from discovery_collectors.collectors.directory.ntlm import Anonymous, WithPassword
from discovery_collectors.collectors.directory.smb_messages import SmbError
from discovery_collectors.collectors.directory.smb_session import FileServer, SmbRefusedError, list_shares
from discovery_collectors.collectors.directory.zone_search import ZoneSearch
from discovery_collectors.running.bounds import first, more_than
from discovery_collectors.running.scope import OutOfScopeError, Scope
from discovery_collectors.running.server_time import ServerTime
from discovery_collectors.running.services import KnownService, ReportedService, known_services
from dryrun_contract.discovery import Discovery
from dryrun_contract.resource_key import ResourceKey

type _Look = Callable[[KnownService, ServerTime], Awaitable[None]]

_SERVICES_AT_ONCE = 8
_SERVICE_SECONDS = 120
"""The longest one service may take, whatever it holds or pretends to hold, without the pauses that a packet
rate requires."""
_PACKETS_PER_SERVICE = 40
_TEXT_CHARACTERS = 300


def prepare() -> None:
    """Import what only SMB servers need."""
    importlib.import_module("spnego")


async def collect(assignment: Assignment, emit: Emit) -> None:
    """List what the directories among the discoveries show every client; others are left alone.

    LDAP and SMB come first: they name domains whose zones DNS servers are asked for.
    """
    run = _Run(assignment, emit)

    def known(wanted: Callable[[ReportedService], bool]) -> list[KnownService]:
        return list(known_services(assignment.discoveries, assignment.scope, emit, wanted))

    ldap, smb = known(_is_ldap), known(_is_smb)
    # A name server mostly answers by TCP and UDP, and is one.
    dns = {(service.address, service.port): service for service in known(_is_dns)}
    run.total = len(ldap) + len(smb) + len(dns)
    wanted = "1 directory" if run.total == 1 else f"{run.total} directories"
    emit.progress(0, run.total, f"{wanted} to inspect")
    await run.each(
        [(run.inspect_ldap, service) for service in ldap] + [(run.inspect_smb, service) for service in smb]
    )
    await run.each([(run.inspect_dns, service) for service in dns.values()])


def _is_ldap(service: ReportedService) -> bool:
    return service.key.transport == "tcp" and (
        service.name in {"ldap", "ldaps"} or (service.guessed and service.key.port in {389, 636})
    )


def _is_smb(service: ReportedService) -> bool:
    # nmap calls both of SMB's ports netbios-ssn; the other one speaks NetBIOS first.
    named = service.name in {"microsoft-ds", "netbios-ssn", "smb"}
    return service.key.transport == "tcp" and service.key.port != 139 and (named or service.key.port == 445)


def _is_dns(service: ReportedService) -> bool:
    return service.name in {"domain", "dns"} or (service.guessed and service.key.port == 53)


class _Run:
    """What one run knows so far."""

    def __init__(self, assignment: Assignment, emit: Emit) -> None:
        self._assignment = assignment
        self._emit = emit
        self._names: set[str] = set(_names_in(assignment.discoveries))
        """Host and domain names that servers gave; possible zones are derived from them."""
        self._networks = (*assignment.scope.targets, *_networks_in(assignment.discoveries, assignment.scope))
        rate = assignment.max_rate
        self._slots = asyncio.Semaphore(_SERVICES_AT_ONCE if rate is None else 1)
        self._done = 0
        self.total = 0

    async def each(self, looks: Iterable[tuple[_Look, KnownService]]) -> None:
        """Inspect services side by side; one that fails spoils no other."""

        async def one(look: _Look, service: KnownService) -> None:
            server_time = ServerTime(_SERVICE_SECONDS, self._assignment.max_rate)
            async with self._slots:
                try:
                    async with server_time.running():
                        await look(service, server_time)
                except (LdapError, SmbError, DnsError) as error:
                    # Where only the port suggested a directory, this is no failure.
                    if not service.reported.guessed:
                        self._emit.warning(f"{service.key}: {error}")
                except TimeoutError:
                    self._emit.warning(f"{service.key}: stopped after {_SERVICE_SECONDS} s")
                except Exception as error:  # noqa: BLE001  # a hostile server makes a library fail in any way
                    self._emit.warning(f"{service.key}: its answers make no sense ({type(error).__name__})")
                await server_time.pause(_PACKETS_PER_SERVICE)
            self._done += 1
            self._emit.progress(self._done, self.total, f"{service.key} inspected")

        async with asyncio.TaskGroup() as group:
            for look, service in looks:
                group.create_task(one(look, service))

    async def inspect_ldap(self, service: KnownService, _time: ServerTime) -> None:
        """Read the root entry."""
        root = await read_root(service.address, service.port, tls=service.reported.tls)
        names = {"product": root.vendor, "version": root.version, "hostname": root.host}
        self._report_service(service, names)
        self._names.add(root.host)
        for context in first(root.contexts, MAX_CONTEXTS, "naming contexts", self._warner(service)):
            name = ",".join(part.strip() for part in context.casefold().split(","))
            self._names.add(_domain_of(name))
            if name:
                data: dict[str, JsonValue] = {"vendor": root.vendor} if root.vendor else {}
                self._report("directory", service, name, data)

    async def inspect_smb(self, service: KnownService, _time: ServerTime) -> None:
        """List shares anonymously; where that is refused, with each credential for SMB once."""
        refusal = ""
        try:
            server = await list_shares(service.address, service.port, Anonymous())
        except SmbRefusedError as error:
            refusal = str(error)
            tried: set[str | None] = set()
            for login in self._assignment.credentials:
                # Of several with one user name only the first: repeated wrong passwords lock accounts.
                if login.engine != "smb" or login.username in tried:
                    continue
                if not login.may_be_shown(service.address, in_clear=False):
                    continue
                tried.add(login.username)
                try:
                    server = await list_shares(
                        service.address, service.port, WithPassword(login, service.address)
                    )
                except SmbRefusedError as again:
                    refusal = str(again)
                else:
                    break
            else:
                access = "refused" if tried else "no credential"
                self._report_service(service, {"access": access, "reason": refusal})
                return
        self._report_shares(service, server)

    def _report_shares(self, service: KnownService, server: FileServer) -> None:
        names = server.names
        self._names |= {names.dns_computer, names.dns_domain}
        self._report_service(
            service,
            {
                "access": "granted",
                "dialect": server.dialect,
                "signing": "required" if server.signing_required else "optional",
                "hostname": names.computer,
            },
        )
        for share in server.shares:
            data: dict[str, JsonValue] = {"type": share.kind}
            if share.special:
                data["special"] = True
            self._report("share", service, share.name, data)
        if not server.all_shares:
            self._warner(service)(more_than(len(server.shares), "shares"))

    async def inspect_dns(self, service: KnownService, server_time: ServerTime) -> None:
        """Ask for a copy of every zone that the server holds, of those that some name suggests."""
        address, port = service.address, service.port

        def report(zone: Name, copy: Zone) -> None:
            data: dict[str, JsonValue] = {"records": copy.records}
            if not copy.complete:
                data["more"] = True
            name = zone.to_text(omit_final_dot=True).lower()
            self._report("dns_zone", service, name, data)

        search = ZoneSearch(address, port, server_time, report, self._warner(service))
        self._names.add(await search.own_name())
        await search.run(possible_zones(sorted(self._names), self._networks))

    def _warner(self, service: KnownService) -> Callable[[str], None]:
        return lambda message: self._emit.warning(f"{service.key}: {message}")

    def _report_service(self, service: KnownService, data: dict[str, str]) -> None:
        texts: dict[str, JsonValue] = {name: text[:_TEXT_CHARACTERS] for name, text in data.items() if text}
        if texts:
            self._emit.discovery("service", str(service.key), texts, 0.95)

    def _report(self, kind: str, service: KnownService, name: str, data: dict[str, JsonValue]) -> None:
        if len(name) > _TEXT_CHARACTERS:
            self._warner(service)(
                f"a {kind} is reported by the first {_TEXT_CHARACTERS} characters of its name"
            )
        # A lone surrogate cannot be written as UTF-8, and so in no JSON that others read.
        text = name[:_TEXT_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
        key = ResourceKey(service.address, service.port, "tcp", (text,))
        self._emit.discovery(kind, str(key), data)


def _domain_of(context: str) -> str:
    """Return the domain that a naming context is named after (RFC 2247), empty when it is another."""
    parts = [part.partition("=") for part in context.split(",")]
    return ".".join(value for kind, _, value in parts if kind.strip() == "dc")


def _networks_in(discoveries: Iterable[Discovery], scope: Scope) -> Iterator[IPv4Network]:
    """Yield the networks of 256 addresses in which something was found: reverse zones are mostly theirs."""
    hosts = {ResourceKey.parse(discovery.key).host for discovery in discoveries}
    addresses = []
    for host in hosts:
        with suppress(OutOfScopeError):
            addresses.append(scope.admit(host))
    yield from sorted({IPv4Network(f"{address}/24", strict=False) for address in addresses})


def _names_in(discoveries: Iterable[Discovery]) -> Iterator[str]:
    """Yield the host names that services and certificates gave."""
    for discovery in discoveries:
        data = discovery.data
        if discovery.kind == "service" and isinstance(data.get("hostname"), str):
            yield str(data["hostname"])
        if discovery.kind == "certificate" and isinstance(names := data.get("names"), list):
            yield from map(str, names)
