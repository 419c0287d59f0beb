"""Events as sentences, one line each, for pipes, logs and `dryrun events`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import JsonValue

from dryrun_cli.drawing.moments import clock_time
from dryrun_cli.drawing.safe_text import inert
from dryrun_contract import event as words
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import Event
from dryrun_contract.kinds import COMPARISONS, KINDS
from dryrun_contract.resource_key import ResourceKey
from dryrun_contract.session_history import Notice
from dryrun_contract.text import byte_count, counted

LINE_LIMIT: Final = 400


def place(key: str, addresses: Mapping[str, str]) -> str:
    """Return `key` with the service's name in place of its address, where it is known."""
    try:
        parsed = ResourceKey.parse(key)
    except ValueError:
        return key
    service = addresses.get(str(parsed.address or parsed.host))
    return str(parsed.on(service)) if service else key


def summary_of(discovery: Discovery) -> str:
    """Return what was found at that place in a few words, e.g. product and version."""
    shown = KINDS[discovery.kind].shown if discovery.kind in KINDS else ()
    return " ".join(filter(None, (_in_words(name, discovery.data.get(name)) for name in shown)))


def _in_words(attribute: str, value: JsonValue) -> str:
    if COMPARISONS.get(attribute) == "names":
        return counted(len(value), attribute.removesuffix("s")) if isinstance(value, list) else ""
    return "" if value is None else str(value)


HARM_WORDS: Final = {"died": "died", "unhealthy": "became unhealthy", "out_of_memory": "ran out of memory"}


def harm_sentence(data: words.TargetHarmed) -> str:
    """Return what happened to a target, and which collectors ran at that moment."""
    during = f" while {' and '.join(data.during)} ran" if data.during else ""
    return f"{data.service} {HARM_WORDS[data.harm]}{during}: {data.detail}"


def incomplete_sentence(data: words.CollectorEnded) -> str:
    """Return why a collector's result is incomplete."""
    if data.truncated:
        why = data.reason or "its output reached the ceiling and the rest was not read"
    else:
        why = data.reason or "it ended without its end line"
    exit_code = f" (exit code {data.exit_code})" if data.exit_code else ""
    return f"{data.collector} is incomplete: {why}{exit_code}"


def notice_text(notice: Notice) -> str:
    """Return a notice in plain words; hostile until made inert."""
    match notice.about:
        case words.PhaseChanged(reason=reason):
            return reason or ""
        case words.IsolationProbed(detail=detail):
            return f"The network is not isolated from the host: {detail}"
        case words.TargetHarmed() as harmed:
            return harm_sentence(harmed)
        case words.CollectorWarned() as warned:
            return warning_sentence(warned)
        case words.CollectorEnded() as ended:
            return incomplete_sentence(ended)


def warning_sentence(data: words.CollectorWarned) -> str:
    """Return a collector's warning with its name and line."""
    return f"{data.collector}, line {data.line}: {data.message}"


def narrate(event: Event, addresses: Mapping[str, str]) -> str:
    """Return one inert line without its time; `addresses` maps addresses to services."""
    return _line(*_NARRATORS[type(event.data)](event.data, addresses))


def narrate_unknown(raw: Mapping[str, JsonValue]) -> str:
    """Return a line for an event of a type that this version does not know."""
    data = raw.get("data")
    kind = data.get("type") if isinstance(data, dict) else None
    return _line("event", f"{kind or 'of an unknown type'} (not known to this version of dryrun)")


def _line(subject: str, text: str) -> str:
    return f"{inert(subject):<10} {inert(text, LINE_LIMIT)}".rstrip()


type _Line = tuple[str, str]
"""Subject and text."""
type _Addresses = Mapping[str, str]


def _queued(data: words.SessionQueued, _addresses: _Addresses) -> _Line:
    seed = f", seed {data.seed}" if data.seed else ""
    keep = ", kept after the scan" if data.keep else ""
    ahead = f", prepared ahead at {clock_time(data.prepared_at)}" if data.prepared_at else ""
    scan = f"; {data.scan.in_words}" if not data.scan.is_empty else ""
    return "session", f"queued: template {data.template}{seed}{keep}, requested by {data.actor}{ahead}{scan}"


def _phase(data: words.PhaseChanged, _addresses: _Addresses) -> _Line:
    name = data.phase.value.replace("_", " ")
    return "phase", f"{name}: {data.reason}" if data.reason else name


def _placed(data: words.SessionPlaced, _addresses: _Addresses) -> _Line:
    plain = "; traffic between hosts is not encrypted" if data.encrypted is False else ""
    return "hosts", f"{data.reason}{plain}"


