"""A session with all that its collectors reported, and the parts of a report that follow from it directly."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from approval_api.scoring.merging import Finding
from dryrun_contract.event import DiscoveryReported, Event, TargetHarmed
from dryrun_contract.report import CollectorRun, Harm, PhaseDuration, TargetImage
from dryrun_contract.session import Phase
from dryrun_contract.session_history import Run, SessionHistory


@dataclass
class ScannedSession(SessionHistory):
    """A session's history with every discovery and every harm; `read` takes events oldest first."""

    findings: list[Finding] = field(default_factory=list)
    harmed: list[Harm] = field(default_factory=list)

    def read(self, event: Event) -> bool:
        """Apply `event` and keep what it found or harmed."""
        if not super().read(event):
            return False
        match event.data:
            case DiscoveryReported(collector=collector, discovery=discovery):
                self.findings.append(Finding(collector, discovery))
            case TargetHarmed() as harm:
                self.harmed.append(Harm(**harm.model_dump(exclude={"type"}), at=event.at))
            case _:
                pass
        return True

    @property
    def has_scanned(self) -> bool:
        """Whether a collector is known to have started."""
        return any(run.started for run in self.runs.values())

    @property
    def claims(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return what each collector claims to report, of those whose manifest says so."""
        return {
            run.collector: run.started.claims
            for run in self.runs.values()
            if run.started is not None and run.started.claims is not None
        }

    def kinds_looked_for(self, collectors: Iterable[str]) -> frozenset[str] | None:
        """Return the kinds that these collectors, which are to run, can report, and those that they did.

        None, for all kinds, where one of them has not started, or nothing says what it discovers.
        """
        started = {run.collector: run.started for run in self.runs.values() if run.started is not None}
        kinds = {finding.discovery.kind for finding in self.counted_findings()}
        counted = 0
        for collector in {*collectors, *started}:
            known = started.get(collector)
            if known is None or known.provides is None:
                return None
            if known.purpose == "discovery":
                counted += 1
                kinds.update(known.provides)
        return frozenset(kinds) if counted else None

    def counted_findings(self) -> list[Finding]:
        """Return the findings of all collectors but those for comparison."""
        compared = {
            run.collector for run in self.runs.values() if run.started and run.started.purpose == "comparison"
        }
        return [finding for finding in self.findings if finding.collector not in compared]

    def durations(self) -> tuple[PhaseDuration, ...]:
        """Return the duration of each phase."""
        return tuple(
            PhaseDuration(phase=span.phase, started_at=span.started_at, seconds=span.seconds)
            for span in self.phases
            if span.phase is not Phase.ENDED
        )

    def collector_runs(self) -> tuple[CollectorRun, ...]:
        """Return every run whose start is known."""
        return tuple(filter(None, map(_collector_run, self.runs.values())))

    def images(self) -> tuple[TargetImage, ...]:
        """Return the image of every target that was created, by service."""
        return tuple(
            TargetImage(service=name, image=target.image, image_id=target.image_id, host=target.host)
            for name, target in sorted(self.targets.items())
            if target.image_id is not None
        )


def _collector_run(run: Run) -> CollectorRun | None:
    started, ended = run.started, run.ended
    if started is None:
        return None
    return CollectorRun(
        collector=run.collector,
        run=run.run,
        image=started.image,
        image_id=started.image_id,
        ended=ended is not None,
        complete=ended is not None and ended.complete,
        truncated=ended is not None and ended.truncated,
        discoveries=run.discoveries,
        warnings=run.warnings,
        warning_examples=tuple(run.warning_examples),
        lines=ended.lines if ended else None,
        exit_code=ended.exit_code if ended else None,
        reason=ended.reason if ended else None,
        seconds=run.seconds,
        config_digest=started.config_digest,
        purpose=started.purpose,
        claims=started.claims,
    )
