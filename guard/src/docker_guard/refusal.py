"""The one way to say no: a rule's name, a reason for the person who reads it, a status for the client."""

_LONGEST = 300


class Refusal(Exception):  # noqa: N818 - it is a verdict, not a failure
    """A request that is not let through; nothing of it reached the engine."""

    def __init__(self, rule: str, reason: str, status: int = 403, *, on_record: str = "") -> None:
        """Take what the client is told, and what only the evidence says beside it."""
        super().__init__(reason)
        self.rule = rule
        self.reason = reason
        self.status = status
        self.on_record = on_record

    @property
    def message(self) -> str:
        """Return the text for the client. A 404 reads as the engine's own, so that it tells nothing more."""
        if self.status == 404 or self.rule == "engine":
            return self.reason
        return f"docker-guard: {self.reason} (rule {self.rule})"


class EngineDownError(Exception):
    """The engine does not answer, or broke off: nobody's verdict. The text says which call."""

    def __init__(self, text: str, *, may_land: bool = True) -> None:
        """Take whether what was asked for may have happened, or may still happen."""
        super().__init__(text)
        self.may_land = may_land


def shown(value: object, longest: int = _LONGEST) -> str:
    """Quote what a client sent: one line, no control characters, bounded."""
    text = str(value)
    safe = "".join(c if c.isprintable() else "?" for c in text[:longest])
    return f"'{safe}{'…' if len(text) > longest else ''}'"