def _network(data: words.NetworkCreated, _addresses: _Addresses) -> _Line:
    return (
        "network",
        f"{data.name} ({data.subnet}) created; removed by {clock_time(data.expires_at)} at the latest",
    )


def _probed(data: words.IsolationProbed, _addresses: _Addresses) -> _Line:
    found = "isolated" if data.isolated else "NOT ISOLATED from the host"
    return "network", f"{found}: {data.detail}"


def _target(data: words.TargetChanged, _addresses: _Addresses) -> _Line:
    detail = f": {data.detail}" if data.detail else ""
    host = f" on {data.host}" if data.host else ""
    return "target", f"{data.service} {data.state}{host} ({data.image}){detail}"


def _mapped(data: words.AddressesMapped, _addresses: _Addresses) -> _Line:
    return "network", ", ".join(f"{service} is {address}" for address, service in data.addresses.items())


def _harmed(data: words.TargetHarmed, _addresses: _Addresses) -> _Line:
    return "HARM", harm_sentence(data)


def _collector_started(data: words.CollectorStarted, _addresses: _Addresses) -> _Line:
    return "collector", f"{data.collector} started ({data.image})"


def _progressed(data: words.CollectorProgressed, _addresses: _Addresses) -> _Line:
    share = f" {data.done} of {data.total}" if data.total is not None else ""
    if data.total is None and (data.done or not data.message):
        share = f" {data.done} done"
    return "collector", f"{data.collector}{share}" + (f": {data.message}" if data.message else "")


def _discovered(data: words.DiscoveryReported, addresses: _Addresses) -> _Line:
    found = data.discovery
    what = summary_of(found)
    return "found", f"{found.kind} {place(found.key, addresses)}" + (f" ({what})" if what else "")


def _warned(data: words.CollectorWarned, _addresses: _Addresses) -> _Line:
    return "warning", warning_sentence(data)


def _collector_ended(data: words.CollectorEnded, _addresses: _Addresses) -> _Line:
    if not data.complete or data.truncated:
        return "warning", incomplete_sentence(data)
    warnings = f", {counted(data.warnings, 'warning')}" if data.warnings else ""
    return (
        "collector",
        f"{data.collector} finished: {counted(data.discoveries, 'discovery', 'discoveries')}{warnings}",
    )


def _traffic(data: words.TrafficMeasured, _addresses: _Addresses) -> _Line:
    packets = sum(target.rx_packets for target in data.targets.values())
    received = sum(target.rx_bytes for target in data.targets.values())
    least = "at least " if any(target.at_least for target in data.targets.values()) else ""
    return "traffic", (
        f"targets received {least}{packets:,} packets, {byte_count(received)}; "
        f"peak {data.peak_packets_per_second:,.0f} packets/s on one target"
    )


def _logs(data: words.TargetLogsMeasured, _addresses: _Addresses) -> _Line:
    lines = sum(target.lines for target in data.targets.values())
    least = "at least " if any(target.truncated or target.note for target in data.targets.values()) else ""
    return "logs", f"the scan left {least}{counted(lines, 'line')} in the logs of its targets"


def _traced(data: words.BringUpTraced, _addresses: _Addresses) -> _Line:
    ready = max((span.begin + span.seconds for span in data.spans), default=0.0)
    return "session", f"all targets were ready {ready:.1f} s after the request"


def _refused(data: words.EventRefused, _addresses: _Addresses) -> _Line:
    return "warning", f"an event of the type {data.claimed_type} was not stored: {data.reason}"


def _ended(data: words.SessionEnded, _addresses: _Addresses) -> _Line:
    return "session", f"ended: {data.outcome.value}" + (f": {data.reason}" if data.reason else "")


_NARRATORS: Final[Mapping[type, Callable[[Any, _Addresses], _Line]]] = {
    words.SessionQueued: _queued,
    words.PhaseChanged: _phase,
    words.SessionPlaced: _placed,
    words.NetworkCreated: _network,
    words.IsolationProbed: _probed,
    words.TargetChanged: _target,
    words.AddressesMapped: _mapped,
    words.TargetHarmed: _harmed,
    words.CollectorStarted: _collector_started,
    words.CollectorProgressed: _progressed,
    words.DiscoveryReported: _discovered,
    words.CollectorWarned: _warned,
    words.CollectorEnded: _collector_ended,
    words.TrafficMeasured: _traffic,
    words.TargetLogsMeasured: _logs,
    words.BringUpTraced: _traced,
    words.EventRefused: _refused,
    words.SessionEnded: _ended,
}
