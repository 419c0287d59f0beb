"""How the guard refuses: the name of a rule, a reason for people, a status code for the client."""

_LONGEST = 300


class Refusal(Exception):  # noqa: N818 - it is a verdict, not a failure
    """A refused request; no part of it reached the engine."""

    def __init__(self, rule: str, reason: str, status: int = 403, *, on_record: str = "") -> None:
        """Take the reason for the client, and what only the audit log records in addition."""
        super().__init__(reason)
        self.rule = rule
        self.reason = reason
        self.status = status
        self.on_record = on_record

    @property
    def message(self) -> str:
        """Return the text for the client. A 404 reads as the engine's own, so it reveals nothing more."""
        if self.status == 404 or self.rule == "engine":
            return self.reason
        return f"docker-guard: {self.reason} (rule {self.rule})"


class EngineDownError(Exception):
    """The engine does not answer, or broke off; no rule decided. The text names the call."""

    def __init__(self, text: str, *, may_land: bool = True) -> None:
        """Take whether the request may have taken effect, or may still do so."""
        super().__init__(text)
        self.may_land = may_land


def shown(value: object, longest: int = _LONGEST) -> str:
    """Return what a client sent, in quotes: one line, no control characters, at most `longest` long."""
    text = str(value)
    safe = "".join(c if c.isprintable() else "?" for c in text[:longest])
    return f"'{safe}{'…' if len(text) > longest else ''}'"
