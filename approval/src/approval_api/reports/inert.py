"""Makes text from targets inert in Markdown, whatever renders it."""

from dryrun_contract.text import printable

_STEERING = {ord(character): f"\\x{ord(character):02x}" for character in "`|<"}
"""Characters that could end a code span or a table cell, or begin a tag in a careless renderer."""


def inert(text: object, *, limit: int = 200) -> str:
    r"""Return `text` as a code span that nothing inside can leave; links, mentions and HTML stay text.

    >>> inert("nginx <script>")
    '`nginx \\x3cscript>`'
    """
    shown = printable(str(text), limit=limit).translate(_STEERING).strip()
    return f"`{shown}`" if shown else "-"
