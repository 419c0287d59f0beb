"""How a command is called: the options that every command has."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every command has, given before or after its name."""

    json_output: bool = False
    api_url: str | None = None

    def or_else(self, before: "Common") -> "Common":
        """Return these options, and those `before` the command's name where it has none."""
        return Common(self.json_output or before.json_output, self.api_url or before.api_url)
