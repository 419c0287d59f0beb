"""Which packet rate an experiment recommends: the highest at which nothing is lost and nothing harmed. Pure.

Definitions: docs/scoring.md, "Rate sweeps".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from approval_api.experiments.contrast import FALSE_CLAIMS, FactName, Tally, tallies_of
from approval_api.experiments.measure import Measured
from approval_api.experiments.runs import Run, by_network, counts_of, mean_of, recall, rows_of
from approval_api.experiments.statistics import Share, benjamini_hochberg, fisher_exact, interval
from dryrun_contract.experiment import ExperimentRequest
from dryrun_contract.experiment_results import RatePoint, RateSweep
from dryrun_contract.side_effects import SIDE_EFFECTS
from dryrun_contract.text import counted

FEWEST_RUNS = 4
"""With fewer runs, a fact that is always lost cannot be distinguished from chance."""
TOLERATED_MISSES = 0.05
"""The share of runs that may miss a fact that a rate is still said to find."""
_CONFIDENCE = 0.95
_NAMED = 3


def rate_sweeps(request: ExperimentRequest, runs: Mapping[str, Sequence[Run]]) -> tuple[RateSweep, ...]:
    """Return a sweep for each way to scan that was tried at several rates; `runs` are by arm."""
    series: dict[str, dict[int, Sequence[Run]]] = {}
    arms = request.arms()
    for arm in arms:
        rate = arm.scan.max_rate
        if rate is not None and len(request.rates) > 1:
            name = arm.name.removesuffix(f"{rate}/s").strip() or "as installed"
            series.setdefault(name, {})[rate] = runs[arm.name]
    planned = request.sessions // len(arms)
    return tuple(_sweep(name, dict(sorted(by_rate.items())), planned) for name, by_rate in series.items())


def _sweep(name: str, by_rate: Mapping[int, Sequence[Run]], planned: int) -> RateSweep:
    tallies = {rate: tallies_of(runs) for rate, runs in by_rate.items() if runs}
    points = tuple(_point(rate, by_rate[rate], tallies, planned) for rate in tallies)
    harming = [point.rate for point in points if point.state == "harms"]
    safe = [
        point.rate
        for point in points
        # Harm at a slower rate was no accident of slowness: a faster one was only lucky.
        if point.state == "safe" and not any(rate < point.rate for rate in harming)
    ]
    settled = {point.rate for point in points if point.state != "uncertain"}
    # A rate whose sessions all failed has no point and is as open as an uncertain one.
    open_ones = [rate for rate in by_rate if rate not in settled and not any(each < rate for each in harming)]
    if safe:
        verdict: Literal["recommended", "none_safe", "too_few_repetitions"] = "recommended"
    else:
        verdict = "none_safe" if points and not open_ones else "too_few_repetitions"
    recommended = max(safe, default=None)
    beyond = next(
        (
            point
            for point in points
            if recommended is not None and point.rate > recommended and point.state in ("harms", "loses")
        ),
        None,
    )
    trials = next((point.runs for point in points if point.rate == recommended), None)
    # Of n sessions none was harmed: the chance of harm lies below 1 - 0.05^(1/n) (Clopper and Pearson).
    chance = None if trials is None else 1 - (1 - _CONFIDENCE) ** (1 / trials)
    return RateSweep(
        name=name,
        points=points,
        verdict=verdict,
        recommended=recommended,
        beyond=None if beyond is None else beyond.rate,
        harm_chance_at_most=chance,
        sentence=_sentence(points, verdict, recommended, beyond, chance, fastest=max(by_rate)),
    )


def _point(
    rate: int, runs: Sequence[Run], tallies: Mapping[int, Mapping[FactName, Tally]], planned: int
) -> RatePoint:
    networks = by_network(runs)
    lost, unclear = _lost(rate, tallies)
    harmful = sum(_incidents(run.measured) > 0 for run in runs)
    doubts = tuple(_doubts(runs, tallies[rate], planned))
    state: Literal["safe", "harms", "loses", "uncertain"] = "safe"
    if harmful:
        state = "harms"
    elif lost:
        state = "loses"
    elif unclear or doubts:
        state = "uncertain"
    return RatePoint(
        rate=rate,
        arm=runs[0].arm,
        runs=len(runs),
        recall=interval([_recall(network) for network in networks]),
        seconds=interval([mean_of(network, lambda each: each.seconds) for network in networks]),
        harm=interval([mean_of(network, _incidents) for network in networks]),
        harmful=harmful,
        lost=len(lost),
        unclear=len(unclear),
        state=state,
        reason="; ".join([*_reasons(runs, lost, unclear), *doubts]),
    )


def _incidents(measured: Measured) -> int:
    """Return how often something was harmed: targets that died or turned unhealthy, and side effects."""
    return measured.harmed + sum(filter(None, measured.side_effects.values()))


def _recall(runs: Sequence[Run]) -> Share:
    things = [row for row in rows_of(runs) if row[1] is None]
    return recall(counts_of(run, row) for run in runs for row in things)


def _lost(
    rate: int, tallies: Mapping[int, Mapping[FactName, Tally]]
) -> tuple[list[FactName], list[FactName]]:
    """Return the facts that another rate finds and this one misses: surely, and perhaps by chance."""
    candidates: list[tuple[FactName, float]] = []
    for name, own in sorted(tallies[rate].items()):
        if _is_found(own):
            continue
        sure = Tally()
        for other in tallies.values():
            if (there := other.get(name)) is not None and _is_found(there):
                sure.found += there.found
                sure.of += there.of
        if sure.of:
            candidates.append((name, fisher_exact(sure.found, sure.of, own.found, own.of)))
    rejected = benjamini_hochberg([chance for _, chance in candidates], FALSE_CLAIMS)
    lost = [name for (name, _), clear in zip(candidates, rejected, strict=True) if clear]
    return lost, [name for name, _ in candidates if name not in lost]


def _is_found(tally: Tally) -> bool:
    """Return whether a fact was found in nearly all runs that could see it."""
    return tally.of > 0 and tally.of - tally.found <= TOLERATED_MISSES * tally.of


def _doubts(runs: Sequence[Run], tallies: Mapping[FactName, Tally], planned: int) -> Iterator[str]:
    """Yield why too little is known of a rate to call it safe."""
    whole = f"of {counted(len(runs), 'session')}"
    if unknown := sum(not _side_effects_known(run.measured) for run in runs):
        yield f"side effects not known in {unknown} {whole}"
    if cut := sum(not run.measured.complete for run in runs):
        yield f"scan cut short in {cut} {whole}"
    if partial := sum(run.measured.facts_left_out > 0 for run in runs):
        yield f"too many facts to keep all in {partial} {whole}"
    if not any(tally.found for tally in tallies.values()):
        yield "no fact was found"
    if len(runs) < planned:
        # A session that failed, perhaps by what the scan did to it, has no scores.
        yield f"{len(runs)} of {counted(planned, 'session')} measured"
    if len(runs) < FEWEST_RUNS:
        yield f"it takes {counted(FEWEST_RUNS, 'session')}, not {len(runs)}"


def _side_effects_known(measured: Measured) -> bool:
    return measured.logs_read and None not in measured.side_effects.values()


def _reasons(runs: Sequence[Run], lost: Sequence[FactName], unclear: Sequence[FactName]) -> Iterator[str]:
    whole = f"of {counted(len(runs), 'session')}"
    if harmed := sum(run.measured.harmed > 0 for run in runs):
        yield f"targets harmed in {harmed} {whole}"
    for name in SIDE_EFFECTS:
        if happened := sum(bool(run.measured.side_effects.get(name)) for run in runs):
            yield f"{name.replace('_', ' ')} in {happened} {whole}"
    if lost:
        yield f"{len(lost)} lost: {_named(lost)}"
    if unclear:
        yield f"{len(unclear)} perhaps lost: {_named(unclear)}"


def _named(facts: Sequence[FactName]) -> str:
    shown = [f"{kind} {key[:80]}{f' {attribute}' if attribute else ''}" for _, kind, key, attribute in facts]
    more = len(shown) - _NAMED
    return ", ".join(shown[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _sentence(
    points: Sequence[RatePoint],
    verdict: str,
    recommended: int | None,
    beyond: RatePoint | None,
    chance: float | None,
    *,
    fastest: int,
) -> str:
    if recommended is None or chance is None:
        if verdict == "none_safe":
            slowest = points[0]
            return f"no rate in this sweep is safe; at {slowest.rate:,}/s: {_reason(points)}"
        return f"none is proved safe: {_doubt(points, above=0)}"
    trials = next(point.runs for point in points if point.rate == recommended)
    sure = (
        f"nothing lost and nothing harmed in {counted(trials, 'session')}, "
        f"which leaves a chance of harm of up to {100 * chance:.0f} % in a session"
    )
    if beyond is not None:
        margin = (
            f"{beyond.rate:,}/s, {beyond.rate / recommended:.3g} times as fast, is too much: {beyond.reason}"
        )
    elif recommended == fastest:
        margin = "no faster one was tried"
    else:
        margin = f"no faster one is proved safe: {_doubt(points, above=recommended)}"
    return f"{recommended:,} packets/s: {sure}; {margin}"


def _doubt(points: Sequence[RatePoint], *, above: int) -> str:
    """Return what is not known of the slowest rate above this one that is uncertain."""
    open_ones = (point for point in points if point.rate > above and point.state == "uncertain")
    return next((f"at {point.rate:,}/s: {point.reason}" for point in open_ones), "no session was measured")


def _reason(points: Sequence[RatePoint]) -> str:
    return next((point.reason for point in points if point.state in ("harms", "loses")), "")
