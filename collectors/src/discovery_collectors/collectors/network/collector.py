"""The collector `network`: hosts, services with product and version, TLS certificates; mostly by nmap.

A pipeline: what is found open is asked at once, while other ports are still being looked for.
"""

import asyncio
from functools import cache, partial
from typing import TYPE_CHECKING

from discovery_collectors.collector import Assignment, CollectorError, Emit
from discovery_collectors.collectors.network.held_ports import HeldPorts
from discovery_collectors.collectors.network.listening_ports import rarer_ports
from discovery_collectors.collectors.network.nmap_data import nmap_environment, port_names
from discovery_collectors.collectors.network.nmap_xml import Port
from discovery_collectors.collectors.network.port_search import PortSearch
from discovery_collectors.collectors.network.reports import Reports
from discovery_collectors.collectors.network.scan_profile import PROFILES, ScanProfile
from discovery_collectors.collectors.network.version_search import VersionSearch
from discovery_collectors.installed import tcp_ports
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import ScopedAddress

if TYPE_CHECKING:
    from discovery_collectors.collectors.network.follow_up import FollowUp

_SEARCH_SHARE = 0.65
"""Share of the packet rate for the search for ports; questions get 0.3, what the kernel sends the rest."""
_QUESTION_SHARE = 0.3
_AFTER_SEARCH_SHARE = 0.9
_PATIENCE_SECONDS = 5.0
"""How long an unlikely port waits for others, before a run of nmap asks them for their versions."""


async def collect(assignment: Assignment, emit: Emit) -> None:
    """Scan what the assignment's scope leaves open.

    Raises NmapError when nmap does not work; at the end when it only failed over versions.
    """
    profile = PROFILES[assignment.profile]
    try:
        with nmap_environment(
            rarer_ports(tcp_ports()),
            banner_wait_ms=profile.banner_wait_ms,
            answer_wait_ms=profile.answer_wait_ms,
            hurry=profile.hurry,
            packets_per_second=_part(assignment.max_rate, _QUESTION_SHARE),
        ) as environment:
            await _scan(assignment, profile, Reports(emit), environment)
    except BaseExceptionGroup as errors:
        failure: BaseException | None = errors.subgroup(CollectorError)
        if failure is None:
            raise
        # What runs side by side fails in groups, of groups where it began others.
        while isinstance(failure, BaseExceptionGroup):
            failure = failure.exceptions[0]
        raise failure from None


async def _scan(
    assignment: Assignment, profile: ScanProfile, reports: Reports, environment: dict[str, str]
) -> None:
    rate = PacketRate(_part(assignment.max_rate, _QUESTION_SHARE))

    @cache
    def follow_up() -> "FollowUp":
        # Imported while nmap waits for hosts: certificates and questions take as long as the rest together.
        from discovery_collectors.collectors.network.follow_up import FollowUp  # noqa: PLC0415

        # In a hurry nmap asks less than ten questions.
        return FollowUp(profile.patience, rate, reports, early_certificates=not profile.hurry)

    finished: set[ScopedAddress] = set()
    async with asyncio.TaskGroup() as group:

        def on_host(address: ScopedAddress) -> None:
            group.create_task(follow_up().ask_udp_ports(address))

        async def ask(address: ScopedAddress, ports: tuple[Port, ...]) -> None:
            # Questions follow each other fast, and a controller that nmap cannot name bears few of them.
            if not versions.is_controller(address):
                await follow_up().ask_services(address, ports)
            finished.add(address)
            if versions.closed:
                reports.done = len(finished)
                reports.progress("asking services for their versions")

        def on_versions(address: ScopedAddress, ports: tuple[Port, ...]) -> None:
            group.create_task(ask(address, ports))

        def on_silent(address: ScopedAddress, number: int) -> None:
            port = Port(number, port_names().get(number, ""))
            follow_up().ask_early(group, address, port, partial(versions.is_controller, address))

        def on_waiting(address: ScopedAddress, number: int) -> None:
            follow_up().read_certificate_early(group, address, number)

        options = ["--version-intensity", str(profile.intensity)]
        versions = VersionSearch(
            assignment, options, environment, rate, reports, on_versions, on_silent, on_waiting
        )
        held = HeldPorts(group, versions, rate, reports)
        search = PortSearch(assignment, environment, reports, on_host, held.add)
        group.create_task(versions.run())
        await _search(search, versions, assignment.max_rate, all_ports=profile.all_ports)
        rate.change(_part(assignment.max_rate, _AFTER_SEARCH_SHARE))
        finished.update(search.hosts_without_ports())
        await held.settled()
        versions.close()
    await follow_up().ask_held(versions.open_ports)
    if versions.failure is not None:
        raise versions.failure
    reports.done = len(search.hosts)
    reports.progress("network scanned")


async def _search(search: PortSearch, versions: VersionSearch, rate: int | None, *, all_ports: bool) -> None:
    await search.search_likely_ports(_part(rate, _SEARCH_SHARE))
    if all_ports:
        versions.patience_seconds = _PATIENCE_SECONDS
        await search.search_other_ports(_part(rate, _SEARCH_SHARE))


def _part(max_rate: int | None, share: float) -> int | None:
    return None if max_rate is None else max(1, int(max_rate * share))
