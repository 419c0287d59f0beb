"""What asking the orchestrator may raise: a refusal, no answer, or a page of events that cannot be stored."""

from approval_api.orchestrator.page_head import PageHead
from approval_api.web.problems import ProblemError
from dryrun_contract.problem import Problem


class OrchestratorError(ProblemError):
    """The orchestrator did not do what was asked; whoever does not catch it answers it as a problem."""

    reason: str

    def __str__(self) -> str:
        """Return the reason alone, without what a client is told to do."""
        return self.reason


class OrchestratorUnavailableError(OrchestratorError):
    """It does not answer, or not by the contract; this may heal. A client gets a 503 problem."""

    def __init__(self, reason: str) -> None:
        """Keep the `reason`."""
        super().__init__(
            "orchestrator-unavailable",
            503,
            f"{reason}. Stored sessions and reports stay readable; try again in a moment",
            title="The orchestrator is not available",
            headers={"Retry-After": "5"},
        )
        self.reason = reason


class OrchestratorRefusedError(OrchestratorError):
    """It refused the request; repeating it does not help. A client gets the orchestrator's own problem."""

    def __init__(self, problem: Problem) -> None:
        """Pass `problem` on."""
        super().__init__("passed-on", problem.status, problem.detail, title=problem.title)
        self.problem = problem
        self.reason = problem.detail


class PageRefusedError(Exception):
    """A page of events that cannot be stored; the text says why."""

    def __init__(self, reason: str, head: PageHead | None) -> None:
        """Keep the head of the page's first event; None when not even that can be read."""
        super().__init__(reason)
        self.head = head
