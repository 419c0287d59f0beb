"""What is left to do: a text that the start has to wait for, or a Hint that it has not."""


class Hint(str):
    """Advice that no start has to wait for."""

    __slots__ = ()
