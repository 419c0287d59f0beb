"""Tables with one row per thing, which stay readable on a narrow terminal."""

from collections.abc import Collection
from typing import Final

from rich.table import Table

_DATE_WIDTH: Final = len("2026-01-31")


def listing(*names: str, give_way: Collection[str] = (), numbers: Collection[str] = ()) -> Table:
    """Return an empty table. On a narrow terminal only the columns that `give_way` become narrower.

    Their texts are wrapped, and dates in columns whose heading is `dated` are not broken. All others stay
    whole: an id that is cut selects nothing.
    """
    table = Table(box=None, pad_edge=False, collapse_padding=True, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        table.add_column(
            name,
            no_wrap=name not in give_way,
            overflow="fold" if name in give_way else "ellipsis",
            justify="right" if name in numbers else "left",
            min_width=_DATE_WIDTH if name.endswith(")") else None,
        )
    return table
