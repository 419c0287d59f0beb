"""Reduces a scored rehearsal to what a forecast is computed from."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from approval_api.scoring.places import canonical
from approval_api.scoring.values import has_value
from dryrun_contract.event import LogPattern
from dryrun_contract.ground_truth import Fact
from dryrun_contract.observation import MAX_PLACES, MAX_SPELLING, Observation, SeenService, SeenTarget, Tally
from dryrun_contract.report import Report
from dryrun_contract.resource_key import ResourceKey
from dryrun_contract.scores import Scores
from dryrun_contract.template import StandsFor


def observe(facts: Iterable[Fact], known: StandsFor | None, report: Report) -> Observation | None:
    """Return what a forecast keeps of a report; None without scores, or if it stands for no counted network.

    `facts` are those of the ground truth that the scored collectors look for, `known` is the network.
    """
    if report.scores is None or known is None or known.census is None:
        return None
    own = [run for run in report.collectors if run.purpose == "discovery"]
    judged = _judge(facts, report.scores)
    return Observation(
        template=report.template.id,
        census=known.census,
        hosts=known.hosts,
        scan=report.session.scan,
        collectors=tuple(sorted({run.collector for run in own})),
        seconds=report.scan_seconds(),
        complete=all(run.complete for run in own),
        targets={
            target: _with_costs(judged.get(target, SeenTarget(found=False)), target, report)
            for host_class in known.census.classes
            for target in host_class.targets
        },
    )


def _judge(facts: Iterable[Fact], scores: Scores) -> dict[str, SeenTarget]:
    """Return what was found on each target; a fact that could not be evaluated counts neither way."""
    reported = {(each.kind, each.key): each.data for each in scores.found}
    wrong = {(each.kind, each.key, each.attribute) for each in scores.wrong_values}
    hidden = {(each.kind, each.key) for each in scores.not_evaluable}
    hosts: dict[str, bool] = {}
    services: defaultdict[str, dict[str, SeenService]] = defaultdict(dict)
    tallies: defaultdict[str, dict[tuple[str, str | None], list[int]]] = defaultdict(dict)

    for fact in facts:
        place = fact.kind, canonical(fact.key)
        if place in hidden:
            continue
        key = ResourceKey.parse(place[1])
        values = reported.get(place)
        right = {
            attribute: values is not None
            and has_value(values.get(attribute))
            and (*place, attribute) not in wrong
            for attribute, expected in fact.data.items()
            if has_value(expected)
        }
        if fact.kind == "host":
            hosts[key.host] = values is not None
        elif fact.kind == "service" and len(services[key.host]) < MAX_PLACES:
            services[key.host][f"{key.port}/{key.transport}"] = SeenService(
                found=values is not None,
                identified=right.get("product"),
                called=_called(values) if right.get("product") else None,
            )
        else:
            _count(tallies[key.host], fact.kind, None, found=values is not None)
        for attribute, is_right in right.items():
            if (fact.kind, attribute) != ("service", "product"):
                _count(tallies[key.host], fact.kind, attribute, found=is_right)
    return {
        target: SeenTarget(
            found=hosts.get(target, any(each.found for each in services[target].values())),
            services=services[target],
            inside=tuple(
                Tally(kind=kind, attribute=attribute, found=found, of=of)
                for (kind, attribute), (found, of) in sorted(tallies[target].items(), key=str)
            ),
        )
        for target in [*hosts, *(services.keys() - hosts.keys())]
    }


def _count(
    tallies: dict[tuple[str, str | None], list[int]], kind: str, attribute: str | None, *, found: bool
) -> None:
    tally = tallies.setdefault((kind, attribute), [0, 0])
    tally[0] += found
    tally[1] += 1


def _called(values: Mapping[str, object] | None) -> str | None:
    product = (values or {}).get("product")
    return product.strip()[:MAX_SPELLING] or None if isinstance(product, str) else None


def _with_costs(seen: SeenTarget, target: str, report: Report) -> SeenTarget:
    traffic = report.traffic.targets.get(target) if report.traffic else None
    logs = (report.logs or {}).get(target)

    def counted(pattern: LogPattern) -> int | None:
        return None if logs is None else logs.counts.get(pattern)

    return seen.model_copy(
        update={
            "packets": traffic and traffic.rx_packets,
            "bytes": traffic and traffic.rx_bytes,
            "answers": traffic and traffic.tx_packets,
            "connections": counted("connections"),
            "failed_logins": counted("failed_logins"),
            "log_lines": None if logs is None else logs.lines,
            "log_read_in_part": logs is not None and logs.is_partial,
            "harmed": any(harm.service == target for harm in report.harmed),
        }
    )
